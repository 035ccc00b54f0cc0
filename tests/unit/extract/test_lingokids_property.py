"""Random mixes of good, bad and repeated lines against a reading in plain Python."""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.absent_values import is_absent
from tests.unit.extract.lingokids_loads import event, load_events

FIRST = date(2021, 1, 1)
DAYS = [date(2021, 1, number) for number in range(1, 4)]
FIELDS = ["name", "child_id", "user_id", "occurred_at", "context", "new"]
EVENT_IDS = ["e1", "e2", "e3", "e4", "é", "", " \u00a0"]
SEPARATORS = [(", ", ": "), (",", ":"), (" , ", " : ")]

instants = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(DAYS),
    st.sampled_from(["T", " "]),
    st.sampled_from(["00:00:00", "12:30:15.25", "23:59:59.999999"]),
    st.sampled_from(["", "Z", "+02:00", "-0330"]),
)
nothings = st.sampled_from(["", " ", "\t", "\u00a0", []])
values: st.SearchStrategy[Any] = st.one_of(st.none(), nothings, st.booleans(), st.just({}), st.text(max_size=8))
numbers: st.SearchStrategy[Any] = st.one_of(
    st.integers(0, 100_000), st.floats(0, 1e7, allow_nan=False), st.integers(-3, -1), st.just(1e300), nothings
)
broken = st.sampled_from(["", "  ", "{", "[1]", "null", '{"event_id": "e1"}', "no json", '"text"'])


@st.composite
def files(draw: st.DrawFn) -> list[str]:
    """The lines of a file: most of them alike, some repeated, some of any other kind."""
    separators = draw(st.sampled_from(SEPARATORS))
    sort_keys, ensure_ascii = draw(st.booleans()), draw(st.booleans())
    content = []
    for _ in range(draw(st.integers(3, 12))):
        whole = event(draw(st.sampled_from(EVENT_IDS)), draw(instants))
        kind = draw(st.integers(0, 15))
        if kind < 6:
            whole["data"]["duration"] = draw(numbers)
        elif kind == 6:
            whole[draw(st.sampled_from(FIELDS))] = draw(values)
        elif kind == 7:
            del whole[draw(st.sampled_from(sorted(whole)))]
        text = json.dumps(whole, separators=separators, sort_keys=sort_keys, ensure_ascii=ensure_ascii)
        content.append(draw(broken) if kind == 8 else text)
    return draw(st.lists(st.sampled_from(content), min_size=5, max_size=30))


landings = st.dictionaries(st.sampled_from(["a.jsonl", "b.jsonl", "2021-01-03.jsonl"]), files(), min_size=1, max_size=3)
windows = st.tuples(st.integers(0, 1), st.integers(2, 3)).map(
    lambda pair: DayWindow(date(2021, 1, 1 + pair[0]), date(2021, 1, 1 + pair[0] + pair[1]))
)


def day_of(record: Any) -> date | None:
    """The UTC day that a record says."""
    try:
        instant = datetime.fromisoformat(record["occurred_at"])
    except (TypeError, ValueError, KeyError):
        return None
    offset = instant.utcoffset()
    return (instant.replace(tzinfo=None) - offset).date() if offset else instant.date()


def is_right(record: Any) -> bool:
    """Whether the contract takes the record."""
    if not isinstance(record, dict) or day_of(record) is None:
        return False
    present = {name: value for name, value in record.items() if not is_absent(value)}
    data = present.get("data")
    if not isinstance(data, dict) or not isinstance(present.get("context"), dict | None):
        return False
    duration = data["duration"]
    return (
        all(isinstance(present.get(name), str) for name in ("event_id", "user_id"))
        and all(isinstance(present.get(name), str | None) for name in ("name", "child_id"))
        and (is_absent(duration) or 0 <= duration < 2**53 // 1000)
    )


def milliseconds(duration: Any) -> int | None:
    return None if is_absent(duration) else int(duration * 1000 + 0.5)


def parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def expected(
    contents: dict[str, list[str]], window: DayWindow
) -> tuple[dict[tuple[date, str], str], Counter[tuple[str, int, date]], Counter[date]]:
    """Winning lines by identity, rejected lines by place, and how many records each day has."""
    winners: dict[tuple[date, str], str] = {}
    rejected: Counter[tuple[str, int, date]] = Counter()
    read: Counter[date] = Counter()
    for name, content in contents.items():
        dated = [day for day in map(day_of, map(parsed, content)) if day]
        home = DAYS[2] if name == "2021-01-03.jsonl" else min(dated, default=window.start)
        for position, line in records_of(content):
            record = parsed(line)
            day = day_of(record) or home
            if not window.start <= day < window.end:
                continue
            read[day] += 1
            if is_right(record):
                identity = (day, record["event_id"])
                winners[identity] = max(line, winners.get(identity, ""), key=str.encode)
            else:
                rejected[f"lingokids/events/{name}", position, day] += 1
    return winners, rejected, read


def records_of(content: list[str]) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(content, 1) if line.strip(" \t"))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contents=landings, window=windows)
def test_every_mix_is_read_as_plain_python_reads_it(contents: dict[str, list[str]], window: DayWindow) -> None:
    folder = Path(tempfile.mkdtemp())
    events = folder / "landing/lingokids/events"
    events.mkdir(parents=True)
    for name, content in contents.items():
        (events / name).write_text("\n".join(content), encoding="utf-8", newline="\n")

    loaded = load_events(folder / "landing", folder / "w", window)

    shutil.rmtree(folder)
    winners, rejected, read = expected(contents, window)
    records = [(day, json.loads(line)) for (day, _), line in winners.items()]
    assert sorted(
        (row["day"], row["event_id"], str(row["duration_ms"]), str(row["event_name"])) for row in loaded.accepted
    ) == sorted(
        (
            day,
            record["event_id"],
            str(milliseconds(record["data"]["duration"])),
            str(None if is_absent(record.get("name")) else record["name"]),
        )
        for day, record in records
    )
    assert rejected == Counter((row["source_path"], row["position"], row["day"]) for row in loaded.rejected)
    assert {day: counts[2] for day, counts in loaded.counts.items() if counts[2]} == read

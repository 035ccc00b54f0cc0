"""Random mixes of rows, quotes, headers and defects against a reading with Python's `csv`."""

import csv
import shutil
import tempfile
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.absent_values import is_absent
from engagement_assets.extract.mobile import EVENT
from tests.unit.extract.mobile_loads import load_events

DAYS = [date(2020, 1, 30), date(2020, 1, 31), date(2020, 2, 1)]
NAMES = [column.name for column in EVENT.columns]
REQUIRED = [column.name for column in EVENT.columns if column.required]
TIMES = ["received_at", "created_at"]
HOME = DAYS[1]

clocks = st.sampled_from(["00:00:00", "12:30:15.25", "23:59:59.999999"])
zones = st.sampled_from(["", "Z", "+02:00", "-0330", " UTC"])
instants = st.builds("{}{}{}{}".format, st.sampled_from(DAYS), st.sampled_from(["T", " "]), clocks, zones)
texts = st.one_of(
    st.sampled_from(["u1", "U1", "Ride Started - Successful", "a;b", 'a"b', '"', "é", ";", " ", "\t", "\u00a0", ""]),
    st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"), max_size=6),
)
bad_times = st.sampled_from(["", "soon", "2020-01-31", "2020-02-30 10:00:00"])
broken = st.sampled_from(["", " \t", "word", '"', ";;;;;;;", '"a";b', 'a;"b', "é;é"])


def spelled(value: str, quoted: bool) -> str:
    """A value as CSV, in quotes where it must be."""
    if quoted or ";" in value or value.startswith('"'):
        return '"' + value.replace('"', '""') + '"'
    return value


@st.composite
def lines_of_a_file(draw: st.DrawFn) -> list[str]:
    """Rows under headers of several orders, with further columns, repeated lines and broken ones."""
    content: list[str] = []
    for number in range(draw(st.integers(1, 3))):
        names = draw(st.permutations([*NAMES, *draw(st.lists(st.sampled_from(["x", "y"]), unique=True))]))
        if draw(st.integers(0, 5)) == 0:
            names = [name for name in names if name != draw(st.sampled_from(["event_name", "received_at"]))]
        rows = []
        for _ in range(draw(st.integers(1, 4))):
            values = {name: draw(instants if name in TIMES else texts) for name in names}
            if draw(st.integers(0, 5)) == 0:
                values[draw(st.sampled_from(TIMES))] = draw(bad_times)
            rows.append(";".join(spelled(values.get(name, ""), draw(st.booleans())) for name in names))
            if draw(st.integers(0, 8)) == 0:
                rows[-1] += draw(st.sampled_from([";more", '"', ";"]))
        header = ";".join(spelled(name, draw(st.booleans())) for name in names)
        if number or draw(st.integers(0, 7)):
            content.append(header)
        content += draw(st.lists(st.one_of(st.sampled_from(rows), broken), min_size=1, max_size=6))
    return content


def utc(text: str) -> datetime | None:
    text = text.replace(" UTC", "Z")
    try:
        found = datetime.fromisoformat(text) if len(text) >= len("2020-01-31 00:00:00") else None
    except ValueError:
        return None
    return found and (found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found)


def values_of(line: str) -> list[str] | None:
    """The values of a line, None when its quotes are wrong; Python's reader is told to be strict."""
    try:
        (values,) = csv.reader([line], delimiter=";", strict=True)
    except csv.Error:
        return None
    return values


def expected(
    contents: dict[str, list[str]], window: DayWindow
) -> tuple[set[tuple[object, ...]], Counter[tuple[str, int]], Counter[date]]:
    """Distinct events, rejected lines by place, and how many records each day has."""
    accepted: set[tuple[object, ...]] = set()
    rejected: Counter[tuple[str, int]] = Counter()
    read: Counter[date] = Counter()
    for name, content in contents.items():
        header: list[str] | None = None
        for position, line in enumerate(content, 1):
            if not line.strip(" \t"):
                continue
            values = values_of(line)
            if values and len(set(values) & set(NAMES)) >= 3:
                header = values
                continue
            fits = header is not None and values is not None and len(values) == len(header)
            record = dict(zip(header or [], values or [], strict=False)) if fits else {}
            record = {key: value for key, value in record.items() if not is_absent(value)}
            created_at, received_at = (utc(record.get(key, "")) for key in ("created_at", "received_at"))
            day = created_at.date() if created_at else HOME
            if not window.start <= day < window.end:
                continue
            read[day] += 1
            times_are_right = created_at and (received_at or "received_at" not in record)
            if not (fits and times_are_right and all(key in record for key in REQUIRED)):
                rejected[name, position] += 1
                continue
            record_texts = [record.get(key) for key in NAMES if key not in TIMES]
            accepted.add((*record_texts, received_at, created_at))
    return accepted, rejected, read


files = st.dictionaries(
    st.sampled_from([f"2020-01-31/{letter}.csv" for letter in "abc"]), lines_of_a_file(), min_size=1, max_size=3
)
windows = st.sampled_from([DayWindow(DAYS[0], DAYS[2] + timedelta(days=2)), DayWindow(DAYS[1], DAYS[2])])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contents=files, window=windows, line_end=st.sampled_from(["\n", "\r\n"]), has_mark=st.booleans())
def test_every_mix_is_read_as_python_reads_it(
    contents: dict[str, list[str]], window: DayWindow, line_end: str, has_mark: bool
) -> None:
    folder = Path(tempfile.mkdtemp())
    for name, content in contents.items():
        path = folder / "landing/mobile_events" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = ("\ufeff" if has_mark else "") + line_end.join(content)
        path.write_text(text, encoding="utf-8", newline="")

    loaded = load_events(folder / "landing", folder / "w", window)

    shutil.rmtree(folder)
    accepted, rejected, read = expected(contents, window)
    columns = [column.column for column in EVENT.columns]
    assert {tuple(event[column] for column in columns) for event in loaded.accepted} == accepted
    assert len(loaded.accepted) == len({event["event_id"] for event in loaded.accepted}) == len(accepted)
    assert Counter((row["source_path"][14:], row["position"]) for row in loaded.rejected) == rejected
    assert {day: counts[2] for day, counts in loaded.counts.items() if counts[2]} == read

"""Nothing of a file that is read is nowhere: counts of any mix of times and bad lines, in any order of days.

For event files in CSV and JSONL, and for batch folders: what the days of the calendar count as read, together, is what
the files hold, and each record is accepted, quarantined or a duplicate. What is not read is told by name.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engagement_assets.contracts.extraction import Calendar, DayWindow
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.landing.index import FileIndex
from engagement_assets.extract.runna import extraction as runna
from tests.unit.extract import lingokids_loads, mobile_loads
from tests.unit.extract.lingokids_loads import EXTRACTED_AT, Loaded, event
from tests.unit.extract.mobile_loads import HEADER, row

FIRST = date(2021, 1, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(4)]
CALENDAR = Calendar(FIRST, DAYS[-1])
# `make fuzz` draws 500.
EXAMPLES = settings(
    max_examples=int(os.environ.get("COUNTS_EXAMPLES", "15")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

moments = st.sampled_from(
    [f"{day} {clock}" for day in DAYS for clock in ("00:00:00", "23:59:59.999999")]
    + ["1970-01-01 00:00:00", "2020-12-31 23:59:59", "2021-01-05 00:00:00", "2099-01-01 00:00:00"]
    # The zone decides.
    + ["2021-01-01T00:30:00+02:00", "2021-01-04T23:30:00-01:00", "2020-12-31T23:30:00-01:00"]
    + ["soon", "2021-02-30 10:00:00", ""]
)
names = st.sampled_from(["a", "b", "2021-01-03", "2020-12-31", "x/10230405", "2099-01-01/c"])
groupings = st.lists(st.integers(1, 3), min_size=4, max_size=4)


def windows(lengths: list[int], order: list[int]) -> list[DayWindow]:
    """The days of the calendar cut into windows, in some order."""
    cut, start = [], 0
    for length in lengths:
        if start < len(DAYS):
            end = min(start + length, len(DAYS))
            cut.append(DayWindow(DAYS[start], DAYS[end - 1] + timedelta(days=1)))
            start = end
    return sorted(cut, key=lambda window: order[DAYS.index(window.start)])


@contextmanager
def folder_of(files: Mapping[str, bytes]) -> Iterator[Path]:
    """A folder with these files."""
    folder = Path(tempfile.mkdtemp())
    try:
        for key, content in files.items():
            path = folder / "landing" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        yield folder
    finally:
        shutil.rmtree(folder)


def total_of(load: Callable[..., Loaded], folder: Path, cut: list[DayWindow]) -> tuple[int, int]:
    """Records read and accounted for, over loads that know of each other what lake and index keep."""
    index, known = FileIndex(), dict[str, set[date]]()
    read = accounted = 0
    for window in cut:
        loaded = load(
            folder / "landing", folder / "w", window, index=index, known_undated_days=known, calendar=CALENDAR
        )
        for record in loaded.rejected:
            known.setdefault(record["source_path"], set()).add(record["day"])
        read += sum(counts[2] for counts in loaded.counts.values())
        accounted += len(loaded.accepted) + len(loaded.rejected) + sum(counts[4] for counts in loaded.counts.values())
    return read, accounted


def holds_a_record(line: str) -> bool:
    return bool(line.strip(" \t"))


csv_lines = st.one_of(
    st.builds(row, st.sampled_from(["u1", "u2", " "]), moments),
    st.sampled_from(["", " \t", "word", '"', ";;;;;;;", 'a;"b', "\x00", "é", HEADER + ";new"]),
)


@EXAMPLES
@given(
    files=st.dictionaries(names, st.lists(csv_lines, max_size=8), min_size=1, max_size=3),
    lengths=groupings,
    order=st.permutations([0, 1, 2, 3]),
)
def test_rows_of_csv_files_add_up(files: dict[str, list[str]], lengths: list[int], order: list[int]) -> None:
    content = {f"mobile_events/{name}.csv": "\n".join([HEADER, *lines]).encode() for name, lines in files.items()}
    with folder_of(content) as folder:
        read, accounted = total_of(mobile_loads.load_events, folder, windows(lengths, order))
    lines = [line for lines in files.values() for line in lines if not line.startswith(HEADER)]
    assert read == accounted == sum(map(holds_a_record, lines))


jsonl_lines = st.one_of(
    st.builds(lambda name, moment: json.dumps(event(name, moment)), st.sampled_from(["e1", "e2", ""]), moments),
    st.builds(lambda moment: json.dumps(event("e3", moment, user_id=None, new=1)), moments),
    st.sampled_from(["", "\t", "{", "[1]", "null", "no json", '{"occurred_at": "2099-01-01 00:00:00"}', "\x00"]),
)


@EXAMPLES
@given(
    files=st.dictionaries(names, st.lists(jsonl_lines, max_size=8), min_size=1, max_size=3),
    lengths=groupings,
    order=st.permutations([0, 1, 2, 3]),
)
def test_lines_of_jsonl_files_add_up(files: dict[str, list[str]], lengths: list[int], order: list[int]) -> None:
    content = {f"lingokids/events/{name}.jsonl": "\n".join(lines).encode() for name, lines in files.items()}
    with folder_of(content) as folder:
        read, accounted = total_of(lingokids_loads.load_events, folder, windows(lengths, order))
    assert read == accounted == sum(holds_a_record(line) for lines in files.values() for line in lines)


folders = st.sampled_from([*map(str, DAYS), "2020-12-31", "2099-01-01", "2021-1-2", "someday", ".aside"])
documents = st.sampled_from(
    [b"", b"x", b"[]", b'{"activityId": "a"}', b"\xff", b'{"activityId": "a", "userId": "u"}']
    + [json.dumps({"activityId": name, "userId": "u", "laps": [{}, 3], "createdOn": 0}).encode() for name in "abc"]
)


@EXAMPLES
@given(
    files=st.dictionaries(
        st.tuples(folders, st.sampled_from(["1.json", "2.json", "x/3.json", "4.JSON", "5.txt"])), documents, max_size=8
    ),
    lengths=groupings,
    order=st.permutations([0, 1, 2, 3]),
)
def test_files_of_batch_folders_add_up(
    files: dict[tuple[str, str], bytes], lengths: list[int], order: list[int]
) -> None:
    cut = windows(lengths, order)
    content = {f"runna/activities/{folder}/{name}": document for (folder, name), document in files.items()}
    read = accounted = 0
    never_read: set[str] = set()
    with folder_of({**content, "other.txt": b""}) as folder, duckdb.cursor() as connection:
        for number, window in enumerate(cut):
            (workdir := folder / f"w{number}").mkdir()
            reading = runna.BatchReading(
                connection,
                Landing(str(folder / "landing")),
                window,
                workdir,
                calendar=CALENDAR,
                extracted_at=EXTRACTED_AT,
                progress=lambda _: None,
            )
            extraction = runna.extract(reading)
            key = "raw_runna/activities"
            rejected = f"select 1 from ({extraction.rejected}) where dataset = '{key}'"
            counts = connection.execute(
                f"select sum(records_read), sum(duplicates) from ({extraction.counts}) where dataset = '{key}'"
            ).fetchall()[0]
            ((accepted,),) = connection.execute(f"select count(*) from ({extraction.accepted[key]})").fetchall()
            read += counts[0]
            accounted += accepted + len(connection.execute(rejected).fetchall()) + counts[1]
            never_read |= {path.key for path in extraction.never_read}
    is_json = {key: key[1].endswith(".json") for key in files}
    dated = [key for key in files if key[0] in map(str, DAYS)]
    assert read == accounted == sum(is_json[key] for key in dated)
    nobody_reads = {"2020-12-31", "2099-01-01", "2021-1-2", "someday"}
    outside = {f"runna/activities/{name}" for name, _ in files if name in nobody_reads}
    beside = {f"runna/activities/{key[0]}/{key[1]}" for key in dated if not is_json[key]}
    assert never_read == outside | beside

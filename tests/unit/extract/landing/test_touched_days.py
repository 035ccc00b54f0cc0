"""Which days new, changed and late files touch: found by listing, and by looking once through files of any day."""

import gzip
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import pytest

from engagement_assets.contracts.extraction import ALL_DAYS, Calendar, DayWindow
from engagement_assets.extract import lingokids, mobile
from engagement_assets.extract.landing.event_files import WantedDays
from engagement_assets.extract.landing.files import Landing, LandingFile, _arrived_at
from engagement_assets.extract.landing.index import FileIndex
from engagement_assets.extract.landing.touched_days import MAX_BYTES_LOOKED_THROUGH, Look, TouchedDays
from engagement_assets.extract.lines.jsonl_records import JsonlRecords
from engagement_assets.extract.runna.source import BATCHES
from tests.unit.extract.lingokids_loads import reading

DAY_1, DAY_2, DAY_3 = date(2024, 3, 1), date(2024, 3, 2), date(2024, 3, 3)
HEADER = ";".join(column.name for column in mobile.EVENT.columns)


@pytest.fixture
def zone(tmp_path: Path) -> Path:
    return tmp_path


def _write(path: Path, content: str | bytes = "{}") -> datetime:
    """Write the file, and give the time of its arrival."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return datetime.fromtimestamp(path.stat().st_ctime, UTC)


def _in_an_hour() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


def _look(landing: str, loaded_at: dict[date, datetime], **options: Any) -> Look:
    settled = {"settled_before": datetime.now(UTC) + timedelta(hours=1), "calendar": ALL_DAYS, **options}
    return Look(landing=Landing(landing), loaded_at=loaded_at, **settled)


def _batches(zone: Path, loaded_at: dict[date, datetime], **options: Any) -> TouchedDays:
    return BATCHES.touched_days(_look(str(zone), loaded_at, **options))[0]


def _event(event_id: str, *days: date) -> str:
    return "".join(json.dumps({"event_id": event_id, "occurred_at": f"{day}T10:00:00Z"}) + "\n" for day in days)


def _events(
    zone: Path,
    loaded_at: dict[date, datetime],
    index: FileIndex,
    max_bytes: int = MAX_BYTES_LOOKED_THROUGH,
    **options: Any,
) -> TouchedDays:
    return lingokids.EVENT_FILES.touched_days(_look(str(zone), loaded_at, **options), index, max_bytes)


def test_a_batch_is_touched_by_files_that_arrived_after_it_was_loaded(zone: Path) -> None:
    first = _write(zone / BATCHES.prefix / "2024-03-01" / "a.json")
    second = _write(zone / BATCHES.prefix / "2024-03-02" / "b.json")
    loaded = {DAY_1: first + timedelta(seconds=1), DAY_2: second - timedelta(seconds=1)}
    assert _batches(zone, loaded).arrivals == {DAY_2: second}


def test_a_batch_that_was_never_loaded_is_touched(zone: Path) -> None:
    arrived = _write(zone / BATCHES.prefix / "2024-03-01" / "sub" / "a.json")
    assert _batches(zone, {}).arrivals == {DAY_1: arrived}


def test_a_file_that_keeps_an_old_time_of_modification_is_new_all_the_same(zone: Path) -> None:
    path = zone / BATCHES.prefix / "2024-03-01" / "copied.json"
    _write(path)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert set(_batches(zone, {DAY_1: datetime.now(UTC) - timedelta(minutes=1)}).arrivals) == {DAY_1}


def test_a_file_that_has_gone_touches_nothing(zone: Path) -> None:
    _write(zone / BATCHES.prefix / "2024-03-01" / "a.json")
    _write(zone / BATCHES.prefix / "2024-03-01" / "pruned.json").timestamp()
    loaded = {DAY_1: datetime.now(UTC) + timedelta(seconds=1)}
    (zone / BATCHES.prefix / "2024-03-01" / "pruned.json").unlink()
    assert _batches(zone, loaded).arrivals == {}


def test_batches_are_listed_and_no_file_is_opened(zone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(zone / BATCHES.prefix / "2024-03-01" / "a.json")

    def refuse(path: object, *_: object, **__: object) -> None:
        raise AssertionError(f"{path} was opened")

    for name in ("builtins.open", "io.open", "os.open"):
        monkeypatch.setattr(name, refuse)
    assert set(_batches(zone, {}).arrivals) == {DAY_1}


def test_what_is_no_batch_is_left_alone(zone: Path) -> None:
    _write(zone / BATCHES.prefix / "2024-03" / "a.json")
    _write(zone / BATCHES.prefix / "upload of 2024-03-01" / "a.json")
    assert _batches(zone, {}).arrivals == {}


def test_a_day_waits_while_one_of_its_files_may_still_be_written(zone: Path) -> None:
    _write(zone / BATCHES.prefix / "2024-03-01" / "a.json")
    newest = _write(zone / BATCHES.prefix / "2024-03-02" / "b.json")
    before = newest - timedelta(microseconds=1)
    arrived = datetime.fromtimestamp((zone / BATCHES.prefix / "2024-03-01" / "a.json").stat().st_ctime, UTC)
    found = _batches(zone, {}, settled_before=before)
    assert DAY_2 in found.arrivals
    assert set(found.settled()) == ({DAY_1} if arrived < newest else set())
    assert set(_batches(zone, {}, settled_before=newest).settled()) == {DAY_1, DAY_2}


def test_a_listing_that_takes_too_long_goes_on_the_next_time_and_always_has_the_newest(zone: Path) -> None:
    for day in range(1, 7):
        _write(zone / BATCHES.prefix / f"2024-03-{day:02}" / "a.json")
    seen, resume_after = [], None
    for _ in range(6):
        found, resume_after = BATCHES.touched_days(_look(str(zone), {}), resume_after, seconds=0)
        seen.append([day.day for day in sorted(found.arrivals)])
    assert seen == [[1, 6], [2, 6], [3, 6], [4, 6], [5, 6], [1, 6]]


def test_a_landing_zone_that_is_not_there_is_told(zone: Path) -> None:
    with pytest.raises(NotADirectoryError, match="set LANDING_URI"):
        _events(zone / "gone", {}, FileIndex())


def test_a_file_of_any_days_touches_exactly_its_days(zone: Path) -> None:
    arrived = _write(zone / "lingokids/events/late.jsonl", _event("e", DAY_1, DAY_3))
    index = FileIndex()
    arrivals = _events(zone, {}, index).arrivals
    (known,) = index.files.values()
    assert known.found_at is not None
    assert known.found_at >= arrived
    assert (set(known.days), arrivals) == ({DAY_1, DAY_3}, dict.fromkeys((DAY_1, DAY_3), known.found_at))
    assert _events(zone, {}, index).arrivals == arrivals


def test_days_that_a_run_has_loaded_since_are_touched_no_more_and_the_others_still_are(zone: Path) -> None:
    arrived = _write(zone / "lingokids/events/late.jsonl", _event("e", DAY_1, DAY_2))
    index = FileIndex()
    _events(zone, {}, index)
    assert set(_events(zone, {DAY_2: arrived + timedelta(hours=1)}, index).arrivals) == {DAY_1}


@pytest.mark.parametrize("is_found_by_a_load", [False, True])
def test_a_file_in_a_folder_that_got_its_name_later_touches_the_days_that_were_loaded_without_it(
    is_found_by_a_load: bool, zone: Path
) -> None:
    """The file keeps its times, which are older than the load."""
    written_at = _write(zone / "lingokids/events/_incoming/late.jsonl", _event("e", DAY_1, DAY_2))
    loaded_at, index = datetime.now(UTC), FileIndex()
    assert loaded_at > written_at
    assert _events(zone, {DAY_1: loaded_at, DAY_2: loaded_at}, index).arrivals == {}
    (zone / "lingokids/events/_incoming").rename(zone / "lingokids/events/incoming")
    loaded = {DAY_1: loaded_at, DAY_2: loaded_at}
    if is_found_by_a_load:  # of its second day alone
        loaded[DAY_2] = datetime.now(UTC)
        window = DayWindow(DAY_2, DAY_3)
        with duckdb.cursor() as connection, tempfile.TemporaryDirectory() as workdir:
            look = replace(reading(connection, zone, Path(workdir)), extracted_at=loaded[DAY_2])
            days = WantedDays(window=window, calendar=ALL_DAYS, index=index)
            lingokids.EVENT_FILES.extract(look, days)
    expected = {DAY_1} if is_found_by_a_load else {DAY_1, DAY_2}
    assert set(_events(zone, loaded, index).arrivals) == expected
    assert _events(zone, dict.fromkeys((DAY_1, DAY_2), _in_an_hour()), index).arrivals == {}


@pytest.mark.parametrize("renamed", ["2024-03-01", "2024-03-01/part"])
def test_a_batch_touches_its_day_when_its_folder_gets_its_name(renamed: str, zone: Path) -> None:
    folder = zone / BATCHES.prefix / renamed
    being_written = folder.with_name(f"_{folder.name}")
    _write(being_written / "a.json")
    loaded_at = datetime.now(UTC)
    while True:  # the file system's clock is coarse
        being_written.rename(folder)
        if folder.stat().st_ctime > loaded_at.timestamp():
            break
        folder.rename(being_written)
    assert set(_batches(zone, {DAY_1: loaded_at}).arrivals) == {DAY_1}
    assert _batches(zone, {DAY_1: _in_an_hour()}).arrivals == {}


def test_a_file_that_is_known_is_not_looked_through_again(zone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(zone / "lingokids/events/a.jsonl", _event("e", DAY_1))
    index = FileIndex()
    _events(zone, {}, index)

    def refuse(*_: object) -> None:
        raise AssertionError("it was read again")

    monkeypatch.setattr(JsonlRecords, "read_lines", refuse)
    found = _events(zone, {}, index)
    assert set(found.arrivals) == {DAY_1}


def test_a_changed_file_touches_the_days_that_it_holds_now_and_those_that_it_held(zone: Path) -> None:
    path = zone / "lingokids/events/a.jsonl"
    index = FileIndex()
    _write(path, _event("e", DAY_1))
    _events(zone, {}, index)
    loaded = dict.fromkeys((DAY_1, DAY_2), datetime.now(UTC))
    arrived = _write(path, _event("e", DAY_2, DAY_3))
    os.utime(path, ns=(1, 1))  # in the same instant of the clock, maybe
    loaded[DAY_1] = loaded[DAY_2] = arrived - timedelta(seconds=1)
    # The load of the first day tells what the file has lost.
    assert set(_events(zone, loaded, index).arrivals) == {DAY_1, DAY_2, DAY_3}
    assert set(_events(zone, dict.fromkeys((DAY_1, DAY_2), arrived + timedelta(hours=1)), index).arrivals) == {DAY_3}


def test_a_file_that_was_replaced_under_its_old_time_and_size_is_looked_through_again(zone: Path) -> None:
    path = zone / "lingokids/events/a.jsonl"
    index = FileIndex()
    _write(path, _event("e", DAY_1))
    before = path.stat()
    _events(zone, {}, index)
    _write(path, _event("e", DAY_2))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    loaded = {DAY_1: datetime.now(UTC) + timedelta(hours=1)}
    assert set(_events(zone, loaded, index).arrivals) == {DAY_2}


def test_a_packed_file_counts_as_what_it_unfolds_to(zone: Path) -> None:
    path = zone / "lingokids/events/a.jsonl.gz"
    arrived = _write(path, gzip.compress(_event("e", DAY_1).encode()))
    size = path.stat().st_size
    assert set(_events(zone, {}, FileIndex(), max_bytes=30 * size).arrivals) == {DAY_1}
    assert set(_events(zone, {}, FileIndex(), max_bytes=29 * size).arrivals) == {arrived.date()}


def test_a_fresh_event_file_waits_and_its_neighbours_do_not(zone: Path) -> None:
    first = _write(zone / "lingokids/events/a.jsonl", _event("e", DAY_1))
    path = zone / "lingokids/events/being_written.jsonl"
    while _write(path, _event("e", DAY_2)) == first:
        pass  # the file system's clock is coarse
    found = _events(zone, {}, FileIndex(), settled_before=first)
    assert set(found.settled()) == {DAY_1}


def test_more_than_a_tick_can_look_through_is_left_to_the_next(zone: Path) -> None:
    content = _event("e", DAY_1)
    _write(zone / "lingokids/events/1.jsonl", content)
    _write(zone / "lingokids/events/2.jsonl", _event("e", DAY_2))
    index = FileIndex()
    assert set(_events(zone, {}, index, max_bytes=len(content)).arrivals) == {DAY_1}
    assert set(_events(zone, {}, index, max_bytes=len(content)).arrivals) == {DAY_1, DAY_2}


def test_a_file_too_large_to_look_through_touches_the_day_in_its_name_or_of_its_arrival(zone: Path) -> None:
    _write(zone / "lingokids/events/2024-03-01.jsonl", _event("e", DAY_2, DAY_3))
    arrived = _write(zone / "lingokids/events/all.jsonl", _event("e", DAY_2, DAY_3))
    index = FileIndex()
    assert set(_events(zone, {}, index, max_bytes=10).arrivals) == {DAY_1, arrived.date()}
    assert index.files == {}


def test_days_that_no_run_is_for_are_not_touched_but_the_day_on_which_such_records_count(zone: Path) -> None:
    outside = date(1970, 1, 1)
    _write(zone / "lingokids/events/mixed.jsonl", _event("e", outside, DAY_2, DAY_3))
    _write(zone / "lingokids/events/alone.jsonl", _event("e", outside))
    _write(zone / "lingokids/events/2024-03-01.jsonl", "broken\n")
    calendar, index = Calendar(DAY_1, DAY_2), FileIndex()
    assert set(_events(zone, {}, index, calendar=calendar).arrivals) == {DAY_1, DAY_2}
    assert set(_events(zone, {}, index, calendar=Calendar(DAY_2, DAY_3)).arrivals) == {DAY_2, DAY_3}


def test_a_large_file_with_a_date_that_no_run_is_for_touches_the_day_of_its_arrival(zone: Path) -> None:
    arrived = _write(zone / "lingokids/events/2099-01-01.jsonl", _event("e", DAY_1))
    touched = _events(zone, {}, FileIndex(), calendar=Calendar(DAY_1, DAY_3), max_bytes=1)
    assert set(touched.arrivals) == {arrived.date()}


def test_mobile_files_are_looked_through_as_they_are_read(zone: Path) -> None:
    rows = [f"a;;;d;;e;;{day} 10:00:00" for day in (DAY_1, DAY_3)]
    _write(zone / "mobile_events/x/late.csv.gz", gzip.compress("\n".join([HEADER, *rows, ""]).encode()))
    found = mobile.EVENT_FILES.touched_days(_look(str(zone), {}), FileIndex())
    assert set(found.arrivals) == {DAY_1, DAY_3}


@pytest.fixture
def remote() -> Iterator[fsspec.AbstractFileSystem]:
    filesystem = fsspec.filesystem("memory")
    filesystem.mkdirs("/touched_days", exist_ok=True)
    yield filesystem
    filesystem.rm("/touched_days", recursive=True)


def test_an_object_store_says_when_an_object_was_written(remote: fsspec.AbstractFileSystem) -> None:
    remote.pipe_file(f"/touched_days/{BATCHES.prefix}/2024-03-01/a.json", b"{}")
    remote.pipe_file("/touched_days/lingokids/events/late.jsonl", _event("e", DAY_2).encode())
    zone, now = "memory://touched_days", datetime.now(UTC)
    old, new = now - timedelta(minutes=1), now + timedelta(minutes=1)
    for loaded_at, touched in ((old, {DAY_1}), (new, set())):
        found, _ = BATCHES.touched_days(_look(zone, {DAY_1: loaded_at}))
        assert set(found.arrivals) == touched
    events = lingokids.EVENT_FILES.touched_days(_look(zone, {DAY_2: old}), FileIndex())
    assert set(events.arrivals) == {DAY_2}


def test_a_time_in_whole_seconds_stands_for_the_second_to_its_end() -> None:
    """S3 says no more, and a load may have begun in the meantime."""
    second = datetime(2024, 3, 1, 10, tzinfo=UTC)
    at_once = second + timedelta(microseconds=1)
    assert _arrived_at({"LastModified": second}) == second + timedelta(seconds=1)
    assert _arrived_at({"LastModified": at_once}) == at_once


def test_an_arrival_is_no_part_of_what_a_file_is() -> None:
    assert LandingFile("a", 1, "v", None, datetime.now(UTC)) == LandingFile("a", 1, "v")

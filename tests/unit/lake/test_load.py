"""What a load leaves in the lake: whole days, merged event logs, quarantine and counts."""

import errno
import resource
import shutil
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pytest
from filelock import FileLock, Timeout

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.extract.lingokids import LINGOKIDS_ACTIVITIES, LINGOKIDS_EVENTS, LINGOKIDS_USERS
from engagement_assets.extract.runna.source import RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS
from engagement_assets.lake.commit import LakeFullError, exclusive
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.lake.load import open_load
from engagement_assets.lake.load_records import DayCounts
from tests.lake_loads import (
    DAY_1,
    DAY_2,
    DAY_3,
    Found,
    Reject,
    Row,
    event,
    event_reject,
    events,
    files_below,
    load_time,
    publish,
    published,
    quarantined,
    records,
    window,
    write,
)

LEAP_DAY = date(2024, 2, 29)


def _activity(activity_id: str, day: date, source_path: str) -> Row:
    return {"activity_id": activity_id, "day": day, "source_path": source_path}


def _activities(*rows: Row, rejects: Sequence[Reject] = ()) -> Found:
    return Found({RUNNA_ACTIVITIES: rows}, rejects)


def test_every_day_of_the_window_gets_one_file_also_without_rows(lake: Lake) -> None:
    publish(lake, events(event("a", DAY_1), event("b", DAY_1), event("c", DAY_3)), window(DAY_1, DAY_3), 1)
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "a"), (DAY_1, "b"), (DAY_3, "c")]
    assert files_below(Path(lake.uri)) == [
        "raw_lingokids/events/day=2024-03-01/data.parquet",
        "raw_lingokids/events/day=2024-03-02/data.parquet",
        "raw_lingokids/events/day=2024-03-03/data.parquet",
        "records/loads/day=2024-06-01/source.parquet",
    ]


def test_a_load_without_any_rows_writes_empty_days(lake: Lake) -> None:
    publish(lake, events(), window(DAY_1, DAY_2), 1)
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == []
    assert lake.days(LINGOKIDS_EVENTS) == [DAY_1, DAY_2]


def test_counts_are_those_of_the_staged_files(lake: Lake) -> None:
    old = events(event("old", DAY_1, "gone.jsonl"), rejects=[event_reject(DAY_2, "gone.jsonl", 1)])
    publish(lake, old, window(DAY_1, DAY_2), 1)
    found = events(
        event("a", DAY_1),
        event("b", DAY_1),
        rejects=[event_reject(DAY_2, "events.jsonl", 3)],
        duplicates={(LINGOKIDS_EVENTS, DAY_1): 1},
        files_read=("events.jsonl",),
    )
    with open_load(lake, "source", run_id="run", started_at=load_time(2)) as load:
        write(load, found, window(DAY_1, DAY_3))
        assert load.counts() == [
            DayCounts("raw_lingokids/events", DAY_1, 1, 100, 3, 2, 0, 1, staged_rows=3),
            DayCounts("raw_lingokids/events", DAY_2, 1, 100, 1, 0, 1, 0, staged_rows=0),
            DayCounts("raw_lingokids/events", DAY_3, 0, 0, 0, 0, 0, 0, staged_rows=0),
        ]
        assert [counts.unaccounted for counts in load.counts()] == [0, 0, 0]


def test_staged_rows_and_rejects_that_vanish_are_unaccounted_for(lake: Lake) -> None:
    rejects = [event_reject(DAY_1, "f", 3), event_reject(DAY_1, "f", 4), event_reject(DAY_2, "f", 5)]
    rows = [event("a", DAY_1), event("b", DAY_1), event("c", DAY_2)]
    with open_load(lake, "source", run_id="run", started_at=load_time(1)) as load:
        write(load, events(*rows, rejects=rejects), window(DAY_1, DAY_2))
        assert [counts.unaccounted for counts in load.counts()] == [0, 0]
        for file_of_day_1 in load.workdir.parent.glob(f"**/day={DAY_1}/data.parquet"):
            shutil.copyfile(file_of_day_1.parents[1] / f"day={DAY_2}" / "data.parquet", file_of_day_1)
        assert [(counts.accepted, counts.quarantined, counts.unaccounted) for counts in load.counts()] == [
            (1, 1, 2),
            (1, 1, 0),
        ]


def test_the_time_of_a_load_is_kept_in_utc(lake: Lake) -> None:
    local_time = load_time(1).astimezone(timezone(timedelta(hours=-11)))
    with open_load(lake, "source", run_id="run", started_at=local_time) as load:
        load.stage(events(event("a", DAY_1)).extraction(load_time(1)), window(DAY_1))
        assert [counts.accepted for counts in load.counts()] == [1]
        load.publish({})
    assert published(lake, LINGOKIDS_EVENTS, "extracted_at") == [(DAY_1, datetime(2024, 6, 1, 12, 0, 1))]
    assert records(lake, "loaded_at", "day") == [(datetime(2024, 6, 1, 12, 0, 1), date(2024, 6, 1))]


def test_a_clock_is_asked_for_the_time_of_a_load_when_no_other_is_at_work(lake: Lake) -> None:
    def clock() -> datetime:
        with pytest.raises(Timeout), FileLock(Path(lake.root) / ".locks/source.lock", timeout=0):
            pass
        return load_time(7)

    with open_load(lake, "source", run_id="run", started_at=clock) as load:
        assert load.started_at == load_time(7)


def test_a_clock_that_is_put_right_leaves_the_records_of_loads_in_order(lake: Lake) -> None:
    for day, started_at in ((DAY_1, load_time(1) + timedelta(days=400)), (DAY_2, load_time(2))):
        with open_load(lake, "source", run_id="run", started_at=started_at) as load:
            write(load, events(event("a", day)), window(day))
            load.publish({})
    assert records(lake, "partition_date", "loaded_at", "day") == [
        (DAY_1, datetime(2025, 7, 6, 12, 0, 1), date(2025, 7, 6)),
        (DAY_2, datetime(2024, 6, 1, 12, 0, 2), date(2025, 7, 6)),
    ]


def test_a_replaced_day_forgets_what_is_not_there_any_more(lake: Lake) -> None:
    days = window(DAY_1, DAY_2)
    publish(lake, _activities(_activity("a", DAY_1, "1.json"), _activity("b", DAY_2, "2.json")), days, 1)
    publish(lake, _activities(_activity("c", DAY_1, "3.json")), days, 2)
    assert published(lake, RUNNA_ACTIVITIES, "activity_id") == [(DAY_1, "c")]


def test_days_outside_of_the_window_stay(lake: Lake) -> None:
    first = _activities(*(_activity(f"of {day}", day, "f") for day in (LEAP_DAY, DAY_1, DAY_2)))
    publish(lake, first, window(LEAP_DAY, DAY_2), 1)
    publish(lake, _activities(), window(DAY_1), 2)
    assert published(lake, RUNNA_ACTIVITIES, "activity_id") == [
        (LEAP_DAY, "of 2024-02-29"),
        (DAY_2, "of 2024-03-02"),
    ]


def test_an_event_log_forgets_nothing_and_what_was_read_now_wins(lake: Lake) -> None:
    old = events(event("a", DAY_1, "1", user_id="old"), event("b", DAY_1, "1", user_id="old"))
    publish(lake, old, window(DAY_1, DAY_2), 1)
    publish(lake, events(event("b", DAY_1, "2", user_id="new"), event("c", DAY_2, "2")), window(DAY_1, DAY_2), 2)
    assert published(lake, LINGOKIDS_EVENTS, "event_id", "user_id", "source_path") == [
        (DAY_1, "a", "old", "1"),
        (DAY_1, "b", "new", "2"),
        (DAY_2, "c", None, "2"),
    ]


def test_an_event_log_forgets_files_that_have_gone_when_that_is_meant(lake: Lake) -> None:
    def found(*sources: str) -> Found:
        rejects = [event_reject(DAY_1, source, 1) for source in sources]
        return events(*(event(f"of {source}", DAY_1, source) for source in sources), rejects=rejects)

    publish(lake, found("1", "2"), window(DAY_1, DAY_2), 1)
    with open_load(lake, "source", run_id="run", started_at=load_time(2)) as load:
        load.stage(found("2").extraction(load.started_at), window(DAY_1, DAY_2), forget=True)
        assert [(counts.staged_rows, counts.unaccounted) for counts in load.counts()] == [(1, 0), (0, 0)]
        load.publish({})
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "of 2")]
    assert quarantined(lake, "source_path") == [(DAY_1, "2")]


def test_an_identity_counts_within_its_day(lake: Lake) -> None:
    publish(lake, events(event("a", DAY_1, user_id="old")), window(DAY_1, DAY_2), 1)
    publish(lake, events(event("a", DAY_2, user_id="new")), window(DAY_1, DAY_2), 2)
    assert published(lake, LINGOKIDS_EVENTS, "event_id", "user_id") == [(DAY_1, "a", "old"), (DAY_2, "a", "new")]


def test_records_without_an_identity_are_not_doubled_by_a_rerun(lake: Lake) -> None:
    for number in (1, 2):
        publish(lake, events(event(None, DAY_1), event("a", DAY_1)), window(DAY_1), number)
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "a"), (DAY_1, None)]


def test_a_dataset_without_days_is_merged_by_identity(lake: Lake) -> None:
    def users(*ids: str) -> Found:
        rows = [{"user_id": user_id, "country_code": f"of {len(ids)}"} for user_id in ids]
        return Found({LINGOKIDS_USERS: rows}, rejects=[Reject(LINGOKIDS_USERS, None, "users.jsonl", 7)])

    publish(lake, users("a", "b"), None, 1)
    publish(lake, users("b", "c", "d"), None, 2)
    assert published(lake, LINGOKIDS_USERS, "user_id", "country_code") == [
        (WHOLE_DATASET_DAY, "a", "of 2"),
        (WHOLE_DATASET_DAY, "b", "of 3"),
        (WHOLE_DATASET_DAY, "c", "of 3"),
        (WHOLE_DATASET_DAY, "d", "of 3"),
    ]
    assert set(quarantined(lake, "dataset", "position")) == {(WHOLE_DATASET_DAY, "users", 7)}


@pytest.mark.parametrize(
    ("files_read", "country", "counted"),
    [(("2024-01.jsonl",), "mx", (1, 0, 1)), (("2024-01.jsonl", "2024-02.jsonl"), "us", (1, 1, 0))],
    ids=["a_newer_snapshot_that_has_gone_wins", "one_that_was_read_without_the_record_is_fixed"],
)
def test_of_snapshots_the_newest_version_that_was_ever_read_wins(
    lake: Lake, files_read: tuple[str, ...], country: str, counted: tuple[int, int, int]
) -> None:
    def snapshot(name: str, country_code: str) -> Row:
        return {"user_id": "ana", "source_path": name, "country_code": country_code}

    publish(lake, Found({LINGOKIDS_USERS: [snapshot("2024-02.jsonl", "mx")]}), None, 1, name="users")
    older = Found({LINGOKIDS_USERS: [snapshot("2024-01.jsonl", "us")]}, files_read=files_read)
    publish(lake, older, None, 2, name="users")
    assert published(lake, LINGOKIDS_USERS, "country_code") == [(WHOLE_DATASET_DAY, country)]
    assert records(lake, "loaded_at", "records_read", "accepted", "duplicates")[1][1:] == counted


def test_a_file_that_could_not_be_opened_takes_nothing_away(lake: Lake) -> None:
    def snapshots(name: str, **found: Any) -> Found:
        return Found({LINGOKIDS_USERS: [{"user_id": "ana", "source_path": name, "country_code": name}]}, **found)

    files = {"files_read": ("1", "2"), "files_not_opened": ("2",)}
    publish(lake, snapshots("2", files_read=("2",)), None, 1, name="users")
    publish(lake, snapshots("1", **files), None, 2, name="users")
    assert published(lake, LINGOKIDS_USERS, "country_code") == [(WHOLE_DATASET_DAY, "2")]

    publish(lake, events(event("b", DAY_1, "2")), window(DAY_1), 1, held={DAY_1: ["rejected_share"]})
    found = events(event("a", DAY_1, "1"), rejects=[event_reject(DAY_1, "2", 1)], files_there=("1",), **files)
    for number in (2, 3):
        publish(lake, found, window(DAY_1), number, take_over_held=True)
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "a"), (DAY_1, "b")]
    assert quarantined(lake, "source_path") == [(DAY_1, "2")]


def test_a_newer_snapshot_that_has_gone_is_forgotten_when_that_is_meant(lake: Lake) -> None:
    for number, (name, country) in enumerate([("2024-02.jsonl", "mx"), ("2024-01.jsonl", "us")]):
        found = Found({LINGOKIDS_USERS: [{"user_id": "ana", "source_path": name, "country_code": country}]})
        with open_load(lake, "users", run_id="run", started_at=load_time(number)) as load:
            load.stage(found.extraction(load.started_at), None, forget=True)
            load.publish({})
    assert published(lake, LINGOKIDS_USERS, "country_code") == [(WHOLE_DATASET_DAY, "us")]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (events(rejects=[event_reject(DAY_3, "f", 1)]), "returned for raw_lingokids/events of 2024-03-03"),
        (events(rejects=[event_reject(None, "f", 1)]), "returned for raw_lingokids/events of 1970-01-01"),
        (
            events(rejects=[Reject(LINGOKIDS_USERS, DAY_1, "f")]),
            "returned for raw_lingokids/users of 2024-03-01; expected only raw_lingokids/events from 2024-03-01",
        ),
        (events(read={(LINGOKIDS_EVENTS, DAY_3): 4}), "returned for raw_lingokids/events of 2024-03-03"),
    ],
    ids=["reject outside", "reject without day", "other dataset", "count outside"],
)
def test_what_belongs_to_no_day_of_the_load_fails_it(lake: Lake, found: Found, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        publish(lake, found, window(DAY_1, DAY_2), 1)
    assert files_below(Path(lake.uri)) == []


def test_a_dataset_that_nobody_knows_fails_the_load(lake: Lake) -> None:
    unknown = Dataset("raw_x/unknown", "", {"event_id": "VARCHAR"}, ("event_id",), append_only=False)
    with pytest.raises(KeyError, match="raw_x/unknown"):
        publish(lake, Found({unknown: []}), window(DAY_1), 1)


@pytest.mark.parametrize("bytes_left", [100, 3_000], ids=["for any file", "for a day of long texts"])
def test_a_full_disk_leaves_the_lake_as_it_was(lake: Lake, bytes_left: int) -> None:
    publish(lake, events(event("a", DAY_1)), window(DAY_1, DAY_2), 1)
    before = {path: (Path(lake.uri) / path).read_bytes() for path in files_below(Path(lake.uri))}
    long_texts = (event(f"{number}", DAY_1, event_name=f"{number**999}") for number in range(1, 20))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, hard))
    try:
        with pytest.raises(LakeFullError, match=r"(?s)no room left for the load of .*File too large.* make room there"):
            publish(lake, events(*long_texts), window(DAY_1, DAY_2), 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path: (Path(lake.uri) / path).read_bytes() for path in files_below(Path(lake.uri))} == before


def test_another_error_of_the_system_is_raised_as_it_is(lake: Lake) -> None:
    with pytest.raises(PermissionError, match="not yours"), exclusive(lake, "events"):
        raise PermissionError(errno.EACCES, "not yours")
    with pytest.raises(duckdb.IOException, match="torn"), exclusive(lake, "events"):
        raise duckdb.IOException("IO Error: the cable is torn")


def test_two_loads_of_other_names_run_at_once(lake: Lake) -> None:
    with open_load(lake, "events", run_id="run", started_at=load_time(1)) as first:
        write(first, events(event("a", DAY_1)), window(DAY_1))
        publish(lake, Found({LINGOKIDS_ACTIVITIES: [{"activity_id": "x"}]}), None, 2, name="activities")
        first.publish({})
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "a")]
    assert published(lake, LINGOKIDS_ACTIVITIES, "activity_id") == [(WHOLE_DATASET_DAY, "x")]


def test_a_load_that_is_not_published_changes_nothing(lake: Lake) -> None:
    with open_load(lake, "source", run_id="run") as load:
        write(load, events(event("a", DAY_1)), window(DAY_1))
    assert files_below(Path(lake.uri)) == []


def test_datasets_of_one_load_are_published_together(lake: Lake) -> None:
    laps = [{"activity_id": "a", "lap_index": index, "day": DAY_1} for index in (0, 1)]
    publish(lake, Found({RUNNA_ACTIVITIES: [_activity("a", DAY_1, "1")], RUNNA_ACTIVITY_LAPS: laps}), window(DAY_1), 1)
    assert published(lake, RUNNA_ACTIVITIES, "activity_id") == [(DAY_1, "a")]
    assert published(lake, RUNNA_ACTIVITY_LAPS, "lap_index") == [(DAY_1, 0), (DAY_1, 1)]


def test_a_remote_lake_takes_the_same_loads() -> None:
    lake = Lake("memory://test_a_remote_lake")
    publish(lake, events(event("a", DAY_1), rejects=[event_reject(DAY_1, "1", 1)]), window(DAY_1, DAY_2), 1)
    publish(lake, events(event("b", DAY_1)), window(DAY_1, DAY_2), 2)
    with open_load(lake, "source", run_id="run", started_at=load_time(3)) as load:
        write(load, events(), window(DAY_1, DAY_2))
        assert [(counts.day, counts.staged_rows) for counts in load.counts()] == [(DAY_1, 2), (DAY_2, 0)]
    assert lake.days(LINGOKIDS_EVENTS) == [DAY_1, DAY_2]

"""Held days are written down, taken over by a later load, and released on purpose."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS, LINGOKIDS_USERS
from engagement_assets.extract.runna.source import RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS
from engagement_assets.lake.held_days import NeverLoadedError, release
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.lake.load import open_load
from engagement_assets.lake.load_records import PublishedDay, Release, read_history
from tests.lake_loads import (
    DAY_1,
    DAY_2,
    DAY_3,
    Found,
    Reject,
    event,
    events,
    files_below,
    load_time,
    parquet_rows,
    publish,
    published,
    quarantined,
    records,
    window,
)

DATASETS = (RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS)


def _batch(version: str, *days: date, rejects: bool = True) -> Found:
    return Found(
        {
            RUNNA_ACTIVITIES: [{"activity_id": version, "day": day} for day in days],
            RUNNA_ACTIVITY_LAPS: [{"activity_id": version, "lap_index": 0, "day": day} for day in days],
        },
        rejects=[Reject(RUNNA_ACTIVITIES, day, f"{version}.txt") for day in days if rejects],
    )


def _release(lake: Lake, *days: date, number: int = 9, datasets: Any = DATASETS, reason: str = "checked") -> list[date]:
    with open_load(lake, "source", run_id=f"run-{number}", started_at=load_time(number)) as load:
        return release(load, datasets, days, reason)


def _held(lake: Lake, *columns: str) -> list[tuple[Any, ...]]:
    return parquet_rows(Path(lake.uri), "records/held/*/*.parquet", "day", *columns)


def test_what_is_held_is_written_down_with_the_reason(lake: Lake) -> None:
    held = {DAY_1: ["activities.reconciles", "activities.has_not_shrunk"]}
    publish(lake, _batch("bad", DAY_1, DAY_2), window(DAY_1, DAY_2), 1, held=held)
    assert lake.held_days("source") == [DAY_1]
    assert _held(lake, "dataset", "load_id", "run_id", "failed_checks", "reason", "records_read", "quarantined") == [
        (
            *(DAY_1, dataset, "source-20240601T120001000000", "run-1"),
            "activities.has_not_shrunk, activities.reconciles",
            "activities.has_not_shrunk failed; activities.reconciles failed",
            *counts,
        )
        for dataset, counts in (("activities", (2, 1)), ("activity_laps", (1, 0)))
    ]


def test_a_day_that_is_held_again_is_held_since_the_first_time(lake: Lake) -> None:
    for number in (1, 2, 3):
        publish(lake, _batch("bad", DAY_1), window(DAY_1), number, held={DAY_1: ["x"]})
    times = _held(lake, "run_id", "held_at", "held_since")
    assert times == [(DAY_1, "run-3", datetime(2024, 6, 1, 12, 0, 3), datetime(2024, 6, 1, 12, 0, 1))] * 2


def test_a_load_that_passes_takes_the_day_off_the_list(lake: Lake) -> None:
    publish(lake, _batch("bad", DAY_1, DAY_2), window(DAY_1, DAY_2), 1, held={DAY_1: ["x"], DAY_2: ["x"]})
    publish(lake, _batch("good", DAY_1), window(DAY_1), 2)
    assert lake.held_days("source") == [DAY_2]
    publish(lake, _batch("bad", DAY_1), window(DAY_1), 3, held={DAY_1: ["x"]})
    assert {row[1] for row in _held(lake, "held_since") if row[0] == DAY_1} == {datetime(2024, 6, 1, 12, 0, 3)}


def test_a_release_puts_all_datasets_of_the_day_and_its_quarantine_into_the_lake(lake: Lake) -> None:
    publish(lake, _batch("old", DAY_1, DAY_2), window(DAY_1, DAY_2), 1)
    publish(lake, _batch("new", DAY_1, DAY_2), window(DAY_1, DAY_2), 2, held={DAY_1: ["x"], DAY_2: ["x"]})
    assert _release(lake, DAY_1) == [DAY_1]
    for dataset in DATASETS:
        assert published(lake, dataset, "activity_id") == [(DAY_1, "new"), (DAY_2, "old")]
    assert quarantined(lake, "source_path") == [(DAY_1, "new.txt"), (DAY_2, "old.txt")]
    assert lake.held_days("source") == [DAY_2]
    assert [path for path in files_below(Path(lake.uri)) if path.startswith("held/") and str(DAY_1) in path] == []


def test_a_released_day_without_rejects_has_none(lake: Lake) -> None:
    publish(lake, _batch("old", DAY_1), window(DAY_1), 1)
    publish(lake, _batch("new", DAY_1, rejects=False), window(DAY_1), 2, held={DAY_1: ["x"]})
    _release(lake, DAY_1)
    assert quarantined(lake, "source_path") == []


def test_a_release_is_recorded_with_its_reason_and_what_it_let_through(lake: Lake) -> None:
    publish(lake, _batch("new", DAY_1), window(DAY_1), 2, held={DAY_1: ["activities.rejected_share"]})
    _release(lake, DAY_1, reason="the partner's test device")
    columns = ("dataset", "status", "failed_checks", "release_reason", "run_id", "records_read", "rows_in_day")
    assert [row for row in records(lake, *columns, "partition_date") if row[1] == "published"] == [
        (dataset, "published", "activities.rejected_share", "the partner's test device", "run-9", read, 1, DAY_1)
        for dataset, read in (("activities", 2), ("activity_laps", 1))
    ]


def test_a_second_release_changes_nothing(lake: Lake) -> None:
    publish(lake, _batch("new", DAY_1), window(DAY_1), 1, held={DAY_1: ["x"]})
    _release(lake, DAY_1)
    before = {path: (Path(lake.uri) / path).read_bytes() for path in files_below(Path(lake.uri))}
    assert _release(lake, DAY_1, number=10) == []
    assert {path: (Path(lake.uri) / path).read_bytes() for path in files_below(Path(lake.uri))} == before


def test_a_release_does_not_go_back_behind_a_newer_load(lake: Lake) -> None:
    publish(lake, _batch("held", DAY_1, DAY_2), window(DAY_1, DAY_2), 1, held={DAY_1: ["x"], DAY_2: ["x"]})
    publish(lake, _batch("newer", DAY_1), window(DAY_1), 2)
    assert _release(lake, DAY_1, DAY_2) == [DAY_2]
    assert published(lake, RUNNA_ACTIVITIES, "activity_id") == [(DAY_1, "newer"), (DAY_2, "held")]


def test_a_day_that_is_neither_held_nor_loaded_cannot_be_released_nor_can_others_with_it(lake: Lake) -> None:
    publish(lake, _batch("new", DAY_1), window(DAY_1), 1, held={DAY_1: ["x"]})
    with pytest.raises(
        NeverLoadedError, match=r"2024-03-03 of raw_runna/activities, .* Held of source now: 2024-03-01"
    ):
        _release(lake, DAY_1, DAY_3)
    assert lake.held_days("source") == [DAY_1]


def test_a_dataset_without_days_can_be_held_and_released(lake: Lake) -> None:
    users = Found({LINGOKIDS_USERS: [{"user_id": "u"}]})
    publish(lake, users, None, 1, held={WHOLE_DATASET_DAY: ["users.volume_as_expected"]})
    assert published(lake, LINGOKIDS_USERS, "user_id") == []
    assert _release(lake, WHOLE_DATASET_DAY, datasets=[LINGOKIDS_USERS]) == [WHOLE_DATASET_DAY]
    assert published(lake, LINGOKIDS_USERS, "user_id") == [(WHOLE_DATASET_DAY, "u")]
    assert records(lake, "status", "partition_date") == [("held", None), ("published", None)]


def test_an_event_log_takes_over_what_only_the_held_day_has_from_files_that_have_gone(lake: Lake) -> None:
    publish(lake, events(event("a", DAY_1, "1.jsonl"), files_read=("1.jsonl",)), window(DAY_1), 1)
    held_load = events(
        event("b", DAY_1, "2.jsonl"),
        event("c", DAY_1, "3.jsonl"),
        rejects=[Reject(LINGOKIDS_EVENTS, DAY_1, name, 5) for name in ("2.jsonl", "3.jsonl")],
        files_read=("2.jsonl", "3.jsonl"),
    )
    publish(lake, held_load, window(DAY_1), 2, held={DAY_1: ["events.rejected_share"]})
    fixed = events(event("d", DAY_1, "3.jsonl"), files_read=("3.jsonl",))
    publish(lake, fixed, window(DAY_1), 3, take_over_held=True)
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, name) for name in ("a", "b", "d")]
    assert quarantined(lake, "source_path") == [(DAY_1, "2.jsonl")]
    assert lake.held_days("source") == []


def test_an_event_log_takes_nothing_over_from_a_file_that_is_known_to_hold_no_more_of_the_day(lake: Lake) -> None:
    """The file was corrected, and a load of its new day has read it: this one need not open it."""
    held_load = events(event("a", DAY_1, "1.jsonl"), files_read=("1.jsonl",))
    publish(lake, held_load, window(DAY_1), 1, held={DAY_1: ["events.rejected_share"]})
    other_file = events(event("b", DAY_1, "2.jsonl"), files_read=("2.jsonl",), files_there=("1.jsonl", "2.jsonl"))
    publish(lake, other_file, window(DAY_1), 2, take_over_held=True)
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "b")]


def test_a_service_does_not_take_over_what_was_held(lake: Lake) -> None:
    publish(lake, events(event("a", DAY_1, "1")), window(DAY_1), 1, held={DAY_1: ["x"]})
    publish(lake, events(event("b", DAY_1, "2")), window(DAY_1), 2)
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "b")]


def _history(lake: Lake, since: date) -> Any:
    with open_load(lake, "reader", run_id="run") as load:
        return read_history(load.connection, lake, "source", since)


def test_the_history_has_the_newest_load_that_published_each_day_and_the_fields_it_met(lake: Lake) -> None:
    fields = [(RUNNA_ACTIVITIES, DAY_1, name, 1) for name in ("mood", "battery")]
    first = Found({RUNNA_ACTIVITIES: [{"activity_id": "a", "day": DAY_1}] * 3}, unknown_fields=fields)
    publish(lake, first, window(DAY_1, DAY_2), 1)
    publish(lake, _batch("b", DAY_1), window(DAY_1), 2)
    held = Found({RUNNA_ACTIVITIES: []}, unknown_fields=[(RUNNA_ACTIVITIES, DAY_1, "held", 1)])
    publish(lake, held, window(DAY_1), 3, held={DAY_1: ["x"]})
    publish(lake, _batch("other"), window(DAY_1), 4, name="another")
    history = _history(lake, DAY_1)
    assert history.days[RUNNA_ACTIVITIES.key] == {
        DAY_1: PublishedDay(datetime(2024, 6, 1, 12, 0, 2), 2, 1, 1, 0, 1),
        DAY_2: PublishedDay(datetime(2024, 6, 1, 12, 0, 1), 0, 0, 0, 0, 0),
    }
    assert history.unknown_fields == {RUNNA_ACTIVITIES.key: frozenset({"mood", "battery"})}
    assert history.newest(RUNNA_ACTIVITIES, DAY_3) is None


def test_the_history_tells_a_release_until_a_load_with_other_counts_has_published_the_day(lake: Lake) -> None:
    def release_of_day() -> Release | None:
        found: Release | None = _history(lake, DAY_1).newest(RUNNA_ACTIVITIES, DAY_1).release
        return found

    publish(lake, _batch("a", DAY_1), window(DAY_1), 1, held={DAY_1: ["activities.volume", "activities.reconciles"]})
    assert _history(lake, DAY_1).newest(RUNNA_ACTIVITIES, DAY_1) is None
    _release(lake, DAY_1, number=2, reason="checked")
    released = Release("checked", frozenset({"activities.volume", "activities.reconciles"}))
    assert release_of_day() == released
    for number in (3, 4):
        publish(lake, _batch("b", DAY_1), window(DAY_1), number)
        assert release_of_day() == released
    publish(lake, Found({RUNNA_ACTIVITIES: []}), window(DAY_1), 5)
    publish(lake, _batch("b", DAY_1), window(DAY_1), 6, held={DAY_1: ["activities.reconciles"]})
    assert release_of_day() is None


def test_the_history_tells_the_release_of_a_dataset_without_days_on_later_days_too(lake: Lake) -> None:
    users = Found({LINGOKIDS_USERS: [{"user_id": "u"}]})
    publish(lake, users, None, 1, held={WHOLE_DATASET_DAY: ["users.rejected_share"]})
    _release(lake, WHOLE_DATASET_DAY, number=2, reason="checked", datasets=[LINGOKIDS_USERS])
    a_day_of_loads = 24 * 60 * 60
    for number in (3, 3 + a_day_of_loads, 3 + 2 * a_day_of_loads):
        publish(lake, users, None, number)
        newest = _history(lake, DAY_1).newest(LINGOKIDS_USERS, WHOLE_DATASET_DAY)
        assert newest.loaded_at == load_time(number).replace(tzinfo=None)
        assert newest.release == Release("checked", frozenset({"users.rejected_share"}))


def test_records_of_loads_before_the_days_that_are_asked_for_are_not_opened(lake: Lake) -> None:
    publish(lake, _batch("a", DAY_1), window(DAY_1), 1)
    assert _history(lake, date(2024, 6, 1)).days != {}
    assert _history(lake, date(2024, 6, 2)).days == {}

"""A day that is loaded again as it was keeps its file, and any difference replaces it."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.lingokids import LINGOKIDS_ACTIVITIES, LINGOKIDS_EVENTS
from engagement_assets.extract.runna.source import RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS
from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.lake.load import open_load
from tests.lake_loads import DAY_1, DAY_2, Found, Row, event, events, load_time, records, window


def _publish(
    lake: Lake, found: Found, days: DayWindow | None, number: int, held: Mapping[date, Mapping[str, str]] | None = None
) -> set[date]:
    """Load what is found as it is, without the rows that an event log would keep; returns the days that stayed."""
    with open_load(lake, "source", run_id="run", started_at=load_time(number)) as load:
        load.stage(found.extraction(load.started_at), days, forget=True)
        return load.publish(held or {})


def _loads_of_rows(lake: Lake, dataset: Dataset, day: date) -> list[int]:
    """The numbers of the loads that a day's rows come from."""
    path = lake.location(lake.day_key(dataset, day))
    times = duckdb.read_parquet(str(path)).project("extracted_at").order("extracted_at").fetchall()
    return [(moment - load_time(0).replace(tzinfo=None)) // timedelta(seconds=1) for (moment,) in times]


def test_the_same_rows_in_another_order_keep_the_file_and_their_time(lake: Lake) -> None:
    a, b = event("a", DAY_1), event("b", DAY_1)
    assert _publish(lake, events(a, b), window(DAY_1), 1) == set()
    before = lake.version_of(lake.day_key(LINGOKIDS_EVENTS, DAY_1))
    assert _publish(lake, events(b, a), window(DAY_1), 2) == {DAY_1}
    assert lake.version_of(lake.day_key(LINGOKIDS_EVENTS, DAY_1)) == before
    assert _loads_of_rows(lake, LINGOKIDS_EVENTS, DAY_1) == [1, 1]


def test_a_load_of_an_unchanged_day_is_recorded_with_its_counts(lake: Lake) -> None:
    for number in (1, 2):
        _publish(lake, events(event("a", DAY_1)), window(DAY_1), number)
    assert records(lake, "records_read", "accepted", "status") == [(1, 1, "published")] * 2


@pytest.mark.parametrize(
    "changed",
    [
        [event("a", DAY_1), event("c", DAY_1)],
        [event("a", DAY_1)],
        [event("a", DAY_1), event("b", DAY_1), event("b", DAY_1)],
        [event("a", DAY_1), event("b", DAY_1, "other.jsonl")],
        [],
    ],
    ids=["another record", "one gone", "one twice", "another file", "none"],
)
def test_any_difference_replaces_the_file(lake: Lake, changed: list[Row]) -> None:
    _publish(lake, events(event("a", DAY_1), event("b", DAY_1)), window(DAY_1), 1)
    assert _publish(lake, events(*changed), window(DAY_1), 2) == set()
    assert _loads_of_rows(lake, LINGOKIDS_EVENTS, DAY_1) == [2] * len(changed)


def test_an_empty_day_stays_and_only_changed_days_of_a_window_are_replaced(lake: Lake) -> None:
    _publish(lake, events(event("a", DAY_1)), window(DAY_1, DAY_2), 1)
    assert _publish(lake, events(event("a", DAY_1)), window(DAY_1, DAY_2), 2) == {DAY_1, DAY_2}
    assert _publish(lake, events(event("b", DAY_2), event("a", DAY_1)), window(DAY_1, DAY_2), 3) == {DAY_1}


def test_a_day_stays_only_if_all_datasets_of_the_load_are_the_same(lake: Lake) -> None:
    activity = {"activity_id": "a", "day": DAY_1}

    def found(distance: float) -> Found:
        laps = [{"activity_id": "a", "lap_index": 1, "distance_m": distance, "day": DAY_1}]
        return Found({RUNNA_ACTIVITIES: [activity], RUNNA_ACTIVITY_LAPS: laps})

    _publish(lake, found(1000.0), window(DAY_1), 1)
    assert _publish(lake, found(1000.5), window(DAY_1), 2) == set()
    assert _loads_of_rows(lake, RUNNA_ACTIVITIES, DAY_1) == [2]
    assert _publish(lake, found(1000.5), window(DAY_1), 3) == {DAY_1}


def test_a_dataset_without_days_stays_too(lake: Lake) -> None:
    found = Found({LINGOKIDS_ACTIVITIES: [{"activity_id": "a", "activity_name": "Sums", "source_path": "a.jsonl"}]})
    assert _publish(lake, found, None, 1) == set()
    assert _publish(lake, found, None, 2) == {WHOLE_DATASET_DAY}


def test_a_held_day_is_not_compared_and_a_released_one_is_published(lake: Lake) -> None:
    found = events(event("a", DAY_1))
    _publish(lake, found, window(DAY_1), 1)
    assert _publish(lake, found, window(DAY_1), 2, {DAY_1: {"a check": "failed"}}) == set()
    assert lake.held_days("source") == [DAY_1]
    assert _publish(lake, found, window(DAY_1), 3) == {DAY_1}
    assert lake.held_days("source") == []
    assert not lake.exists(lake.held_key(lake.day_key(LINGOKIDS_EVENTS, DAY_1)))


def test_where_the_newest_load_wins_only_days_without_records_stay(lake: Lake) -> None:
    """Of two days with an activity the one that was loaded last counts, and a day that stays is as old as it was."""
    found = Found({STRAVA_ACTIVITIES: [{"activity_id": 1, "day": DAY_1}]})
    _publish(lake, found, window(DAY_1, DAY_2), 1)
    assert _publish(lake, found, window(DAY_1, DAY_2), 2) == {DAY_2}
    assert _loads_of_rows(lake, STRAVA_ACTIVITIES, DAY_1) == [2]


def test_values_that_two_rows_have_exchanged_are_a_change(lake: Lake) -> None:
    def found(*names: str) -> Found:
        return events(*(event(each, DAY_1, f"{name}.jsonl") for each, name in zip("ab", names, strict=True)))

    _publish(lake, found("first", "second"), window(DAY_1), 1)
    assert _publish(lake, found("second", "first"), window(DAY_1), 2) == set()


def test_a_file_that_cannot_be_read_is_replaced(lake: Lake) -> None:
    activities = Found({RUNNA_ACTIVITIES: [{"activity_id": "a", "day": DAY_1}]})
    _publish(lake, activities, window(DAY_1), 1)
    path = Path(lake.location(lake.day_key(RUNNA_ACTIVITIES, DAY_1)))
    path.write_bytes(path.read_bytes()[:-20])
    assert _publish(lake, activities, window(DAY_1), 2) == set()
    assert _loads_of_rows(lake, RUNNA_ACTIVITIES, DAY_1) == [2]

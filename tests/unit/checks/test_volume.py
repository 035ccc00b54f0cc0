"""A day's volume against the same weekday of the weeks before."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import pytest

from engagement_assets.checks.outcome import CheckOutcome
from engagement_assets.checks.volume import rows_in_day, rows_of_load, volume_as_expected
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS, LINGOKIDS_USERS
from engagement_assets.extract.strava.source import STRAVA_ACTIVITY_KUDOS
from engagement_assets.lake.lake import WHOLE_DATASET_DAY
from engagement_assets.lake.load_records import DayCounts, LoadHistory, PublishedDay

DAY = date(2024, 3, 7)
TODAY = date(2024, 3, 9)


def _history(dataset: Dataset, rows: Sequence[int], day: date = DAY) -> LoadHistory:
    """The volumes of the same weekday, the newest first, and a hundred times as much on the day before each."""
    days = {}
    for weeks, volume in enumerate(rows, start=1):
        loaded_at = datetime(2024, 3, 1)
        known = day - timedelta(weeks=weeks)
        days[known] = PublishedDay(loaded_at, volume, volume, 0, 0, volume)
        days[known - timedelta(days=1)] = PublishedDay(loaded_at, volume, 0, 0, 0, 100 * volume)
    return LoadHistory({dataset.key: days}, {})


def _found(dataset: Dataset, day: date, rows: int, accepted: int = 0) -> DayCounts:
    return DayCounts(dataset.key, day, 1, 100, rows, accepted, 0, 0, rows)


def _judged(rows: int, earlier: Sequence[int]) -> CheckOutcome:
    counts = [_found(LINGOKIDS_EVENTS, DAY, rows)]
    return volume_as_expected(LINGOKIDS_EVENTS, counts, _history(LINGOKIDS_EVENTS, earlier), TODAY, rows_in_day)


def test_a_usual_day_passes() -> None:
    outcome = _judged(1_010, [1_000, 980, 1_050, 990, 1_010, 1_020, 970, 1_000])
    assert (outcome.findings, outcome.figures, outcome.note) == ({}, {"days_judged": 1}, None)


@pytest.mark.parametrize("rows", [699, 1_301])
def test_a_day_far_from_a_flat_series_fails_and_one_near_it_does_not(rows: int) -> None:
    assert set(_judged(rows, [1_000] * 8).findings) == {DAY}
    assert _judged(700 if rows < 1_000 else 1_300, [1_000] * 8).findings == {}


def test_a_failing_day_tells_what_was_expected() -> None:
    found = _judged(100, [1_000] * 8).findings[DAY]
    assert found.sentence == "100 rows, expected 700 to 1,300: the median of 8 Thursdays before is 1,000"
    assert (found.observed, found.expected) == (100, "700 to 1,300")


def test_the_median_and_its_deviation_are_not_moved_by_one_odd_week() -> None:
    assert set(_judged(5_000, [1_000, 1_010, 990, 1_000, 1_000, 1_005, 995, 90_000]).findings) == {DAY}


def test_weeks_that_scatter_widen_what_is_expected() -> None:
    assert _judged(2_300, [400, 1_600, 700, 1_300, 500, 1_500, 600, 1_400]).findings == {}
    assert set(_judged(3_500, [400, 1_600, 700, 1_300, 500, 1_500, 600, 1_400]).findings) == {DAY}


def test_small_counts_may_scatter_as_counts_do() -> None:
    assert _judged(0, [4] * 8).findings == {}
    assert _judged(3, [0] * 8).findings == {}
    assert set(_judged(4, [0] * 8).findings) == {DAY}


@pytest.mark.parametrize("weeks", [0, 5])
def test_without_six_weeks_there_is_not_enough_history(weeks: int) -> None:
    outcome = _judged(0, [1_000] * weeks)
    assert (outcome.findings, outcome.figures) == ({}, {"days_judged": 0})
    assert outcome.note == "not enough history for 1 of 1 days: 6 weeks are needed"
    assert set(_judged(0, [1_000] * 6).findings) == {DAY}


def test_more_than_eight_weeks_ago_is_no_history() -> None:
    assert _judged(0, [5] * 8 + [1_000] * 20).findings == {}


def test_days_of_the_same_load_are_history() -> None:
    days = [DAY - timedelta(weeks=weeks) for weeks in range(7)]
    counts = [_found(LINGOKIDS_EVENTS, day, 10 if day == DAY else 1_000) for day in days]
    outcome = volume_as_expected(LINGOKIDS_EVENTS, counts, LoadHistory({}, {}), TODAY, rows_in_day)
    assert set(outcome.findings) == {DAY}
    assert outcome.note == "not enough history for 6 of 7 days: 6 weeks are needed"


def test_a_day_that_is_not_over_is_not_judged() -> None:
    counts = [_found(LINGOKIDS_EVENTS, DAY, 0)]
    outcome = volume_as_expected(LINGOKIDS_EVENTS, counts, _history(LINGOKIDS_EVENTS, [1_000] * 8), DAY, rows_in_day)
    assert outcome.findings == {}


def test_what_grows_with_each_observation_is_compared_by_what_a_load_accepted() -> None:
    counts = [_found(STRAVA_ACTIVITY_KUDOS, DAY, rows=50, accepted=2)]
    history = _history(STRAVA_ACTIVITY_KUDOS, [2] * 8)
    assert volume_as_expected(STRAVA_ACTIVITY_KUDOS, counts, history, TODAY, rows_of_load).findings == {}
    assert set(volume_as_expected(STRAVA_ACTIVITY_KUDOS, counts, history, TODAY, rows_in_day).findings) == {DAY}


@pytest.mark.parametrize(("rows", "failing"), [(1_000, set()), (200, {WHOLE_DATASET_DAY})])
def test_a_dataset_without_days_is_compared_with_its_loads_on_the_same_weekday(rows: int, failing: set[date]) -> None:
    counts = [_found(LINGOKIDS_USERS, WHOLE_DATASET_DAY, rows)]
    history = _history(LINGOKIDS_USERS, [1_000] * 8, TODAY)
    assert set(volume_as_expected(LINGOKIDS_USERS, counts, history, TODAY, rows_in_day).findings) == failing

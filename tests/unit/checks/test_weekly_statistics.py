"""A week's statistic against the weeks before it, on handmade loads of activities."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engagement_assets.assets.raw_strava import WEEKLY_STATISTICS
from engagement_assets.checks.outcome import CheckOutcome
from engagement_assets.checks.weekly_statistics import Interval, WeeklyStatistic, weekly_statistic_as_expected
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.contracts.load_checks import Severity
from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import open_load
from engagement_assets.lake.retention import prune_raw_days
from tests.lake_loads import Found, Row, window, write

COUNT, KUDOS = WEEKLY_STATISTICS
FIRST_MONDAY = date(2024, 1, 1)
NOW = datetime(2024, 6, 1, tzinfo=UTC)
# Mean 5; their sample deviation.
EIGHT_WEEKS = [3, 7, 3, 7, 3, 7, 5, 5]
DEVIATION = 2 * (24 / 28) ** 0.5


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def _monday(week: int) -> date:
    return FIRST_MONDAY + timedelta(weeks=week)


def _activities(counts: Mapping[int, int], kudos: float = 4, **columns: Any) -> list[Row]:
    """So many activities in each week, spread over its days."""
    return [
        {
            "activity_id": 1_000 * week + number,
            "day": _monday(week) + timedelta(days=number % 7),
            "kudos_count": round(kudos),
            **columns,
        }
        for week, count in counts.items()
        for number in range(count)
    ]


def _weeks(first: int, last: int) -> DayWindow:
    return DayWindow(_monday(first), _monday(last + 1))


def _judge(
    lake: Lake,
    rows: Sequence[Row],
    read: DayWindow,
    own: DayWindow | None = None,
    statistic: WeeklyStatistic = COUNT,
    **load_options: Any,
) -> CheckOutcome:
    """Judge a load, and publish it."""
    now = load_options.get("now", NOW)
    with open_load(lake, "strava", run_id="run", started_at=now) as load:
        write(load, Found({STRAVA_ACTIVITIES: rows}), read)
        outcome = weekly_statistic_as_expected(load, statistic, (own or read).days())
        held = {day: {statistic.check.name: "odd"} for day in load.days if load_options.get("hold")}
        load.publish(held)
    return outcome


def _series(*counts: int) -> dict[int, int]:
    return dict(enumerate(counts))


def test_a_usual_week_after_eight_passes(lake: Lake) -> None:
    outcome = _judge(lake, _activities(_series(*EIGHT_WEEKS, 6)), _weeks(0, 8))
    assert outcome.findings == {}
    assert outcome.figures == {"weeks_judged": 9}


@pytest.mark.parametrize("count", [0, 12])
def test_a_week_far_below_or_above_fails_on_all_its_days(lake: Lake, count: int) -> None:
    outcome = _judge(lake, _activities(_series(*EIGHT_WEEKS, count)), _weeks(0, 8))
    assert set(outcome.findings) == set(_weeks(8, 8).days())
    found = outcome.findings[_monday(8)]
    z = (count - 5) / DEVIATION
    assert found.severity == Severity.WARN
    assert found.observed == count
    assert found.sentence == (
        f"the week of 2024-02-26 has {count} activities, expected 1.95405 to 8.04595 (z {z:.2f}, from 8 weeks before)"
    )


@pytest.mark.parametrize(("z", "is_expected"), [(1.645, True), (-1.645, True), (1.6451, False), (-1.6451, False)])
def test_the_limit_itself_passes(z: float, is_expected: bool) -> None:
    interval = Interval(mean=0.1, deviation=0.3, weeks=8)
    assert interval.contains(0.1 + z * 0.3) is is_expected


def test_the_mean_itself_lies_no_deviation_above_it() -> None:
    assert Interval(mean=5, deviation=0, weeks=8).z(5) == 0


def test_seven_weeks_are_not_enough_history(lake: Lake) -> None:
    outcome = _judge(lake, _activities(_series(*[5] * 7, 40)), _weeks(0, 7))
    assert outcome.findings == {}
    assert outcome.note == "not enough history for the week of 2024-01-01: 8 complete weeks before are needed"


def test_weeks_that_retention_has_removed_are_no_history(lake: Lake) -> None:
    _judge(lake, _activities(_series(*EIGHT_WEEKS, 6)), _weeks(0, 8))
    pruned = prune_raw_days(lake, STRAVA_ACTIVITIES, _monday(1), lambda: lambda _: True, dry_run=False)
    assert pruned.count == 7
    outcome = _judge(lake, _activities({8: 12}), _weeks(8, 8))
    assert outcome.findings == {}
    assert outcome.note == "not enough history for the week of 2024-02-26: 8 complete weeks before are needed"


def test_the_judged_week_is_no_history_of_itself_nor_is_a_later_one(lake: Lake) -> None:
    outcome = _judge(lake, _activities(_series(*EIGHT_WEEKS, 9, 20, 50)), _weeks(0, 10))
    assert {day - timedelta(days=day.weekday()) for day in outcome.findings} == {_monday(8), _monday(9), _monday(10)}


def test_a_flat_series_does_not_alarm_at_the_same_value_and_does_at_another(lake: Lake) -> None:
    third = replace(KUDOS, aggregate="avg(data.kudos_count / 3)")
    flat = _activities(dict.fromkeys(range(9), 3), kudos=1)
    assert _judge(lake, flat, _weeks(0, 8), statistic=third).findings == {}
    other = [*_activities(dict.fromkeys(range(8), 3), kudos=1), *_activities({8: 3}, kudos=2)]
    assert set(_judge(lake, other, _weeks(0, 8), statistic=third).findings) == set(_weeks(8, 8).days())


def test_weekly_kudos_are_the_average_of_what_is_not_deleted(lake: Lake) -> None:
    usual = [row for week in range(8) for row in _activities({week: 4}, kudos=4 + week % 3)]
    gone = _activities({8: 1}, kudos=900, deleted_at=datetime(2024, 5, 1))
    assert (
        _judge(lake, [*usual, *_activities({8: 2}, kudos=5)[1:], *gone], _weeks(0, 8), statistic=KUDOS).findings == {}
    )
    odd = _judge(lake, [*usual, *_activities({8: 2}, kudos=50)], _weeks(0, 8), statistic=KUDOS)
    assert odd.findings[_monday(8)].observed == 50


def test_a_week_without_activities_counts_as_none_and_has_no_kudos(lake: Lake) -> None:
    rows = _activities(dict.fromkeys(range(8), 4), kudos=4)
    assert _judge(lake, rows, _weeks(0, 8), statistic=KUDOS).findings == {}
    assert _judge(lake, rows, _weeks(0, 8)).findings[_monday(8)].observed == 0


def test_a_week_is_judged_once_it_is_over_and_all_its_days_are_there(lake: Lake) -> None:
    _judge(lake, _activities(_series(*EIGHT_WEEKS)), _weeks(0, 7))
    few = _activities({8: 0})
    saturday, sunday = _monday(8) + timedelta(days=5), _monday(8) + timedelta(days=6)
    until_saturday = _judge(lake, few, window(_monday(8), saturday))
    assert (until_saturday.findings, until_saturday.note) == ({}, "no complete week to judge")
    on_sunday = datetime(2024, 3, 3, 20, tzinfo=UTC)
    assert _judge(lake, few, window(sunday), now=on_sunday).findings == {}
    assert set(_judge(lake, few, window(sunday)).findings) == {sunday}


def test_a_week_that_was_odd_before_is_no_news_when_it_is_only_read_again(lake: Lake) -> None:
    rows = _activities(_series(*EIGHT_WEEKS, 20))
    assert len(_judge(lake, rows, _weeks(0, 8)).findings) == 7
    next_monday = window(_monday(9))
    again = DayWindow(_monday(8), _monday(9) + timedelta(days=1))
    assert _judge(lake, _activities({8: 20}), again, own=next_monday).findings == {}
    # A run that names the week asks for it, whatever else it reads.
    named = _judge(lake, _activities({7: 5, 8: 21}), _weeks(7, 8), own=_weeks(8, 8))
    assert set(named.findings) == set(_weeks(8, 8).days())


def test_a_week_that_becomes_odd_when_it_is_read_again_fails(lake: Lake) -> None:
    assert _judge(lake, _activities(_series(*EIGHT_WEEKS, 5)), _weeks(0, 8)).findings == {}
    again = DayWindow(_monday(8), _monday(9) + timedelta(days=1))
    outcome = _judge(lake, _activities({8: 50}), again, own=window(_monday(9)))
    assert set(outcome.findings) == set(_weeks(8, 8).days())


def test_a_week_that_is_held_is_judged_again_whenever_it_is_read(lake: Lake) -> None:
    _judge(lake, _activities(_series(*EIGHT_WEEKS)), _weeks(0, 7))
    assert len(_judge(lake, _activities({8: 50}), _weeks(8, 8), hold=True).findings) == 7
    again = DayWindow(_monday(8), _monday(9) + timedelta(days=1))
    assert len(_judge(lake, _activities({8: 50}), again, own=window(_monday(9))).findings) == 7

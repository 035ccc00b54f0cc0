"""Which UTC days a local hour is about, also in the nights in which clocks are set."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.day_ranges import blocks_of
from engagement_assets.orchestration.schedules import Timetable

ZONES = ["UTC", "Europe/London", "America/New_York", "Asia/Tokyo", "Pacific/Kiritimati", "America/Sao_Paulo"]


@pytest.mark.parametrize(
    ("hour", "zone", "tick", "days"),
    [
        (4, "UTC", datetime(2024, 3, 10, 4, tzinfo=UTC), [date(2024, 3, 9)]),
        (0, "UTC", datetime(2024, 3, 10, 0, tzinfo=UTC), [date(2024, 3, 9)]),
        # Six in the morning in Tokyo is nine in the evening of the day before, UTC.
        (6, "Asia/Tokyo", datetime(2024, 3, 9, 21, tzinfo=UTC), [date(2024, 3, 8)]),
        # In the night to summer time no UTC day ends between two midnights in London, in the one back there are two.
        (0, "Europe/London", datetime(2024, 3, 31, 0, tzinfo=UTC), [date(2024, 3, 30)]),
        (0, "Europe/London", datetime(2024, 3, 31, 23, tzinfo=UTC), []),
        (0, "Europe/London", datetime(2024, 10, 26, 23, tzinfo=UTC), [date(2024, 10, 25)]),
        (0, "Europe/London", datetime(2024, 10, 28, 0, tzinfo=UTC), [date(2024, 10, 26), date(2024, 10, 27)]),
    ],
)
def test_a_tick_is_about_the_utc_days_that_ended_since_the_one_before(
    hour: int, zone: str, tick: datetime, days: list[date]
) -> None:
    assert Timetable(hour, zone).days_of_tick(tick) == days


@settings(deadline=None)
@given(hour=st.integers(0, 23), zone=st.sampled_from(ZONES))
def test_the_ticks_of_a_year_are_about_each_day_once(hour: int, zone: str) -> None:
    timetable = Timetable(hour, zone)
    ticks = [timetable._on(date(2024, 1, 1) + timedelta(days=number)) for number in range(366)]
    days = [day for tick in ticks for day in timetable.days_of_tick(tick)]
    assert days == [days[0] + timedelta(days=number) for number in range(len(days))]
    assert len(days) >= 365


@settings(deadline=None)
@given(
    hour=st.integers(0, 23),
    zone=st.sampled_from(ZONES),
    now=st.datetimes(datetime(2024, 1, 3), datetime(2025, 1, 1), timezones=st.just(UTC)),
)
def test_the_newest_due_day_is_that_of_the_last_tick(hour: int, zone: str, now: datetime) -> None:
    timetable = Timetable(hour, zone)
    ticks = [timetable._on(now.date() + timedelta(days=number)) for number in range(-3, 4)]
    past = [tick for tick in ticks if tick <= now]
    assert timetable.newest_due_day(now) == past[-1].date() - timedelta(days=1)


def test_days_become_windows_without_holes_oldest_first() -> None:
    days = [date(2024, 3, 1), date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 4), date(2024, 2, 28)]
    assert blocks_of(days) == [
        DayWindow(date(2024, 2, 28), date(2024, 3, 2)),
        DayWindow(date(2024, 3, 4), date(2024, 3, 5)),
    ]
    assert blocks_of([]) == []

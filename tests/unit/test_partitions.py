"""The window of a run: a daily run adds trailing days, a range stays as it is."""

from datetime import date

import pytest

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.partitions import with_trailing_days

START = date(2024, 1, 1)


def days(first: date, last: date) -> DayWindow:
    return DayWindow(first, date.fromordinal(last.toordinal() + 1))


@pytest.mark.parametrize(
    ("day", "trailing", "first"),
    [
        (date(2024, 3, 1), 30, date(2024, 1, 31)),
        (date(2024, 3, 1), 3, date(2024, 2, 27)),
        (date(2024, 3, 1), 0, date(2024, 3, 1)),
        (date(2024, 1, 15), 30, START),
        (START, 30, START),
        (date(2023, 12, 31), 30, date(2023, 12, 31)),  # before the first partition: nothing more is read
    ],
)
def test_a_day_brings_the_days_before_it_from_the_first_partition_on(day: date, trailing: int, first: date) -> None:
    assert with_trailing_days(days(day, day), trailing, START) == days(first, day)


def test_a_range_of_days_stays_as_it_is() -> None:
    window = days(date(2024, 3, 1), date(2024, 3, 2))
    assert with_trailing_days(window, 30, START) == window

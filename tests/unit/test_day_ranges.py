"""Many days in few words, and all of them back again."""

from datetime import date, timedelta

import pytest

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.day_ranges import MOST_RANGES, as_interval, days_of_interval, in_ranges, windows_without

DAY = date(2024, 1, 1)


def _days(*offsets: int) -> list[date]:
    return [DAY + timedelta(days=offset) for offset in offsets]


def test_days_that_follow_one_another_are_a_range_and_others_stand_alone() -> None:
    assert in_ranges(_days(42, *range(41))) == ["2024-01-01 to 2024-02-10", "2024-02-12"]
    assert in_ranges([]) == []


def test_of_many_ranges_the_first_are_told_and_how_many_days_are_left() -> None:
    apart = [2 * number for number in range(MOST_RANGES)]
    first = [str(day) for day in _days(*apart)]
    assert in_ranges(_days(*apart)) == first
    assert in_ranges(_days(*apart, 20)) == [*first, "and 1 more day"]
    assert in_ranges(_days(*apart, 20, 21, 22, 30)) == [*first, "and 4 more days"]


def test_a_day_that_is_given_twice_counts_once() -> None:
    assert in_ranges(_days(0, 0, 1)) == ["2024-01-01 to 2024-01-02"]


@pytest.mark.parametrize(("last", "text"), [(DAY, "2024-01-01"), (date(2024, 1, 3), "2024-01-01/2024-01-03")])
def test_an_interval_gives_its_days_back(last: date, text: str) -> None:
    assert as_interval(DAY, last) == text
    assert days_of_interval(text) == _days(*range((last - DAY).days + 1))


@pytest.mark.parametrize("text", ["", "north", "2024-01-03/2024-01-01", "2024-01-01/"])
def test_what_is_no_interval_is_refused_or_a_day_alone(text: str) -> None:
    if text == "2024-01-01/":
        assert days_of_interval(text) == [DAY]
    else:
        with pytest.raises(ValueError, match=r"Invalid isoformat string|first day must not lie after the last"):
            days_of_interval(text)


def _march(*days: int) -> set[date]:
    return {date(2024, 3, day) for day in days}


@pytest.mark.parametrize(
    ("pruned", "built", "expected"),
    [
        ((), (2, 5), [(2, 6)]),
        ((1,), (2, 5), [(2, 6)]),
        ((3,), (2, 5), [(2, 3), (4, 6)]),
        ((3, 5), (2, 4, 6), [(2, 3), (4, 5), (6, 7)]),
        # Days between two pruned ones that the request has not rewritten.
        ((3, 5), (2, 6), [(2, 3), (6, 7)]),
        # A pruned day is left out also where the request has rewritten its quarantine.
        ((2,), (2,), []),
    ],
)
def test_windows_cover_the_days_and_touch_none_that_retention_has_removed(
    pruned: tuple[int, ...], built: tuple[int, ...], expected: list[tuple[int, int]]
) -> None:
    windows = windows_without(_march(*pruned), _march(*built))
    assert windows == [DayWindow(date(2024, 3, first), date(2024, 3, end)) for first, end in expected]

"""Which days are built after an erasure."""

from datetime import date

import pytest

from engagement_assets.commands.erased_tables import windows_without
from engagement_assets.contracts.extraction import DayWindow


def _days(*numbers: int) -> set[date]:
    return {date(2024, 3, number) for number in numbers}


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
    windows = windows_without(_days(*pruned), _days(*built))
    assert windows == [DayWindow(date(2024, 3, first), date(2024, 3, end)) for first, end in expected]

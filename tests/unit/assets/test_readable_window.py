"""What a windowed model reads after retention has removed days."""

from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from engagement_assets.assets.dbt_models import readable_window
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.strava.source import STRAVA, STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS
from engagement_assets.lake.lake import Lake


def _window(first: int, end: int) -> DayWindow:
    return DayWindow(date(2024, 3, first), date(2024, 3, end))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Retention has removed the first three days, of one dataset a day less."""
    lake = Lake(str(tmp_path))
    for dataset, days in ((STRAVA_ACTIVITIES, (1, 2, 3)), (STRAVA_ACTIVITY_KUDOS, (1, 2))):
        for day in days:
            mark = Path(lake.location(lake.pruned_key(dataset, date(2024, 3, day))))
            mark.parent.mkdir(parents=True)
            mark.touch()
    return lake


def test_days_before_the_requested_ones_are_left_out_as_far_as_they_were_removed(lake: Lake) -> None:
    assert readable_window(lake, STRAVA, _window(6, 7), _window(2, 7)) == _window(4, 7)
    assert readable_window(lake, STRAVA, _window(9, 10), _window(5, 10)) == _window(5, 10)


def test_a_requested_day_that_was_removed_is_refused(lake: Lake) -> None:
    with pytest.raises(dg.Failure, match=r"raw_strava/activities of 2024-03-03 \(1 such days\) was removed") as refused:
        readable_window(lake, STRAVA, _window(3, 5), _window(2, 5))
    assert "up to 2024-03-03 out of the range" in str(refused.value.description)

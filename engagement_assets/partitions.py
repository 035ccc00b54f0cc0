"""The partition definition that every raw dataset and every windowed model uses.

Belongs here: how the timeline is cut, and the window of a run. Not here: what runs on it (see `assets/`,
`orchestration/jobs.py`).
"""

from collections.abc import Mapping
from datetime import date, timedelta

import dagster as dg

from engagement_assets.contracts.extraction import DayWindow

# A run that has both is one over all days between them, the last one included.
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"


def daily_partitions(start_date: date) -> dg.DailyPartitionsDefinition:
    """UTC days from `start_date` on; the current day is included, since landing files arrive during the day."""
    return dg.DailyPartitionsDefinition(start_date=start_date.isoformat(), timezone="UTC", end_offset=1)


def range_tags(window: DayWindow) -> dict[str, str]:
    """What makes a run one over all days of the window."""
    return {RANGE_START_TAG: window.start.isoformat(), RANGE_END_TAG: window.days()[-1].isoformat()}


def window_of_tags(tags: Mapping[str, str]) -> DayWindow:
    """The window of a run that `range_tags` made."""
    return DayWindow(
        date.fromisoformat(tags[RANGE_START_TAG]), date.fromisoformat(tags[RANGE_END_TAG]) + timedelta(days=1)
    )


def with_trailing_days(window: DayWindow, days: int, start_date: date) -> DayWindow:
    """The window of one day with `days` before it, from the first partition on; a range stays what it is.

    A daily run reads again what its source may have changed; who names a range means just these days.
    """
    if len(window.days()) > 1:
        return window
    return DayWindow(max(window.start - timedelta(days=days), min(start_date, window.start)), window.end)


def window_of(context: dg.AssetExecutionContext) -> DayWindow:
    """The run's days as a half-open window `[start, end)`; one run covers one range without holes."""
    start, end = context.partition_time_window
    return DayWindow(start.date(), end.date())

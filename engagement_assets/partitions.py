"""The partition definition that every raw dataset and every windowed model uses.

Belongs here: the partitions, and the window of a run. Not here: what runs on them (see `assets/`,
`orchestration/jobs.py`).
"""

from collections.abc import Mapping
from datetime import date, timedelta

import dagster as dg

from engagement_assets.contracts.extraction import DayWindow

# The day of a run over one day, and the backfill that a run is part of.
PARTITION_TAG = "dagster/partition"
BACKFILL_TAG = "dagster/backfill"
# A run with both tags covers all days from the first to the last, inclusive.
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"


def daily_partitions(start_date: date, last_day: date | None = None) -> dg.DailyPartitionsDefinition:
    """UTC days from `start_date` up to `last_day`, or up to today.

    Today is included since landing files arrive during the day.
    """
    first = start_date.isoformat()
    if last_day is None:
        return dg.DailyPartitionsDefinition(start_date=first, timezone="UTC", end_offset=1)
    end = last_day + timedelta(days=1)
    return dg.DailyPartitionsDefinition(start_date=first, end_date=end.isoformat(), timezone="UTC")


def range_tags(window: DayWindow) -> dict[str, str]:
    """The tags of a run over all days of the window."""
    return {RANGE_START_TAG: window.start.isoformat(), RANGE_END_TAG: window.days()[-1].isoformat()}


def window_of_tags(tags: Mapping[str, str]) -> DayWindow:
    """The window of a run with the tags of `range_tags`."""
    return DayWindow(
        date.fromisoformat(tags[RANGE_START_TAG]), date.fromisoformat(tags[RANGE_END_TAG]) + timedelta(days=1)
    )


def with_trailing_days(window: DayWindow, days: int, start_date: date) -> DayWindow:
    """A window of one day, extended by the `days` before it, but not beyond the first partition.

    A daily run reads again what its source may have changed. A longer window stays as it is: whoever names a range
    means exactly these days.
    """
    if len(window.days()) > 1:
        return window
    return DayWindow(max(window.start - timedelta(days=days), min(start_date, window.start)), window.end)


def window_of(context: dg.AssetExecutionContext) -> DayWindow:
    """The run's days as a half-open window `[start, end)`. A run covers one range without holes."""
    start, end = context.partition_time_window
    return DayWindow(start.date(), end.date())

"""The partition definition that every raw dataset and every windowed model uses.

Belongs here: how the timeline is cut, and the window of a run. Not here: what runs on it (see `assets/`, `jobs.py`).
"""

from datetime import date

import dagster as dg

from engagement_assets.extract.extraction import DayWindow


def daily_partitions(start_date: date) -> dg.DailyPartitionsDefinition:
    """UTC days from `start_date` on; the current day is included, since landing files arrive during the day."""
    return dg.DailyPartitionsDefinition(start_date=start_date.isoformat(), timezone="UTC", end_offset=1)


def window_of(context: dg.AssetExecutionContext) -> DayWindow:
    """The run's days as a half-open window `[start, end)`; one run covers one range without holes."""
    start, end = context.partition_time_window
    return DayWindow(start.date(), end.date())

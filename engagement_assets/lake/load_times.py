"""When days were loaded, from the records of the loads.

Belongs here: reading these times. Not here: writing the records (`lake/load.py`) or judging their age.
"""

import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.lake.columns_of_files import make_files_alike
from engagement_assets.lake.day_files import rows_of
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.record_columns import LOAD_COLUMNS


@dataclass(frozen=True)
class DayLoaded:
    """A day that a run put into the lake; `ended_at` (UTC) is when its load was about to be committed."""

    run_id: str
    day: date
    ended_at: datetime


def loaded_at(lake: Lake, load_name: str, dataset: Dataset) -> dict[date, datetime]:
    """Day → when its last load began (UTC), whether it published or held the day.

    Replays, releases and erasures do not count, since they read no landing files. Nor does a load with a time in the
    future: it ran while the clock was ahead, so nothing says what has landed since.
    """
    make_files_alike(lake)
    with tempfile.TemporaryDirectory() as folder, lake.connect("1GB", Path(folder)) as connection:
        rows = connection.execute(
            f"""
            select partition_date, max(loaded_at) from {rows_of(lake.loads_files(load_name), LOAD_COLUMNS)}
            where
                dataset = $dataset
                and partition_date is not null
                and status not in ('replayed', 'erased')
                and release_reason is null
                and loaded_at <= $now
            group by partition_date
            """,
            {"dataset": dataset.name, "now": datetime.now(UTC).replace(tzinfo=None)},
        ).fetchall()
    return {day: moment.replace(tzinfo=UTC) for day, moment in rows}


def snapshot_loaded_at(lake: Lake, dataset: Dataset, since: date) -> datetime | None:
    """When the newest load began (UTC) of which the lake holds the rows of a dataset without days; None if before then.

    Erasures and replays read no landing files. A release publishes what an earlier load has held.
    """
    make_files_alike(lake)
    with tempfile.TemporaryDirectory() as folder, lake.connect("512MB", Path(folder)) as connection:
        ((moment,),) = connection.execute(
            f"""
            with loads as (
                select status, loaded_at, release_reason
                from {rows_of(lake.loads_files(dataset.load_name, since), LOAD_COLUMNS)}
                where dataset = $dataset and status in ('published', 'held')
            ),
            released as (select max(loaded_at) as released_at from loads where release_reason is not null)
            select max(loaded_at) from loads cross join released
            where release_reason is null and (status = 'published' or loaded_at < released_at)
            """,
            {"dataset": dataset.name},
        ).fetchall()
    return None if moment is None else moment.replace(tzinfo=UTC)


def days_loaded_by(lake: Lake, load_name: str, run_ids: Collection[str], since: date) -> list[DayLoaded]:
    """The days that loads of these runs have put into the lake since a day, also by release and replay."""
    make_files_alike(lake)
    with tempfile.TemporaryDirectory() as folder, lake.connect("1GB", Path(folder)) as connection:
        rows = connection.execute(
            f"""
            select distinct run_id, partition_date, loaded_at + to_microseconds(cast(seconds * 1e6 as bigint))
            from {rows_of(lake.loads_files(load_name, since), LOAD_COLUMNS)}
            where status <> 'held' and partition_date is not null and list_contains($run_ids, run_id)
            """,
            {"run_ids": sorted(run_ids)},
        ).fetchall()
    return [DayLoaded(run_id, day, moment.replace(tzinfo=UTC)) for run_id, day, moment in rows]

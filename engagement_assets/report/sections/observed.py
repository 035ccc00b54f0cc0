"""Which periods are complete: those of which every day was loaded after it had ended (UTC).

Belongs here: finding them in the records of loads, and marking a section's rows. Not here: how an incomplete period
looks (`theme.py`).
"""

from typing import Any

import duckdb
import pandas as pd

from engagement_assets.report.cubes import GRAINS
from engagement_assets.report.figures import Column
from engagement_assets.report.transforms import look_up, span

WEEK = Column("week", "Week of")
COMPLETE = Column("is_complete", "Complete", "yes_no")


def marks_of(grain: str) -> tuple[dict[str, Any], ...]:
    """Transforms that add bounds and `is_complete` to rows of a `grain`, from the table `complete_<grain>s`."""
    return (*span(grain, f"'{grain}'"), look_up(f"complete_{grain}s", grain, grain, ["is_complete"], False))


def observed(connection: duckdb.DuckDBPyConnection, grain: str, source: str) -> pd.DataFrame:
    """The periods of a grain with an observed day: the first day (`<grain>`) and `is_complete`."""
    periods = observed_periods(connection, source)
    found = periods[periods["grain"] == grain].reset_index(drop=True)
    return found.rename(columns={"period": grain})[[grain, "is_complete"]]


def observed_periods(connection: duckdb.DuckDBPyConnection, source: str) -> pd.DataFrame:
    """The days, weeks, months and years with an observed day: `grain`, `period`, `key`, `is_complete`.

    A day is observed if it was loaded after it had ended. `period` is the first day, and `key` is `<grain>|<period>`.
    Only a source's main dataset counts: loads of its other datasets say nothing about its days.
    """
    parts = " union all ".join(
        f"""
        select '{grain}' as grain, cast(cast(date_trunc('{grain}', observed_date) as date) as varchar) as period,
            count(*) = date_diff(
                'day',
                cast(date_trunc('{grain}', any_value(observed_date)) as date),
                cast(date_trunc('{grain}', any_value(observed_date)) + interval 1 {grain} as date)
            ) as is_complete
        from observed group by all
        """
        for grain in GRAINS
    )
    return connection.execute(
        f"""
        with observed as (
            select distinct partition_date as observed_date from audit.ingestion_loads
            where source = $source and dataset in ('activities', 'events') and status = 'published'
                and partition_date is not null and loaded_at >= partition_date + interval 1 day
        )
        select *, grain || '|' || period as key from ({parts}) order by key
        """,
        {"source": source},
    ).df()

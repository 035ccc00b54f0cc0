"""Which periods are complete: every day of them was loaded after it had ended (UTC).

Belongs here: periods from the record of loads, and what a section needs to mark its rows by them. Not here: how an
incomplete one looks (`theme.py`).
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
    """Transforms that give rows of a `grain` its bounds and `is_complete`, from the table `complete_<grain>s`."""
    return (*span(grain, f"'{grain}'"), look_up(f"complete_{grain}s", grain, grain, ["is_complete"], False))


def observed(connection: duckdb.DuckDBPyConnection, grain: str, source: str) -> pd.DataFrame:
    """The periods of a grain of which a day was observed whole: first day (`<grain>`) and `is_complete`."""
    periods = observed_periods(connection, source)
    found = periods[periods["grain"] == grain].reset_index(drop=True)
    return found.rename(columns={"period": grain})[[grain, "is_complete"]]


def observed_periods(connection: duckdb.DuckDBPyConnection, source: str) -> pd.DataFrame:
    """The days, weeks, months and years of which a day was observed whole: `grain`, `period`, `key`, `is_complete`.

    `period` is the first day of it, `key` is `<grain>|<period>`. Loads of what belongs to a source's records say
    nothing about its days, so they are not asked.
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

"""Which periods of a section's rows are complete.

Belongs here: marking the rows. Not here: when a period is complete (`metrics/observed_periods.py`), or how an
incomplete one looks (`theme.py`).
"""

from typing import Any

import duckdb
import pandas as pd

from engagement_assets.metrics.observed_periods import observed_periods_sql
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

    `period` is the first day, and `key` is `<grain>|<period>`.
    """
    return connection.execute(
        f"""
        select grain, cast(period as varchar) as period, is_complete, grain || '|' || period as key
        from ({observed_periods_sql(GRAINS)}) where source = $source order by key
        """,
        {"source": source},
    ).df()

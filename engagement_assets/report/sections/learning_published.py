"""The learning explorer in publish mode: by week, one filter at a time, without small cells.

Belongs here: tables whose cells can be hidden together with those that would tell them. Not here: how they are shown
(`learning.py`).

A cube over all dimensions would have hardly a cell of enough users, and sums over what is left would tell the rest.
So there is one table per dimension; versions of an operating system, which their system's total would tell, are left
out.
"""

import duckdb
import pandas as pd

from engagement_assets.report.cubes import DIMENSIONS, MEASURES
from engagement_assets.report.suppression import Suppression

SLICES = [name for name in DIMENSIONS if name != "os_version"]


def weekly_slices(connection: duckdb.DuckDBPyConnection, suppression: Suppression) -> tuple[pd.DataFrame, int]:
    """Per week, dimension and value the parts and the distinct users, and how many cells are left out."""
    sums = """
        count(*) as plays, count(*) filter (where is_completed) as completed_plays,
        cast(coalesce(sum(duration_ms), 0) as bigint) as duration_ms,
        cast(coalesce(sum(played_ms), 0) as bigint) as played_ms, count(distinct user_id) as users,
        least(
            count(distinct user_id), nullif(count(distinct user_id) filter (where is_completed), 0)
        ) as fewest_users
    """
    parts = [
        f"""
        select cast(cast(date_trunc('week', event_date) as date) as varchar) as week, '{name}' as dimension_name,
            {value} as dimension_value, {sums}
        from learning.fct__activity_exits group by all
        """
        for name, value in [("all", "'all'"), *((name, name) for name in SLICES)]
    ]
    cells = connection.execute(f"{' union all '.join(parts)} order by all").df()
    shown = suppression.shown(cells, ["week", "dimension_name"], users="fewest_users").drop(columns="fewest_users")
    return shown, len(cells) - len(shown)


def top_activities(connection: duckdb.DuckDBPyConnection, suppression: Suppression) -> tuple[pd.DataFrame, int]:
    """Activities over all weeks, without those of types that are hidden, and how many are left out."""
    cells = connection.execute(
        """
        select activity_id, max_by(left(activity_name, 120), occurred_at) as activity_name,
            max_by(activity_type, occurred_at) as activity_type, count(*) as plays,
            count(*) filter (where is_completed) as completed_plays,
            cast(coalesce(sum(duration_ms), 0) as bigint) as duration_ms,
            cast(coalesce(sum(played_ms), 0) as bigint) as played_ms,
            least(count(distinct user_id), nullif(count(distinct user_id) filter (where is_completed), 0)) as users
        from learning.fct__activity_exits group by activity_id order by activity_id
        """
    ).df()
    types = connection.execute(
        "select activity_type, count(distinct user_id) as users from learning.fct__activity_exits group by "
        "all order by all"
    ).df()
    kept = cells[cells["activity_type"].isin(suppression.shown(types, [])["activity_type"])]
    shown = suppression.shown(kept.reset_index(drop=True), ["activity_type"])
    return shown[["activity_id", "activity_name", "activity_type", *MEASURES]], len(cells) - len(shown)

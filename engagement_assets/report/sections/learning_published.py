"""The learning explorer in publish mode: by week, one filter at a time, without small cells.

Belongs here: tables without small cells and without cells that would reveal them. Not here: how they are shown
(`learning.py`).

Hardly any cell of a cube over all dimensions would be about enough users, and sums over the others would reveal the
rest. So there is one table per dimension. Versions of an operating system are left out, since the total of the system
would reveal them.
"""

import duckdb
import pandas as pd

from engagement_assets.report.cubes import DIMENSIONS, MEASURES
from engagement_assets.report.suppression import Suppression

SLICES = [name for name in DIMENSIONS if name != "os_version"]


def weekly_slices(connection: duckdb.DuckDBPyConnection, suppression: Suppression) -> tuple[pd.DataFrame, int]:
    """Sums and distinct users by week, dimension and value; and how many cells are left out."""
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
    """Activities over all weeks, without hidden types of activities; and how many are left out."""
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

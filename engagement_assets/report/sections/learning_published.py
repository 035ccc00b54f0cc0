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
# Who is unknown is so in both: the cells are the same, and neither can hide another one.
SAME_CELLS = ("country_code", "subscription_status")
SUMS = """
    count(*) as plays, count(*) filter (where is_completed) as completed_plays,
    cast(coalesce(sum(duration_ms), 0) as bigint) as duration_ms,
    cast(coalesce(sum(played_ms), 0) as bigint) as played_ms, count(distinct user_id) as users,
    count(distinct user_id) filter (where is_completed) as users_completed,
    count(distinct user_id) filter (where not is_completed) as users_not_completed,
    count(distinct user_id) filter (where duration_ms is not null) as users_timed
"""
PARTS = ["users_completed", "users_not_completed", "users_timed"]


def weekly_slices(connection: duckdb.DuckDBPyConnection, suppression: Suppression) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sums and distinct users by week, dimension and value; and the cells that are left out."""
    parts = [
        f"""
        select cast(cast(date_trunc('week', event_date) as date) as varchar) as week, '{name}' as dimension_name,
            {value} as dimension_value, {SUMS}
        from learning.fct__activity_exits group by all
        """
        for name, value in [("all", "'all'"), *((name, name) for name in SLICES)]
    ]
    cells = connection.execute(f"{' union all '.join(parts)} order by all").df()
    covers = ~(cells["dimension_name"].isin(SAME_CELLS) & (cells["dimension_value"] == "unknown"))
    hidden = suppression.hidden(cells, ["week", "dimension_name"], covers=covers)
    cells = cells.drop(columns=PARTS)
    return cells[~hidden].reset_index(drop=True), cells[hidden]


def top_activities(
    connection: duckdb.DuckDBPyConnection, suppression: Suppression, hidden_weeks: pd.DataFrame
) -> tuple[pd.DataFrame, int]:
    """Activities over all weeks, without hidden types of activities; and how many are left out.

    The weeks of a type add up to its activities. So of a type with hidden weeks, by `weekly_slices`, an activity is
    hidden too.
    """
    cells = connection.execute(
        f"""
        select activity_id, max_by(left(activity_name, 120), occurred_at) as activity_name,
            max_by(activity_type, occurred_at) as activity_type, {SUMS}
        from learning.fct__activity_exits group by activity_id order by activity_id
        """
    ).df()
    types = connection.execute(
        f"select activity_type, {SUMS} from learning.fct__activity_exits group by all order by all"
    ).df()
    kept = cells[cells["activity_type"].isin(suppression.shown(types, [])["activity_type"])]
    hidden_types = hidden_weeks.loc[hidden_weeks["dimension_name"] == "activity_type", "dimension_value"].unique()
    of_one_user = pd.DataFrame({"activity_type": hidden_types, **dict.fromkeys(["users", *PARTS], 1)})
    shown = suppression.shown(pd.concat([kept, of_one_user], ignore_index=True), ["activity_type"])
    shown = shown.astype(dict.fromkeys(MEASURES, "int64"))
    return shown[["activity_id", "activity_name", "activity_type", *MEASURES]], len(cells) - len(shown)

"""All sources side by side: who is active, who comes and goes, who stays, and which weeks are complete.

Belongs here: figures from the schema `engagement`. Not here: what a week or a cohort is (the marts' YAML).
"""

from collections.abc import Mapping

import altair as alt
import duckdb
import pandas as pd

from engagement_assets.metrics.catalog import ACTIVE_USERS, ENGAGED_HOURS, RETENTION_RATE
from engagement_assets.report.figures import AnyChart, Column, Figure, Filter, Section, source_names
from engagement_assets.report.sections.observed import COMPLETE
from engagement_assets.report.suppression import Suppression
from engagement_assets.report.theme import (
    MEASURE,
    SOURCE_COLOURS,
    bars,
    chosen_source_colour,
    colour,
    lines,
    outline,
    period_axis,
    rows,
    source_colour,
    tip,
)
from engagement_assets.report.transforms import calculate, dataset, fold, keep, label, span, trend, value_of

GROWTH = {
    "returning_users": "returning",
    "new_users": "new",
    "resurrected_users": "resurrected",
    "churned_users": "churned",
}
WEEK = (Column("source_name", "Source"), Column("week_start_date", "Week of"))
# The newest cohorts, for half a year: showing all weeks of all cohorts would grow with the square of the history.
COHORTS, COHORT_WEEKS = 26, 26


def overview(
    connection: duckdb.DuckDBPyConnection, suppression: Suppression | None, titles: Mapping[str, str]
) -> Section:
    """The section, from `weekly_engagement` and `weekly_retention`, with the sources' titles by name."""
    weekly = connection.execute(
        """
        select source, cast(week_start_date as varchar) as week_start_date, active_users, new_users, returning_users,
            resurrected_users, churned_users, engagement_units, engaged_ms, days_observed,
            is_complete_week as is_complete
        from engagement.weekly_engagement
        order by source, week_start_date
        """
    ).df()
    retention = connection.execute(
        """
        select source, cast(cohort_week_start_date as varchar) as cohort, weeks_since,
            cast(week_start_date as varchar) as week_start_date, cohort_size, active_users,
            is_complete_week as is_complete,
            weeks_since < $weeks
            and dense_rank() over (partition by source order by cohort_week_start_date desc) <= $cohorts as is_shown
        from engagement.weekly_retention
        order by source, cohort, weeks_since
        """,
        {"cohorts": COHORTS, "weeks": COHORT_WEEKS},
    ).df()
    names = source_names(weekly["source"], titles)
    weekly = weekly.sort_values("source", key=lambda column: column.map(list(names).index), kind="stable")
    weekly = weekly.reset_index(drop=True)
    notes: list[str] = [
        "Hollow, dashed marks are incomplete weeks: not all seven days were loaded after they had ended, so their "
        "numbers are too low."
    ]
    if suppression:
        shown, cohorts = _suppressed(weekly, retention, suppression)
        notes.append(suppression.note(len(weekly) - len(shown) + len(retention) - len(cohorts)))
        weekly, retention = shown, cohorts
    # Only now, since suppression depends on all cohorts of a week.
    retention = retention[retention["is_shown"]].drop(columns="is_shown").reset_index(drop=True)
    present = [source for source in names if source in set(weekly["source"])]
    return Section(
        name="overview",
        title="Overview",
        intro=(
            "Users who were active in each ISO week by source, where they came from, and how many stayed. "
            "In large print: the newest complete week of the dates above. Click a mark to filter by it, and again to "
            "undo that."
        ),
        tables={"weekly": weekly, "retention": retention},
        filters=(Filter("source", "Source", tuple((source, names[source]) for source in present)),) if present else (),
        dataflow=_dataflow(names) if present else (),
        figures=_figures(names) if present else (),
        notes=tuple(notes),
    )


def _suppressed(
    weekly: pd.DataFrame, retention: pd.DataFrame, suppression: Suppression
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of both tables that may be shown.

    If any of the four groups of a week is small, the week keeps only its total: with the weeks next to it, the other
    groups would reveal the small one. A cohort's week is also small if few of the cohort stayed away. A cohort's first
    week covers nothing, since the cohort's size reveals it. If nothing else covers the small cells of a week, the
    cohort that begins in it is left out. A source that never had enough users is left out: its empty weeks would say
    in which weeks its few users were active.
    """
    enough = weekly.groupby("source")["active_users"].transform("max") >= suppression.min_users
    weekly = weekly[enough].reset_index(drop=True)
    retention = retention[retention["source"].isin(weekly["source"])].reset_index(drop=True)
    parts = list(GROWTH)
    small = pd.concat([suppression.is_small(weekly[part]) for part in parts], axis=1).any(axis=1)
    weekly = weekly.astype(dict.fromkeys(parts, "Float64"))
    weekly.loc[small, parts] = pd.NA
    weekly = weekly[~suppression.is_small(weekly["active_users"])].reset_index(drop=True)
    away = retention["cohort_size"] - retention["active_users"]
    cells = retention.assign(
        users=retention["active_users"]
        .where(~suppression.is_small(away), 1)
        .where(~suppression.is_small(retention["cohort_size"]), 1)
    )
    later = cells["weeks_since"] > 0
    hidden = suppression.hidden(cells, ["source", "week_start_date"], covers=later)
    weeks = [cells["source"], cells["week_start_date"]]
    small = suppression.is_small(cells["users"]).groupby(weeks).transform("any")
    covered = (hidden & (cells["users"] >= suppression.min_users)).groupby(weeks).transform("any")
    cohorts = cells["source"] + cells["cohort"]
    hidden |= cohorts.isin(cohorts[small & ~covered & ~later])
    return weekly, cells[~hidden].drop(columns="users").reset_index(drop=True)


def _dataflow(names: dict[str, str]) -> tuple[dict[str, object], ...]:
    week = span("week_start_date")
    colours = {title: SOURCE_COLOURS[place % len(SOURCE_COLOURS)] for place, title in enumerate(names.values())}
    return (
        dataset(
            "every_week",
            "weekly",
            label("source", names, "source_name"),
            label("source_name", colours, "colour"),
            *week,
        ),
        # Days without data are loaded too, when nothing arrives. They do not make a week of zeros the newest one.
        dataset(
            "weeks_with_users",
            "every_week",
            calculate("used_at", "datum.is_complete && datum.active_users ? datum.at : null"),
            {
                "type": "joinaggregate",
                "groupby": ["source_name"],
                "ops": ["max"],
                "fields": ["used_at"],
                "as": ["last_used_at"],
            },
            keep("!isValid(datum.last_used_at) || datum.at <= datum.last_used_at"),
        ),
        trend("newest_weeks", "weeks_with_users", "source_name", "active_users"),
        dataset(
            "weeks",
            "every_week",
            keep("datum.source === source"),
            value_of(ENGAGED_HOURS),
        ),
        dataset(
            "growth",
            "weeks",
            fold(list(GROWTH), "part", "users"),
            keep("datum.users !== null"),
            label("part", GROWTH, "part_name"),
            calculate("signed_users", "datum.part === 'churned_users' ? -datum.users : datum.users"),
        ),
        dataset("timed_weeks", "weeks", keep("datum.engaged_hours !== null")),
        dataset(
            "cohorts",
            "retention",
            keep("datum.source === source"),
            label("source", names, "source_name"),
            value_of(RETENTION_RATE),
            calculate("cohort_label", "datum.cohort + ' · ' + format(datum.cohort_size, ',')"),
        ),
    )


def _figures(names: dict[str, str]) -> tuple[Figure, ...]:
    users = alt.Y("active_users:Q", axis=alt.Axis(title="active users", tickCount=5))
    when = [tip("source_name", "source"), tip("week_start_date", "week of")]
    return (
        Figure(
            "newest_weeks",
            "Active users in the newest complete week",
            "With the change from the week before, and the lowest and highest complete week of the dates above.",
            "newest_weeks",
            (
                *WEEK,
                Column("value", "Active users", "integer"),
                Column("previous", "Week before", "integer"),
                Column("change", "Change", "percent"),
                Column("low", "Lowest week", "integer"),
                Column("high", "Highest week", "integer"),
                Column("periods", "Weeks", "integer"),
                COMPLETE,
            ),
            trend="newest_weeks",
        ),
        Figure(
            "weekly_active_users",
            "Weekly active users",
            f"{ACTIVE_USERS.meaning} By week, for every source.",
            "every_week",
            (
                *WEEK,
                Column("active_users", "Active users", "integer"),
                Column("days_observed", "Days observed", "integer"),
                COMPLETE,
            ),
            lines(
                rows(),
                users,
                [*when, tip("active_users", "active users", ",")],
                source_colour("source_name", names),
            ),
            mart="engagement.weekly_engagement",
        ),
        Figure(
            "growth",
            "Growth accounting",
            "Above the line: the week's active users, who are new, return from the week before, or are back after a "
            "pause. Below it: users who were active in the week before but not in this one.",
            "growth",
            (*WEEK, Column("part_name", "Users who are"), Column("users", "Users", "integer"), COMPLETE),
            bars(
                rows(),
                y=alt.Y("signed_users:Q", axis=alt.Axis(title="users", tickCount=6)),
                color=colour("part_name", list(GROWTH.values())),
                order=alt.Order("part:N"),
                tooltip=[*when, tip("part_name", "users who are"), tip("users", "users", ",")],
            ),
            mart="engagement.weekly_engagement",
        ),
        Figure(
            "engagement_units",
            "Engagement units",
            "Activities, events, sessions or plays in the week.",
            "weeks",
            (*WEEK, Column("engagement_units", "Units", "integer"), COMPLETE),
            bars(
                rows(),
                y=alt.Y("engagement_units:Q", axis=alt.Axis(title="units", tickCount=5)),
                color=chosen_source_colour("source_name", names),
                is_stacked=False,
                tooltip=[*when, tip("engagement_units", "units", ",")],
            ),
            mart="engagement.weekly_engagement",
        ),
        Figure(
            "engaged_hours",
            ENGAGED_HOURS.title,
            ENGAGED_HOURS.meaning,
            "timed_weeks",
            (*WEEK, Column("engaged_hours", "Hours", "number"), COMPLETE),
            bars(
                rows(),
                y=alt.Y("engaged_hours:Q", axis=alt.Axis(title="hours", tickCount=5)),
                color=chosen_source_colour("source_name", names),
                is_stacked=False,
                tooltip=[*when, tip("engaged_hours", "hours", ",.1f")],
            ),
            mart="engagement.weekly_engagement",
            empty="The events of this source have no duration.",
        ),
        Figure(
            "completeness",
            "Complete weeks",
            "How many of the seven days of each week have been published, for every source. A dashed frame marks an "
            "incomplete week.",
            "every_week",
            (*WEEK, Column("days_observed", "Days observed", "integer"), COMPLETE),
            _days_observed([*when, tip("days_observed", "days observed", "d")]),
            mart="engagement.weekly_engagement",
        ),
        Figure(
            "retention",
            RETENTION_RATE.title,
            f"{RETENTION_RATE.meaning} The newest {COHORTS} cohorts with their sizes, for half a year. Dashed: the "
            "later week is incomplete.",
            "cohorts",
            (
                WEEK[0],
                Column("cohort", "First active in the week of"),
                Column("cohort_size", "Cohort", "integer"),
                Column("weeks_since", "Weeks later", "integer"),
                Column("active_users", "Active users", "integer"),
                Column("retention_rate", "Share", "percent"),
                COMPLETE,
            ),
            _triangle(),
            mart="engagement.weekly_retention",
            is_wide=True,
        ),
    )


def _triangle() -> AnyChart:
    base = rows().encode(
        x=alt.X(
            "weeks_since:O",
            scale=alt.Scale(paddingInner=0.03, paddingOuter=0),
            axis=alt.Axis(title="weeks later", labelAngle=0, labelOverlap=True, orient="top", grid=False),
        ),
        y=alt.Y("cohort_label:O", axis=alt.Axis(title=None, grid=False)),
    )
    # Bars, since the outline of a rectangle cannot be dashed.
    cells = base.mark_bar(fill=MEASURE, width={"band": 1}, height={"band": 1}).encode(
        fillOpacity=alt.FillOpacity("retention_rate:Q", scale=alt.Scale(domain=[0, 1], range=[0.04, 0.6]), legend=None),
        **outline("var(--muted)"),
        tooltip=[
            tip("cohort", "first active in the week of"),
            tip("weeks_since", "weeks later", "d"),
            tip("active_users", "active users", ","),
            tip("retention_rate", "share", ".1%"),
        ],
    )
    texts = base.mark_text(fontSize=11).encode(
        text=alt.Text("retention_rate:Q", format=".0%"),
        # If there is no room for the share, it is in the tooltip and in the table.
        opacity=alt.OpacityValue(0, condition={"test": "bandwidth('x') > 34", "value": 1}),
    )
    return alt.layer(cells, texts).properties(height=alt.Step(24))


def _days_observed(tooltip: list[alt.Tooltip]) -> AnyChart:
    base = rows().encode(x=period_axis(), y=alt.Y("source_name:N", axis=alt.Axis(title=None, grid=False)))
    cells = base.mark_bar(orient="vertical", fill=MEASURE, height={"band": 0.8}).encode(
        x2=alt.X2("until:T"),
        fillOpacity=alt.FillOpacity("days_observed:Q", scale=alt.Scale(domain=[0, 7], range=[0, 0.75]), legend=None),
        **outline("var(--muted)"),
        tooltip=tooltip,
    )
    return alt.layer(cells).properties(height=alt.Step(30))

"""Product: active users and corporations, what they do, how often, and how long they stay.

Belongs here: figures from the schema `product`. Not here: what an active corporation is (the YAML of the marts).
"""

import altair as alt
import duckdb
import pandas as pd

from engagement_assets.metrics.catalog import EVENTS_PER_ACTIVE_DAY
from engagement_assets.report.figures import Column, Figure, Filter, Section
from engagement_assets.report.sections.observed import COMPLETE, WEEK, marks_of, observed
from engagement_assets.report.sections.product_figures import RETENTION_DATASET, event_types_figure, retention_figure
from engagement_assets.report.suppression import Suppression
from engagement_assets.report.theme import MEASURE, colour, lines, rows, tip
from engagement_assets.report.transforms import calculate, dataset, fold, keep, label, sums

# The chart has a colour for each of these types, and one for all others.
TOP_EVENT_TYPES = 5
OTHER_TYPES = "other types"
TOP_CORPORATIONS = 20
RETENTION_WEEKS = 12
DEMO = {"users": "users of demo corporations", "corporations": "demo corporations"}


def product(connection: duckdb.DuckDBPyConnection, suppression: Suppression | None) -> Section:
    """The section, from the weekly tables."""
    weekly = connection.execute(
        """
        select cast(users.week_start_date as varchar) as week, users.active_users, users.active_demo_users,
            corporations.active_corporations, corporations.active_demo_corporations
        from product.weekly_active_users as users
        left join product.weekly_active_corporations as corporations using (week_start_date)
        order by week
        """
    ).df()
    spread = connection.execute(
        """
        select cast(week_start_date as varchar) as week,
            cast(floor(average_daily_events * 2) as bigint) / 2 as events_from, count(*) as user_weeks,
            cast(sum(event_count) as bigint) as events, count(distinct user_id) as users
        from product.weekly_user_event_summary group by all order by all
        """
    ).df()
    types = event_types(connection)
    complete_weeks = observed(connection, "week", "user_events")
    retention = pd.DataFrame()
    if suppression is None:
        retention = corporate_retention(connection, list(complete_weeks.loc[complete_weeks["is_complete"], "week"]))
    notes = [
        "The numbers include demo corporations; the second line shows how many of them there are.",
        "Hollow marks are incomplete weeks: not all seven days were loaded after they had ended.",
    ]
    if suppression:
        cells = len(spread) + len(types)
        spread, types = suppression.shown(spread, ["week"]), suppression.shown(types, ["week"])
        weekly, hidden_weeks = _suppressed(weekly, suppression)
        notes.append(suppression.note(cells - len(spread) - len(types) + hidden_weeks))
        notes.append("Publish mode has no retention by corporation, since a corporation may have few users.")
    weeks = sorted(spread["week"].unique(), reverse=True)
    return Section(
        name="product",
        title="Product",
        intro="Users and corporations of the B2B product that had an event in the week.",
        tables={
            "weekly": weekly,
            "spread": spread.drop(columns="users"),
            "types": types,
            "complete_weeks": complete_weeks,
            **({} if suppression else {"retention": retention}),
        },
        filters=(Filter("week_chosen", "Week", (("", "all weeks"), *((week, week) for week in weeks))),),
        dataflow=(*_dataflow(), *(() if suppression else (RETENTION_DATASET,))),
        figures=(*_figures(), event_types_figure(), *(() if suppression else (retention_figure(),))),
        notes=tuple(notes),
    )


def event_types(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Events and distinct users by week and type, most frequent first; the types after those with a place are one."""
    return connection.execute(
        """
        with types as (
            select event_type, row_number() over (order by count(*) desc, event_type) as place
            from product.fct__user_events group by event_type
        )
        select cast(cast(date_trunc('week', events.event_date) as date) as varchar) as week,
            if(types.place <= $top, left(events.event_type, 120), $other) as event_type,
            least(types.place, $top + 1) as place, count(*) as events, count(distinct events.user_id) as users
        from product.fct__user_events as events inner join types on events.event_type = types.event_type
        group by all order by week, place
        """,
        {"top": TOP_EVENT_TYPES, "other": OTHER_TYPES},
    ).df()


def corporate_retention(connection: duckdb.DuckDBPyConnection, complete_weeks: list[str]) -> pd.DataFrame:
    """Users of the largest corporations, by complete weeks since their first week there, and how many were active.

    A user counts at each distance that leads to one of the complete weeks. Corporations have a number, by their users,
    and no name.
    """
    return connection.execute(
        """
        with user_weeks as (
            select distinct user_corporate_id, user_id, week_start_date from product.weekly_user_event_summary
            where user_corporate_id is not null
        ),
        users as (
            select user_corporate_id, user_id, min(week_start_date) as first_week from user_weeks group by all
        ),
        corporations as (
            select user_corporate_id, count(*) as corporation_users,
                row_number() over (order by count(*) desc, user_corporate_id) as corporation
            from users group by user_corporate_id qualify corporation <= $corporations
        ),
        weeks as (select cast(unnest($weeks::varchar[]) as date) as week_start_date)
        select corporations.corporation, corporations.corporation_users,
            date_diff('week', users.first_week, weeks.week_start_date) as weeks_since, count(*) as users,
            count(user_weeks.user_id) as active_users
        from users
        inner join corporations on users.user_corporate_id = corporations.user_corporate_id
        inner join weeks
            on weeks.week_start_date between users.first_week and users.first_week + to_weeks($distance)
        left join user_weeks
            on users.user_corporate_id = user_weeks.user_corporate_id and users.user_id = user_weeks.user_id
                and weeks.week_start_date = user_weeks.week_start_date
        group by all order by all
        """,
        {"corporations": TOP_CORPORATIONS, "distance": RETENTION_WEEKS, "weeks": complete_weeks},
    ).df()


def _suppressed(weekly: pd.DataFrame, suppression: Suppression) -> tuple[pd.DataFrame, int]:
    """The numbers that may be shown; a demo count is left out if it is small, or if the rest is."""
    weekly = weekly.astype(dict.fromkeys(weekly.columns.drop("week"), "Float64"))
    hidden = 0
    for count in ("users", "corporations"):
        demo, every = weekly[f"active_demo_{count}"], weekly[f"active_{count}"]
        small = suppression.is_small(demo) | suppression.is_small(every - demo) | suppression.is_small(every)
        weekly.loc[small, f"active_demo_{count}"] = pd.NA
        weekly.loc[suppression.is_small(every), f"active_{count}"] = pd.NA
        hidden += int(small.sum())
    return weekly, hidden


def _dataflow() -> tuple[dict[str, object], ...]:
    datasets: list[dict[str, object]] = []
    for count in ("users", "corporations"):
        names = {f"active_{count}": f"all {count}", f"active_demo_{count}": DEMO[count]}
        folded = (fold(list(names), "part", "count"), keep("datum.count !== null"), label("part", names, "part_name"))
        datasets.append(dataset(f"active_{count}", "weekly", *folded, *marks_of("week")))
    spread = dataset(
        "event_spread",
        "spread",
        keep("week_chosen === '' || datum.week === week_chosen"),
        sums(["events_from"], ["user_weeks", "events"]),
        calculate("events_to", "datum.events_from + 0.5"),
    )
    types = dataset("event_types", "types", *marks_of("week"))
    return (*datasets, spread, types)


def _figures() -> tuple[Figure, ...]:
    return (
        *(
            Figure(
                f"active_{count}",
                f"Weekly active {count}",
                summary,
                f"active_{count}",
                (WEEK, Column("part_name", "Of"), Column("count", count.capitalize(), "integer"), COMPLETE),
                lines(
                    rows(),
                    alt.Y("count:Q", axis=alt.Axis(title=f"active {count}", tickCount=5)),
                    [tip("week", "week of"), tip("part_name", "of"), tip("count", f"active {count}", ",")],
                    colour("part_name", [f"all {count}", DEMO[count]]),
                ),
                mart=f"product.weekly_active_{count}",
            )
            for count, summary in (
                ("users", "Distinct users with an event in the week."),
                ("corporations", "Distinct corporations with an event in the week while their status was active."),
            )
        ),
        Figure(
            "event_spread",
            EVENTS_PER_ACTIVE_DAY.title,
            "Users of a corporation by their average number of events on those days of a week that have any. "
            "Choose a week in the filter bar; over all weeks a user counts once a week.",
            "event_spread",
            (
                Column("events_from", "Events a day, from", "number"),
                Column("events_to", "to below", "number"),
                Column("user_weeks", "Users x weeks", "integer"),
                Column("events", "Events", "integer"),
            ),
            rows()
            .mark_bar(orient="vertical", fill=MEASURE, stroke="var(--paper)")
            .encode(
                x=alt.X(
                    "events_from:Q",
                    scale=alt.Scale(zero=False, nice=False, padding=0),
                    axis=alt.Axis(title="average events a day", tickMinStep=0.5, grid=False),
                ),
                x2=alt.X2("events_to:Q"),
                y=alt.Y("user_weeks:Q", axis=alt.Axis(title="users x weeks", tickCount=5)),
                tooltip=[tip("events_from", "from", ".1f"), tip("user_weeks", "users x weeks", ",")],
            ),
            mart="product.weekly_user_event_summary",
        ),
    )

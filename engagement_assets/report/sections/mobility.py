"""Mobility: from opening the app to a booked ride, how long that takes, and where people leave.

Belongs here: figures from the schema `mobility`. Not here: what a session or a booking is (the YAML of the marts).
"""

import altair as alt
import duckdb

from engagement_assets.report.figures import AnyChart, Column, Figure, Filter, Section, options_of
from engagement_assets.report.sections.observed import COMPLETE, WEEK, marks_of, observed
from engagement_assets.report.suppression import Suppression
from engagement_assets.report.theme import COLOURS, bars, colour, lines, rows, tip
from engagement_assets.report.transforms import (
    calculate,
    dataset,
    divide,
    fold,
    keep,
    keep_chosen,
    label,
    rank,
    sums,
)

COUNTS = ["sessions", "searching_sessions", "booked_sessions", "searching_booked_sessions"]
FUNNEL = {
    "sessions": "1 sessions",
    "searching_sessions": "2 looked for a scooter",
    "searching_booked_sessions": "3 and got one",
}
OUTCOMES = {"booked": "booked", "searched_not_booked": "looked, did not book", "browsed": "browsed"}
BIN_S = 60
TOP_EVENTS = 12
SLICE = "coalesce(zone, 'unknown') as zone, coalesce(os_name, 'unknown') as os_name,"


def mobility(connection: duckdb.DuckDBPyConnection, suppression: Suppression | None) -> Section:
    """The section; in publish mode only weeks can be filtered, while times and last events cover all sessions."""
    weekly = connection.execute(
        f"""
        select cast(cast(date_trunc('week', session_date) as date) as varchar) as week, {SLICE}
            count(*) as sessions, count(*) filter (where is_searching) as searching_sessions,
            count(*) filter (where is_booked) as booked_sessions,
            count(*) filter (where is_searching and is_booked) as searching_booked_sessions,
            least(
                count(distinct anonymous_id), nullif(count(distinct anonymous_id) filter (where is_searching), 0),
                nullif(count(distinct anonymous_id) filter (where is_booked), 0),
                nullif(count(distinct anonymous_id) filter (where is_searching and is_booked), 0)
            ) as users
        from mobility.fct__mobile_sessions group by all order by all
        """
    ).df()
    slices = "" if suppression else SLICE
    waits = connection.execute(
        f"""
        select {slices} cast(floor(open_to_ride_ms / {BIN_S * 1000}) as bigint) as minutes, count(*) as sessions,
            cast(sum(open_to_ride_ms) as bigint) as open_to_ride_ms, count(distinct anonymous_id) as users
        from mobility.fct__mobile_sessions where open_to_ride_ms is not null group by all order by all
        """
    ).df()
    endings = connection.execute(
        f"""
        select {slices} left(last_event_name, 120) as last_event_name, outcome, count(*) as sessions,
            count(distinct anonymous_id) as users
        from mobility.fct__mobile_sessions group by all order by all
        """
    ).df()
    notes = ["Hollow, dashed marks are incomplete weeks: not all seven days were loaded after they had ended."]
    if suppression:
        cells = len(weekly) + len(waits) + len(endings)
        weekly = suppression.shown(weekly, ["week"])
        waits, endings = suppression.shown(waits, []), suppression.shown(endings, ["outcome"], [])
        notes.append(suppression.note(cells - len(weekly) - len(waits) - len(endings)))
    return Section(
        name="mobility",
        title="Mobility",
        intro="Sessions of the scooter app: who looked for a scooter, who rode, and who left.",
        tables={
            "weekly": weekly.drop(columns="users"),
            "waits": waits.drop(columns="users"),
            "endings": endings.drop(columns="users"),
            "complete_weeks": observed(connection, "week", "mobile"),
        },
        filters=(
            Filter("zone", "Zone", options_of(weekly["zone"], "all")),
            Filter("os_name", "OS", options_of(weekly["os_name"], "all")),
        ),
        dataflow=_dataflow(sliced=suppression is None),
        figures=_figures(),
        notes=tuple(notes),
    )


def _dataflow(*, sliced: bool) -> tuple[dict[str, object], ...]:
    chosen = (keep_chosen("zone"), keep_chosen("os_name"))
    # What covers all sessions is hidden while a filter is set, since it does not follow the filter.
    of_slice = chosen if sliced else (keep("zone === '' && os_name === ''"),)
    return (
        dataset("weeks_chosen", "weekly", *chosen),
        dataset(
            "funnel",
            "weeks_chosen",
            sums([], COUNTS),
            calculate("all_sessions", "datum.sessions"),
            keep("datum.all_sessions > 0"),
            fold(list(FUNNEL), "step", "count"),
            divide("share", "count", "all_sessions"),
            label("step", FUNNEL, "step_name"),
        ),
        dataset(
            "conversion",
            "weeks_chosen",
            sums(["week"], COUNTS),
            divide("booking_rate", "booked_sessions", "sessions"),
            divide("searching_booking_rate", "searching_booked_sessions", "searching_sessions"),
            *marks_of("week"),
        ),
        dataset(
            "conversion_rates",
            "conversion",
            fold(["booking_rate", "searching_booking_rate"], "rate", "value"),
            label(
                "rate",
                {"booking_rate": "of all sessions", "searching_booking_rate": "of those who looked"},
                "rate_name",
            ),
        ),
        dataset(
            "time_to_ride",
            "waits",
            *of_slice,
            sums(["minutes"], ["sessions", "open_to_ride_ms"]),
            calculate("until_minutes", "datum.minutes + 1"),
        ),
        dataset(
            "mean_time_to_ride",
            "waits",
            *of_slice,
            sums([], ["sessions", "open_to_ride_ms"]),
            divide("mean_minutes", "open_to_ride_ms", "sessions", "1 / 6e4"),
            keep("datum.sessions > 0"),
        ),
        dataset(
            "last_events",
            "endings",
            *of_slice,
            sums(["last_event_name", "outcome"], ["sessions"]),
            {
                "type": "joinaggregate",
                "groupby": ["last_event_name"],
                "ops": ["sum"],
                "fields": ["sessions"],
                "as": ["all_sessions"],
            },
            {**rank("place", "all_sessions"), "ops": ["dense_rank"]},
            keep(f"datum.place <= {TOP_EVENTS}"),
            label("outcome", OUTCOMES, "outcome_name"),
        ),
    )


def _figures() -> tuple[Figure, ...]:
    when = tip("week", "week of")
    mart = "mobility.weekly_booking_conversion"
    sessions_mart = "mobility.fct__mobile_sessions"
    rate = alt.Y("value:Q", axis=alt.Axis(title="booked", format=".0%", tickCount=5))
    hidden = "Publish mode has this for all sessions only. Clear the filters."
    return (
        Figure(
            "mean_time_to_ride",
            "Mean time to ride",
            "The sum of the times divided by the number of sessions.",
            "mean_time_to_ride",
            (Column("mean_minutes", "Minutes", "number"), Column("sessions", "Sessions", "integer")),
            empty=hidden,
        ),
        Figure(
            "funnel",
            "Booking funnel",
            "All sessions, those that looked for a scooter, and those among them that got one.",
            "funnel",
            (
                Column("step_name", "Step"),
                Column("count", "Sessions", "integer"),
                Column("share", "Of all sessions", "percent"),
            ),
            _funnel(),
            mart=mart,
        ),
        Figure(
            "conversion",
            "Booking conversion by week",
            "Booked sessions as a share of all sessions, and of those that looked for a scooter.",
            "conversion_rates",
            (
                WEEK,
                Column("rate_name", "Booked"),
                Column("value", "Rate", "percent"),
                Column("sessions", "Sessions", "integer"),
                COMPLETE,
            ),
            lines(rows(), rate, [when, tip("rate_name", "booked"), tip("value", "rate", ".1%")], colour("rate_name")),
            mart=mart,
        ),
        Figure(
            "sessions",
            "Sessions by week",
            "Sessions that started in the week.",
            "conversion",
            (
                WEEK,
                Column("sessions", "Sessions", "integer"),
                Column("searching_sessions", "Looked", "integer"),
                Column("booked_sessions", "Booked", "integer"),
                COMPLETE,
            ),
            bars(
                rows(),
                y=alt.Y("sessions:Q", axis=alt.Axis(title="sessions", tickCount=5)),
                color=alt.ColorValue(COLOURS[0]),
                tooltip=[when, tip("sessions", "sessions", ",")],
            ),
            mart=mart,
        ),
        Figure(
            "time_to_ride",
            "Time to ride",
            "Minutes from opening the app to the start of the ride, for the sessions that have both.",
            "time_to_ride",
            (Column("minutes", "Minutes from", "integer"), Column("sessions", "Sessions", "integer")),
            rows()
            .mark_bar(orient="vertical", fill=COLOURS[3], stroke="var(--paper)")
            .encode(
                x=alt.X(
                    "minutes:Q",
                    scale=alt.Scale(zero=False, nice=False, padding=0),
                    axis=alt.Axis(title="minutes", tickMinStep=1, grid=False),
                ),
                x2=alt.X2("until_minutes:Q"),
                y=alt.Y("sessions:Q", axis=alt.Axis(title="sessions", tickCount=5)),
                tooltip=[tip("minutes", "minutes from", "d"), tip("sessions", "sessions", ",")],
            ),
            mart=sessions_mart,
            empty=hidden,
        ),
        Figure(
            "last_events",
            "Last event before leaving",
            "The last event of a session, and how the session ended.",
            "last_events",
            (
                Column("last_event_name", "Last event"),
                Column("outcome_name", "Session was"),
                Column("sessions", "Sessions", "integer"),
            ),
            rows()
            .mark_bar(height={"band": 0.75})
            .encode(
                y=alt.Y(
                    "last_event_name:N",
                    sort=alt.EncodingSortField("all_sessions", order="descending"),
                    axis=alt.Axis(title=None),
                ),
                x=alt.X("sessions:Q", axis=alt.Axis(title="sessions", tickCount=5)),
                color=colour("outcome_name", list(OUTCOMES.values())),
                tooltip=[
                    tip("last_event_name", "last event"),
                    tip("outcome_name", "session was"),
                    tip("sessions", "sessions", ","),
                ],
            )
            .properties(height=alt.Step(24)),
            mart=sessions_mart,
            empty=hidden,
        ),
    )


def _funnel() -> AnyChart:
    # Room for the share next to the longest bar.
    room = alt.Scale(domain=[0, alt.ExprRef("1.25 * extent(pluck(data('rows'), 'count'))[1]")], nice=False)
    base = rows().encode(
        y=alt.Y("step_name:N", axis=alt.Axis(title=None, labelExpr="slice(datum.label, 2)")),
        x=alt.X("count:Q", scale=room, axis=alt.Axis(title="sessions", tickCount=5)),
    )
    steps = base.mark_bar(fill=COLOURS[0], fillOpacity=0.85, height={"band": 0.7}).encode(
        tooltip=[tip("step_name", "step"), tip("count", "sessions", ","), tip("share", "of all", ".1%")]
    )
    texts = base.mark_text(align="left", dx=5).encode(text=alt.Text("share:Q", format=".0%"))
    return alt.layer(steps, texts).properties(height=alt.Step(46))

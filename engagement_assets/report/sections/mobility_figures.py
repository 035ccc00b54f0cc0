"""The datasets and figures of the mobility section.

Belongs here: what is computed from the section's tables, and how it is drawn. Not here: the tables (`mobility.py`).
"""

import altair as alt

from engagement_assets.metrics.catalog import BOOKING_RATE, SEARCHING_BOOKING_RATE
from engagement_assets.report.figures import Column, Figure
from engagement_assets.report.sections.booking_funnel import COUNTS, WITHOUT_LOOKING, funnel_dataset, funnel_figure
from engagement_assets.report.sections.observed import COMPLETE, WEEK, marks_of
from engagement_assets.report.theme import MEASURE, bars, colour, lines, rows, tip
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
    trend,
    value_of,
)

RATES = {
    BOOKING_RATE.name: "of all sessions",
    SEARCHING_BOOKING_RATE.name: "of those who looked",
    "browsing_booking_rate": "of those who did not look",
}
BOOKED = {"booked_sessions": "booked", "other_sessions": "not booked"}
OUTCOMES = {"booked": "booked", "searched_not_booked": "looked, did not book", "browsed": "browsed"}
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
TOP_EVENTS = 12
MEAN_MINUTES = divide("mean_minutes", "open_to_ride_ms", "sessions", "1 / 6e4")


def dataflow(*, sliced: bool) -> tuple[dict[str, object], ...]:
    """The datasets of the section's figures; `sliced` if times and last events follow the filters."""
    chosen = (keep_chosen("zone"), keep_chosen("os_name"))
    # What covers all sessions is hidden while a filter is set, since it does not follow the filter.
    of_slice = chosen if sliced else (keep("zone === '' && os_name === ''"),)
    return (
        dataset("weeks_chosen", "weekly", *chosen),
        funnel_dataset("weeks_chosen"),
        dataset(
            "conversion",
            "weeks_chosen",
            sums(["week"], COUNTS),
            value_of(BOOKING_RATE),
            value_of(SEARCHING_BOOKING_RATE),
            *WITHOUT_LOOKING,
            divide("browsing_booking_rate", "booked_without_looking", "without_looking"),
            *marks_of("week"),
        ),
        dataset(
            "conversion_rates",
            "conversion",
            fold(list(RATES), "rate", "value"),
            keep("datum.value !== null"),
            label("rate", RATES, "rate_name"),
        ),
        dataset(
            "weekday_hours",
            "hours",
            *of_slice,
            sums(["weekday", "hour"], ["sessions", "booked_sessions"]),
            value_of(BOOKING_RATE),
        ),
        dataset(
            "hours_of_day",
            "weekday_hours",
            sums(["hour"], ["sessions", "booked_sessions"]),
            value_of(BOOKING_RATE),
            calculate("other_sessions", "datum.sessions - datum.booked_sessions"),
        ),
        dataset(
            "hour_outcomes",
            "hours_of_day",
            fold(list(BOOKED), "outcome", "count"),
            label("outcome", BOOKED, "outcome_name"),
        ),
        dataset(
            "time_to_ride",
            "waits",
            *of_slice,
            sums(["minutes"], ["sessions", "open_to_ride_ms"]),
            calculate("until_minutes", "datum.minutes + 1"),
        ),
        dataset(
            "ride_weeks",
            "rides",
            *of_slice,
            sums(["week"], ["sessions", "open_to_ride_ms"]),
            MEAN_MINUTES,
            *marks_of("week"),
        ),
        dataset(
            "mean_time_to_ride",
            "ride_weeks",
            sums([], ["sessions", "open_to_ride_ms"]),
            MEAN_MINUTES,
            keep("datum.sessions > 0"),
        ),
        dataset("ride_numbers", "ride_weeks", fold(["mean_minutes", "sessions"], "part", "of_part")),
        trend("ride_trends", "ride_numbers", "part", "of_part"),
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


def figures() -> tuple[Figure, ...]:
    """The figures of the section."""
    when = tip("week", "week of")
    mart = "mobility.weekly_booking_conversion"
    sessions_mart = "mobility.fct__mobile_sessions"
    rate = alt.Y("value:Q", axis=alt.Axis(title="booked", format=".0%", tickCount=5))
    hidden = "Publish mode has this for all sessions only. Clear the filters."
    return (
        Figure(
            "mean_time_to_ride",
            "Mean time to ride",
            "From opening the app to the start of the ride: the sum of the times divided by the number of sessions "
            "that have both.",
            "mean_time_to_ride",
            (Column("mean_minutes", "Minutes", "number"), Column("sessions", "Sessions with a ride", "integer")),
            empty=hidden,
            trend="ride_trends",
        ),
        funnel_figure(),
        Figure(
            "conversion",
            f"{BOOKING_RATE.title} by week",
            "Booked sessions as a share of all sessions, of those that looked for a scooter, and of those that did "
            "not.",
            "conversion_rates",
            (
                WEEK,
                Column("rate_name", "Booked"),
                Column("value", "Rate", "percent"),
                Column("sessions", "Sessions", "integer"),
                COMPLETE,
            ),
            lines(
                rows(),
                rate,
                [when, tip("rate_name", "booked"), tip("value", "rate", ".1%")],
                colour("rate_name", list(RATES.values())),
            ),
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
                color=alt.ColorValue(MEASURE),
                tooltip=[when, tip("sessions", "sessions", ",")],
            ),
            mart=mart,
        ),
        Figure(
            "time_of_day",
            "Time of day",
            "Sessions by the hour in which they start, in UTC as recorded: the events name no time zone.",
            "hour_outcomes",
            (
                Column("hour", "Hour from (UTC)", "integer"),
                Column("outcome_name", "Session was"),
                Column("count", "Sessions", "integer"),
                Column("booking_rate", "Booked in this hour", "percent"),
            ),
            rows()
            .mark_bar()
            .encode(
                x=_hours(),
                y=alt.Y("count:Q", axis=alt.Axis(title="sessions", tickCount=5)),
                color=colour("outcome_name", list(BOOKED.values())),
                tooltip=[
                    tip("hour", "hour from (UTC)", "d"),
                    tip("outcome_name", "session was"),
                    tip("count", "sessions", ","),
                    tip("booking_rate", "booked in this hour", ".1%"),
                ],
            ),
            mart=sessions_mart,
            empty=hidden,
        ),
        Figure(
            "week_by_hour",
            "Hours of the week",
            "Sessions by weekday and hour, in UTC as recorded.",
            "weekday_hours",
            (
                Column("weekday", "Weekday"),
                Column("hour", "Hour from (UTC)", "integer"),
                Column("sessions", "Sessions", "integer"),
                Column("booked_sessions", "Booked", "integer"),
                Column("booking_rate", "Booked in this hour", "percent"),
            ),
            rows()
            .mark_rect(fill=MEASURE)
            .encode(
                x=_hours(),
                y=alt.Y("weekday:O", scale=alt.Scale(domain=WEEKDAYS), axis=alt.Axis(title=None, grid=False)),
                fillOpacity=alt.FillOpacity("sessions:Q", scale=alt.Scale(domainMin=0, range=[0.04, 0.9]), legend=None),
                tooltip=[
                    tip("weekday", "weekday"),
                    tip("hour", "hour from (UTC)", "d"),
                    tip("sessions", "sessions", ","),
                    tip("booking_rate", "booked in this hour", ".1%"),
                ],
            )
            .properties(height=alt.Step(30)),
            mart=sessions_mart,
            empty=hidden,
        ),
        Figure(
            "time_to_ride",
            "Time to ride",
            "Minutes from opening the app to the start of the ride, for the sessions that have both.",
            "time_to_ride",
            (Column("minutes", "Minutes from", "integer"), Column("sessions", "Sessions", "integer")),
            rows()
            .mark_bar(orient="vertical", fill=MEASURE, stroke="var(--paper)")
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
            .properties(height=alt.Step(28)),
            mart=sessions_mart,
            empty=hidden,
        ),
    )


def _hours() -> alt.X:
    hours = list(range(24))
    return alt.X(
        "hour:O",
        scale=alt.Scale(domain=hours),
        axis=alt.Axis(title="hour (UTC)", labelAngle=0, labelOverlap=True, grid=False),
    )

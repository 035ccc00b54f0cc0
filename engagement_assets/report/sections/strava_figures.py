"""The datasets and figures of the Strava section.

Belongs here: what is computed from the section's tables, and how it is drawn. Not here: the tables (`strava.py`).
"""

import altair as alt

from engagement_assets.metrics.catalog import KUDOS_CHANGE_RATE
from engagement_assets.report.figures import Column, Figure
from engagement_assets.report.sections.observed import COMPLETE, WEEK, marks_of
from engagement_assets.report.sections.units import DISTANCE, PACE, UNIT, distance_axis, in_unit, pace_axis, paced
from engagement_assets.report.theme import MEASURE, bars, colour, lines, rows, tip
from engagement_assets.report.transforms import calculate, dataset, divide, keep, keep_chosen, span, sums, value_of

START_CELLS = "start_cells"


def dataflow() -> tuple[dict[str, object], ...]:
    """The datasets of the section's figures."""
    return (
        dataset("weeks_chosen", "weekly", keep_chosen("workout_type_name"), *marks_of("week")),
        dataset(
            "change",
            "weeks_chosen",
            keep("datum.previous_week_total_kudos !== null"),
            sums(["week", "at", "until", "is_complete"], ["total_kudos", "previous_week_total_kudos"]),
            calculate("kudos_change", "datum.total_kudos - datum.previous_week_total_kudos"),
            value_of(KUDOS_CHANGE_RATE),
        ),
        dataset(
            "by_type",
            "types",
            divide("average_kudos", "total_kudos", "runs_with_kudos_count"),
            divide("speed_m_per_s", "timed_distance_m", "timed_moving_time_s"),
            *paced("timed_moving_time_s", "timed_distance_m"),
        ),
        dataset(
            "by_month",
            "months",
            *in_unit("distance", "total_distance_m"),
            *paced("total_moving_time_s", "total_distance_m"),
            *marks_of("month"),
        ),
        dataset(
            "run_weeks",
            "runs",
            keep_chosen("workout_type_name"),
            sums(["week"], ["runs", "distance_m", "elevation_gain_m", "paced_distance_m", "paced_time_s"]),
            *in_unit("distance", "distance_m"),
            *paced("paced_time_s", "paced_distance_m"),
            *marks_of("week"),
        ),
        dataset("paced_weeks", "run_weeks", keep("datum.pace !== null")),
        dataset(
            "kudos_growth",
            "ages",
            keep_chosen("workout_type_name"),
            sums(["age", "age_name"], ["runs", "kudos"]),
            {"type": "collect", "sort": {"field": "age"}},
            divide("average_kudos", "kudos", "runs"),
        ),
        dataset("kudos_known", "history", *span("observed_on", "'day'")),
        dataset(START_CELLS, "places"),
    )


def figures() -> tuple[Figure, ...]:
    """The figures of the section; that of starts is only for a warehouse with places."""
    when = tip("week", "week of")
    kind = Column("workout_type_name", "Workout type")
    runs, climbed = Column("runs", "Runs", "integer"), Column("elevation_gain_m", "Metres climbed", "number")
    month = (
        Column("month", "Month"),
        Column("run_count", "Runs", "integer"),
        DISTANCE,
        UNIT,
        Column("total_miles", "Miles", "number"),
        Column("total_hours", "Hours", "number"),
        PACE,
        Column("total_elevation_gain_m", "Metres climbed", "number"),
        COMPLETE,
    )
    return (
        Figure(
            "kudos",
            "Kudos by week",
            "Kudos of the runs that started in the week, by workout type.",
            "weeks_chosen",
            (WEEK, kind, Column("run_count", "Runs", "integer"), Column("total_kudos", "Kudos", "integer"), COMPLETE),
            bars(
                rows(),
                y=alt.Y("total_kudos:Q", axis=alt.Axis(title="kudos", tickCount=5)),
                color=colour("workout_type_name"),
                tooltip=[when, tip("workout_type_name", "workout type"), tip("total_kudos", "kudos", ",")],
            ),
            mart="strava.strava_weekly_kudos_change",
        ),
        Figure(
            "kudos_change",
            "Weekly change of kudos",
            "Compared with the week before; the first week has no change. There is no percentage if the week before "
            "has no kudos.",
            "change",
            (
                WEEK,
                Column("total_kudos", "Kudos", "integer"),
                Column("previous_week_total_kudos", "Week before", "integer"),
                Column("kudos_change", "Change", "integer"),
                Column("kudos_change_rate", "Change in percent", "percent"),
                COMPLETE,
            ),
            bars(
                rows(),
                y=alt.Y("kudos_change:Q", axis=alt.Axis(title="change of kudos", tickCount=5)),
                color=alt.ColorValue(MEASURE),
                tooltip=[when, tip("kudos_change", "change", "+,"), tip("kudos_change_rate", "in percent", "+.1%")],
            ),
            mart="strava.strava_weekly_kudos_change",
        ),
        Figure(
            "pace",
            "Pace by week",
            "Moving time divided by distance, over the week's runs that have both. Higher is faster.",
            "paced_weeks",
            (WEEK, runs, PACE, DISTANCE, UNIT, COMPLETE),
            lines(rows(), pace_axis(), [when, tip("pace", "pace"), tip("runs", "runs", ",")]),
            mart="strava.fct__strava_activities",
        ),
        Figure(
            "elevation",
            "Elevation gain by week",
            "Metres climbed on the week's runs.",
            "run_weeks",
            (WEEK, runs, climbed, DISTANCE, UNIT, COMPLETE),
            bars(
                rows(),
                y=alt.Y("elevation_gain_m:Q", axis=alt.Axis(title="metres climbed", tickCount=5)),
                color=alt.ColorValue(MEASURE),
                tooltip=[when, tip("elevation_gain_m", "metres climbed", ",.0f"), tip("runs", "runs", ",")],
            ),
            mart="strava.fct__strava_activities",
        ),
        *(
            Figure(
                name,
                f"Monthly {name}",
                f"{name.capitalize()} of the month's runs.",
                "by_month",
                month,
                bars(
                    rows(),
                    y=axis,
                    color=alt.ColorValue(fill),
                    tooltip=[tip("month", "month from"), tip(field, name, ",.1f"), *more],
                ),
                mart="strava.strava_monthly_summary",
            )
            for name, field, axis, fill, more in (
                ("distance", "distance", distance_axis("distance", "distance"), MEASURE, [tip("symbol", "unit")]),
                (
                    "hours",
                    "total_hours",
                    alt.Y("total_hours:Q", axis=alt.Axis(title="hours", tickCount=5)),
                    MEASURE,
                    [],
                ),
            )
        ),
        Figure(
            "kudos_by_type",
            "Kudos per run by workout type",
            "Average over the runs whose kudos are known.",
            "by_type",
            (
                kind,
                Column("run_count", "Runs", "integer"),
                Column("total_kudos", "Kudos", "integer"),
                Column("average_kudos", "Kudos per run", "number"),
                PACE,
                Column("speed_m_per_s", "Speed, m/s", "number"),
            ),
            rows()
            .mark_bar(fill=MEASURE, height={"band": 0.7})
            .encode(
                y=alt.Y("workout_type_name:N", axis=alt.Axis(title=None)),
                x=alt.X("average_kudos:Q", axis=alt.Axis(title="kudos per run", tickCount=5)),
                tooltip=[
                    tip("workout_type_name", "workout type"),
                    tip("average_kudos", "kudos per run", ".1f"),
                    tip("pace", "pace"),
                    tip("speed_m_per_s", "m/s", ".2f"),
                ],
            )
            .properties(height=alt.Step(34)),
            mart="strava.strava_kudos_by_workout_type",
        ),
        Figure(
            "kudos_growth",
            "How kudos grow",
            "Kudos per run by the age of the run: as last read at that age, over the runs that were read at it.",
            "kudos_growth",
            (
                Column("age_name", "Age of the run"),
                Column("average_kudos", "Kudos per run", "number"),
                Column("kudos", "Kudos", "integer"),
                Column("runs", "Runs read", "integer"),
            ),
            rows()
            .mark_bar(fill=MEASURE, height={"band": 0.7})
            .encode(
                y=alt.Y("age_name:N", sort=alt.EncodingSortField("age"), axis=alt.Axis(title=None)),
                x=alt.X("average_kudos:Q", axis=alt.Axis(title="kudos per run", tickCount=5)),
                tooltip=[
                    tip("age_name", "age of the run"),
                    tip("average_kudos", "kudos per run", ".1f"),
                    tip("runs", "runs read", ","),
                ],
            )
            .properties(height=alt.Step(28)),
            mart="strava.strava_kudos_history",
            alone="All runs were read at one age so far. Each day that reads them again adds others.",
        ),
        Figure(
            "kudos_known",
            "Kudos over time",
            "Kudos of all activities, as known on each day that read them.",
            "kudos_known",
            (
                Column("observed_on", "Observed on"),
                Column("kudos", "Kudos", "integer"),
                Column("kudos_gained", "Gained", "integer"),
            ),
            rows()
            .mark_line(point=True, color=MEASURE, interpolate="step-after")
            .encode(
                x=alt.X(
                    "at:T",
                    scale=alt.Scale(type="utc"),
                    axis=alt.Axis(title=None, format="%-d %b %y", grid=False, tickCount=5),
                ),
                y=alt.Y("kudos:Q", axis=alt.Axis(title="kudos", tickCount=5)),
                tooltip=[tip("observed_on", "observed on"), tip("kudos", "kudos", ",")],
            ),
            mart="strava.strava_kudos_history",
            alone="The kudos were read on one day so far. Each further day adds to the line.",
        ),
        Figure(
            START_CELLS,
            "Where runs start",
            "Runs by cell of about five kilometres: one for all runs of half a year. No map is loaded.",
            START_CELLS,
            (
                Column("latitude", "Latitude from", "number"),
                Column("longitude", "Longitude from", "number"),
                Column("runs", "Runs", "integer"),
            ),
            rows()
            .mark_rect(fill=MEASURE, stroke="var(--paper)")
            .encode(
                x=alt.X(
                    "longitude:Q",
                    scale=alt.Scale(zero=False, nice=False),
                    axis=alt.Axis(title="longitude", format=".2f", tickCount=5),
                ),
                x2=alt.X2("east:Q"),
                y=alt.Y(
                    "latitude:Q",
                    scale=alt.Scale(zero=False, nice=False),
                    axis=alt.Axis(title="latitude", format=".2f", tickCount=5),
                ),
                y2=alt.Y2("north:Q"),
                fillOpacity=alt.FillOpacity("runs:Q", scale=alt.Scale(domainMin=0, range=[0.1, 0.9]), legend=None),
                tooltip=[
                    tip("latitude", "latitude from", ".2f"),
                    tip("longitude", "longitude from", ".2f"),
                    tip("runs", "runs", ","),
                ],
            )
            .properties(height=260),
            mart="strava.fct__strava_activities",
            alone="All runs start in one cell.",
        ),
    )

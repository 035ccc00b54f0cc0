"""Strava: kudos, miles and hours by month, and the coarse cells in which runs start, if they are kept.

Belongs here: figures from the schema `strava`. Not here: what a run is (the YAML of the marts).

Everything is about one athlete, so publish mode shows none of it.
"""

import altair as alt
import duckdb
import pandas as pd

from engagement_assets.extract.strava.places import CELL_DEGREES
from engagement_assets.report.figures import Column, Figure, Filter, Section, options_of
from engagement_assets.report.sections.observed import COMPLETE, WEEK, marks_of, observed
from engagement_assets.report.suppression import Suppression
from engagement_assets.report.theme import COLOURS, bars, colour, rows, tip
from engagement_assets.report.transforms import calculate, dataset, divide, keep, keep_chosen, span, sums

TITLE = "Strava"
INTRO = "Runs of one athlete, without those deleted at Strava."
START_CELLS = "start_cells"
NO_MAP = (
    "There is no map of where runs start, because no place is kept. STRAVA_PLACES=coarse keeps one cell of about five "
    "kilometres for all runs of half a year. Set it and load the days again: make backfill FROM=… TO=… "
    "SELECT='+group:strava'."
)


def strava(connection: duckdb.DuckDBPyConnection, suppression: Suppression | None) -> Section:
    """The section; in publish mode it has only a note."""
    if suppression and suppression.min_users > 1:
        note = f"Publish mode leaves this section out: it is about one athlete, not {suppression.min_users} or more."
        return Section("strava", TITLE, INTRO, {}, notes=(note,))
    weekly = connection.execute(
        """
        select cast(week_start_date as varchar) as week, workout_type_name, run_count, total_kudos,
            previous_week_total_kudos
        from strava.strava_weekly_kudos_change order by all
        """
    ).df()
    types = connection.execute(
        """
        select workout_type_name, run_count, runs_with_kudos_count, total_kudos, timed_distance_m, timed_moving_time_s
        from strava.strava_kudos_by_workout_type order by all
        """
    ).df()
    months = connection.execute(
        """
        select cast(month_start_date as varchar) as month, run_count, total_miles, total_hours, total_kudos
        from strava.strava_monthly_summary order by all
        """
    ).df()
    # Kudos as known on each day that read them; the first read brings all the kudos of the past.
    history = connection.execute(
        """
        select cast(observed_on as varchar) as observed_on,
            cast(sum(coalesce(kudos_change, kudos_count, 0)) as bigint) as kudos_gained
        from strava.strava_kudos_history group by observed_on order by observed_on
        """
    ).df()
    places = start_places(connection)
    figures = _figures()
    notes = ["Hollow, dashed marks are incomplete: not every day was loaded after it had ended."]
    if places.empty:
        figures = tuple(figure for figure in figures if figure.name != START_CELLS)
        notes.append(NO_MAP)
    return Section(
        name="strava",
        title=TITLE,
        intro=INTRO,
        tables={
            "weekly": weekly,
            "types": types,
            "months": months,
            "history": history.assign(kudos=history["kudos_gained"].cumsum()),
            "places": places,
            "complete_weeks": observed(connection, "week", "strava"),
            "complete_months": observed(connection, "month", "strava"),
        },
        filters=(Filter("workout_type_name", "Workout type", options_of(weekly["workout_type_name"], "all")),),
        dataflow=_dataflow(),
        figures=figures,
        notes=tuple(notes),
    )


def start_places(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Runs by the cell of about 5 km in which they start, whatever precision the warehouse keeps.

    The cells are those of `extract/strava/places.py`, with the same edges.
    """
    return connection.execute(
        """
        with starts as (
            select floor(start_latitude / $degrees) * $degrees as south, start_longitude
            from strava.fct__strava_activities
            where is_run and not is_deleted and abs(start_latitude) <= 85 and start_longitude is not null
        ),
        sized as (
            select south, start_longitude,
                360 / floor(360 * cos(radians(south + $degrees / 2)) / $degrees) as width
            from starts
        )
        select round(south, 4) as latitude, round(floor((start_longitude + 180) / width) * width - 180, 4) as longitude,
            round(south + $degrees, 4) as north,
            round((floor((start_longitude + 180) / width) + 1) * width - 180, 4) as east,
            count(*) as runs
        from sized group by all order by all
        """,
        {"degrees": CELL_DEGREES},
    ).df()


def _dataflow() -> tuple[dict[str, object], ...]:
    return (
        dataset("weeks_chosen", "weekly", keep_chosen("workout_type_name"), *marks_of("week")),
        dataset(
            "change",
            "weeks_chosen",
            keep("datum.previous_week_total_kudos !== null"),
            sums(["week", "at", "until", "is_complete"], ["total_kudos", "previous_week_total_kudos"]),
            calculate("kudos_change", "datum.total_kudos - datum.previous_week_total_kudos"),
            divide("kudos_change_rate", "kudos_change", "previous_week_total_kudos"),
        ),
        dataset(
            "by_type",
            "types",
            divide("average_kudos", "total_kudos", "runs_with_kudos_count"),
            divide("speed_m_per_s", "timed_distance_m", "timed_moving_time_s"),
        ),
        dataset("by_month", "months", *marks_of("month")),
        dataset("kudos_known", "history", *span("observed_on", "'day'")),
        dataset(START_CELLS, "places"),
    )


def _figures() -> tuple[Figure, ...]:
    when = tip("week", "week of")
    kind = Column("workout_type_name", "Workout type")
    month = (Column("month", "Month"), Column("run_count", "Runs", "integer"))
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
                color=alt.ColorValue(COLOURS[0]),
                tooltip=[when, tip("kudos_change", "change", "+,"), tip("kudos_change_rate", "in percent", "+.1%")],
            ),
            mart="strava.strava_weekly_kudos_change",
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
            .mark_line(point=True, color=COLOURS[3], interpolate="step-after")
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
                Column("speed_m_per_s", "Speed, m/s", "number"),
            ),
            rows()
            .mark_bar(fill=COLOURS[0], height={"band": 0.7})
            .encode(
                y=alt.Y("workout_type_name:N", axis=alt.Axis(title=None)),
                x=alt.X("average_kudos:Q", axis=alt.Axis(title="kudos per run", tickCount=5)),
                tooltip=[
                    tip("workout_type_name", "workout type"),
                    tip("average_kudos", "kudos per run", ".1f"),
                    tip("speed_m_per_s", "m/s", ".2f"),
                ],
            )
            .properties(height=alt.Step(34)),
            mart="strava.strava_kudos_by_workout_type",
        ),
        *(
            Figure(
                name,
                f"Monthly {name}",
                f"{name.capitalize()} of the month's runs.",
                "by_month",
                (*month, Column(f"total_{name}", name.capitalize(), "number"), COMPLETE),
                bars(
                    rows(),
                    y=alt.Y(f"total_{name}:Q", axis=alt.Axis(title=name, tickCount=5)),
                    color=alt.ColorValue(fill),
                    tooltip=[tip("month", "month from"), tip(f"total_{name}", name, ",.1f")],
                ),
                mart="strava.strava_monthly_summary",
            )
            for name, fill in (("miles", COLOURS[2]), ("hours", COLOURS[1]))
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
            .mark_rect(fill=COLOURS[2], stroke="var(--paper)")
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
        ),
    )

"""Strava: kudos and how they grow, pace, elevation, distance and hours, and the coarse cells in which runs start.

Belongs here: the section's tables from the schema `strava`. Not here: how they are drawn (`strava_figures.py`), or what
a run is (the YAML of the marts).

Everything is about one athlete, so publish mode shows none of it.
"""

import duckdb
import pandas as pd

from engagement_assets.extract.strava.places import CELL_DEGREES
from engagement_assets.installation import PROGRAM
from engagement_assets.report.figures import Filter, Section, options_of
from engagement_assets.report.sections.observed import observed
from engagement_assets.report.sections.strava_figures import START_CELLS, dataflow, figures
from engagement_assets.report.sections.units import UNIT_FILTER
from engagement_assets.report.suppression import Suppression

TITLE = "Strava"
INTRO = "Runs of one athlete, without those deleted at Strava."
# Kudos come in the first days, and a scheduled run reads the activities of thirty days again. The last day of each age.
KUDOS_AGES = {1: "1 day or less", 2: "2 days", 3: "3 days", 7: "4 to 7 days", 14: "8 to 14 days", 30: "15 to 30 days"}
LATER = "more than 30 days"
NO_MAP = (
    "There is no map of where runs start, because no place is kept. STRAVA_PLACES=coarse keeps one cell of about five "
    f"kilometres for all runs of half a year. Set it and load the days again: {PROGRAM} backfill FROM=… TO=… "
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
        select cast(month_start_date as varchar) as month, run_count, total_distance_m, total_miles,
            total_moving_time_s, total_hours, total_elevation_gain_m, total_kudos
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
    shown = figures()
    notes = ["Hollow, dashed marks are incomplete: not every day was loaded after it had ended."]
    if places.empty:
        shown = tuple(figure for figure in shown if figure.name != START_CELLS)
        notes.append(NO_MAP)
    return Section(
        name="strava",
        title=TITLE,
        intro=INTRO,
        tables={
            "weekly": weekly,
            "types": types,
            "months": months,
            "runs": weekly_runs(connection),
            "ages": kudos_by_age(connection),
            "history": history.assign(kudos=history["kudos_gained"].cumsum()),
            "places": places,
            "complete_weeks": observed(connection, "week", "strava"),
            "complete_months": observed(connection, "month", "strava"),
        },
        filters=(
            UNIT_FILTER,
            Filter("workout_type_name", "Workout type", options_of(weekly["workout_type_name"], "all")),
        ),
        dataflow=dataflow(),
        figures=shown,
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


def weekly_runs(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Runs by week and workout type: distance, climb, and the parts of their pace, which runs without either lack."""
    return connection.execute(
        """
        select cast(cast(date_trunc('week', activity_date) as date) as varchar) as week, workout_type_name,
            count(*) as runs, coalesce(sum(distance_m), 0) as distance_m,
            coalesce(sum(total_elevation_gain_m), 0) as elevation_gain_m,
            coalesce(sum(distance_m) filter (where moving_time_s > 0), 0) as paced_distance_m,
            cast(coalesce(sum(moving_time_s) filter (where distance_m > 0), 0) as bigint) as paced_time_s
        from strava.fct__strava_activities where is_run and not is_deleted group by all order by all
        """
    ).df()


def kudos_by_age(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Runs and their kudos by workout type and age, as last read at that age.

    An age is the number of days from a run's day to the day that read its kudos; `age` numbers the ages.
    """
    ages = " ".join(f"when days <= {last} then {number}" for number, last in enumerate(KUDOS_AGES))
    cells = connection.execute(
        f"""
        with observed as (
            select runs.activity_id, runs.workout_type_name, history.observed_on, history.kudos_count,
                date_diff('day', runs.activity_date, history.observed_on) as days
            from strava.strava_kudos_history as history
            inner join strava.fct__strava_activities as runs on history.activity_id = runs.activity_id
            where runs.is_run and not runs.is_deleted
        ),
        last_read as (
            select activity_id, workout_type_name, case {ages} else {len(KUDOS_AGES)} end as age,
                max_by(kudos_count, observed_on) as kudos_count
            from observed group by all
        )
        select age, workout_type_name, count(*) as runs, cast(sum(kudos_count) as bigint) as kudos
        from last_read group by all order by all
        """
    ).df()
    return cells.assign(age_name=cells["age"].map(dict(enumerate([*KUDOS_AGES.values(), LATER]))))

"""Training: pace and its targets, distances of plans, tempo sessions, and the leaderboard.

Belongs here: figures from the schema `training`. Not here: what a target or a plan is (the YAML of the marts).

Users, activities and workouts are counted, never named.
"""

import altair as alt
import duckdb
import pandas as pd

from engagement_assets.metrics.catalog import PACE_DIFFERENCE, PLAN_DISTANCE_CHANGE
from engagement_assets.report.figures import Column, Figure, Filter, Section, options_of
from engagement_assets.report.sections.observed import COMPLETE, WEEK, marks_of, observed
from engagement_assets.report.sections.units import (
    DISTANCE,
    METRES,
    PACE,
    SYMBOL,
    UNIT,
    UNIT_FILTER,
    distance_axis,
    in_unit,
    pace_axis,
    paced,
)
from engagement_assets.report.suppression import Suppression, without_users
from engagement_assets.report.theme import MEASURE, bars, colour, lines, rows, tip
from engagement_assets.report.transforms import (
    calculate,
    dataset,
    divide,
    keep,
    keep_chosen,
    label,
    sums,
    value_of,
)

# The workouts on the leaderboard are those with the most users and steps; places are shown for each of their steps.
LEADERBOARD_WORKOUTS = 20
LEADERBOARD_PLACES = 5
STATUSES = {
    "faster": "faster than the band",
    "in_band": "in the band",
    "slower": "slower",
    "no_target": "no target",
    "no_speed": "no speed",
}


def training(connection: duckdb.DuckDBPyConnection, suppression: Suppression | None) -> Section:
    """The section; publish mode has no leaderboard, since each place is a single user."""
    laps = weekly_laps(connection)
    plans = connection.execute(
        """
        select week_of_plan, count(distinct user_id) as users, cast(sum(workout_count) as bigint) as workouts,
            sum(workout_distance_m) as workout_distance_m,
            sum(workout_distance_difference_m) as distance_difference_m,
            sum(previous_week_workout_distance_m) filter (where workout_distance_difference_m is not null)
                as previous_distance_m,
            count(distinct user_id) filter (where workout_distance_m is not null) as users_measured,
            count(distinct user_id) filter (where workout_distance_difference_m is not null) as users_compared
        from training.weekly_plan_distance where week_of_plan is not null group by week_of_plan order by week_of_plan
        """
    ).df()
    tempo = connection.execute(
        """
        select cast(cast(date_trunc('week', activity_date) as date) as varchar) as week, count(*) as sessions,
            sum(distance_m) as distance_m, count(distinct user_id) as users,
            count(distinct user_id) filter (where distance_m is not null) as users_measured,
            cast(min(period_start_date) as varchar) as period_start_date,
            cast(max(period_end_date) as varchar) as period_end_date
        from training.tempo_sessions group by week order by week
        """
    ).df()
    notes = [
        "Weeks are those of the activities. Hollow, dashed marks are incomplete weeks: not every batch was loaded "
        "after its day had ended."
    ]
    if suppression:
        cells = len(laps) + len(plans) + len(tempo)
        laps = suppression.shown(laps, ["week"])
        plans, tempo = suppression.shown(plans, []), suppression.shown(tempo, [])
        notes.append(suppression.note(cells - len(laps) - len(plans) - len(tempo)))
        notes.append("Publish mode has no leaderboard, since each place is one user.")
    leaders = None if suppression else _leaderboard(connection)
    filters = [UNIT_FILTER, Filter("run_type", "Run type", options_of(laps["run_type"], "all"))]
    has_leaders = leaders is not None and not leaders.empty
    if leaders is not None and has_leaders:
        workouts = leaders["workout"].drop_duplicates()
        filters.append(Filter("workout", "Workout", tuple((name, name) for name in workouts)))
    return Section(
        name="training",
        title="Training",
        intro="How runners do compared with the pace targets of their plans.",
        tables={
            "laps": without_users(laps),
            "plans": plans.drop(columns=["users_measured", "users_compared"]),
            "tempo": tempo.drop(columns="users_measured"),
            "complete_weeks": observed(connection, "week", "runna"),
            **({"leaders": leaders} if leaders is not None else {}),
        },
        filters=tuple(filters),
        dataflow=_dataflow(leaderboard=has_leaders),
        figures=(*_figures(tempo), *((_leaderboard_figure(),) if has_leaders else ())),
        notes=tuple(notes),
    )


def weekly_laps(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Laps by week of the activity, run type and pace status, with the parts of their pace and of its difference.

    A lap without a speed has no pace. Its distance is its speed times its moving time.
    """
    return connection.execute(
        """
        select cast(cast(date_trunc('week', activities.activity_date) as date) as varchar) as week,
            coalesce(workouts.run_type, 'unknown') as run_type, coalesce(laps.pace_status, 'no_speed') as pace_status,
            count(*) as laps, cast(coalesce(sum(laps.compared_time_ms), 0) as bigint) as compared_time_ms,
            coalesce(sum(laps.difference_s2_per_km), 0) as difference_s2_per_km,
            cast(coalesce(sum(laps.moving_time_ms) filter (where laps.average_speed_m_per_s > 0), 0) as bigint)
                as paced_time_ms,
            round(coalesce(sum(laps.average_speed_m_per_s * laps.moving_time_ms), 0) / 1000, 3) as paced_distance_m,
            count(distinct laps.user_id) as users,
            count(distinct laps.user_id) filter (where laps.compared_time_ms is not null) as users_compared,
            count(distinct laps.user_id) filter (where laps.average_speed_m_per_s > 0) as users_paced
        from training.lap_pace_adherence as laps
        inner join training.fct__activities as activities on laps.activity_id = activities.activity_id
        left join training.dim__workouts as workouts on laps.workout_id = workouts.workout_id
        where activities.activity_date is not null
        group by all order by all
        """
    ).df()


def _leaderboard(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Speeds by workout, step and place; a workout is named by its popularity, kind and distance."""
    return connection.execute(
        f"""
        with popular as (
            select workout_id, row_number() over (order by count(*) desc, workout_id) as place
            from training.workout_leaderboard group by workout_id
            qualify place <= {LEADERBOARD_WORKOUTS}
        )
        select
            popular.place || ': ' || lower(replace(coalesce(workouts.run_type, 'workout'), '_', ' ')
                || case workouts.unit_of_measure
                    when 'KILOMETERS' then coalesce(', ' || round(workouts.distance, 1) || ' km', '')
                    when 'MILES' then coalesce(
                        ', ' || round(workouts.distance * 1.609344, 1) || ' km ('
                            || round(workouts.distance, 1) || ' miles)', ''
                    )
                    else ''
                end) as workout,
            leaders.step_index, leaders.speed_rank, leaders.average_speed_m_per_s, leaders.lap_count
        from training.workout_leaderboard as leaders
        inner join popular on leaders.workout_id = popular.workout_id
        left join training.dim__workouts as workouts on leaders.workout_id = workouts.workout_id
        where leaders.speed_rank <= {LEADERBOARD_PLACES}
        order by popular.place, leaders.step_index, leaders.speed_rank
        """
    ).df()


def _dataflow(*, leaderboard: bool) -> tuple[dict[str, object], ...]:
    chosen = dataset(
        "leaders_of_workout",
        "leaders",
        keep_chosen("workout"),
        calculate("place", "'place ' + datum.speed_rank"),
        # A speed is the metres of one second.
        calculate("seconds", "1"),
        *paced("seconds", "average_speed_m_per_s"),
    )
    return (
        dataset("laps_chosen", "laps", keep_chosen("run_type")),
        dataset(
            "pace",
            "laps_chosen",
            sums(["week", "pace_status"], ["laps"]),
            label("pace_status", STATUSES, "status"),
            *marks_of("week"),
        ),
        dataset(
            "difference",
            "laps_chosen",
            sums(["week"], ["laps", "compared_time_ms", "difference_s2_per_km"]),
            value_of(PACE_DIFFERENCE, "difference_s_per_km"),
            keep("datum.difference_s_per_km !== null"),
            calculate("difference_s", f"datum.difference_s_per_km * {METRES} / 1000"),
            calculate("symbol", "unit"),
            *marks_of("week"),
        ),
        dataset(
            "average_pace",
            "laps_chosen",
            sums(["week"], ["laps", "paced_time_ms", "paced_distance_m"]),
            *in_unit("distance", "paced_distance_m"),
            *paced("paced_time_ms", "paced_distance_m", "0.001"),
            keep("datum.pace !== null"),
            *marks_of("week"),
        ),
        dataset(
            "plan_weeks",
            "plans",
            *in_unit("distance", "workout_distance_m"),
            value_of(PLAN_DISTANCE_CHANGE, "change"),
            divide("distance_per_user", "distance", "users"),
        ),
        dataset("tempo_weeks", "tempo", *in_unit("distance", "distance_m"), *marks_of("week")),
        *((chosen,) if leaderboard else ()),
    )


def _figures(tempo: pd.DataFrame) -> tuple[Figure, ...]:
    when = tip("week", "week of")
    period = "" if tempo.empty else f", {tempo['period_start_date'].iloc[0]} to {tempo['period_end_date'].iloc[0]}"
    laps_axis = alt.Y("laps:Q", axis=alt.Axis(title="laps", tickCount=5))
    return (
        Figure(
            "pace",
            "Laps against the target band",
            "Laps by week: faster or slower than the pace band of their workout step, or inside it.",
            "pace",
            (WEEK, Column("status", "Lap was"), Column("laps", "Laps", "integer"), COMPLETE),
            bars(
                rows(),
                y=laps_axis,
                color=colour("status", list(STATUSES.values())),
                tooltip=[when, tip("status", "lap was"), tip("laps", "laps", ",")],
            ),
            mart="training.lap_pace_adherence",
        ),
        Figure(
            "average_pace",
            "Pace",
            "Time divided by distance over the laps of the week that have a speed, of the chosen run type. "
            "Higher is faster.",
            "average_pace",
            (WEEK, PACE, DISTANCE, UNIT, Column("laps", "Laps", "integer"), COMPLETE),
            lines(rows(), pace_axis(), [when, tip("pace", "pace"), tip("laps", "laps", ",")]),
            mart="training.lap_pace_adherence",
        ),
        Figure(
            "difference",
            PACE_DIFFERENCE.title,
            f"{PACE_DIFFERENCE.meaning} In seconds per kilometre or mile.",
            "difference",
            (
                WEEK,
                Column("difference_s", "Seconds per unit", "number"),
                UNIT,
                Column("difference_s_per_km", "Seconds per km", "number"),
                Column("laps", "Laps", "integer"),
                COMPLETE,
            ),
            lines(
                rows(),
                alt.Y(
                    "difference_s:Q",
                    axis=alt.Axis(title="difference", tickCount=5, labelExpr=f"datum.label + ' s/' + {SYMBOL}"),
                ),
                [when, tip("difference_s", "seconds", "+.1f"), tip("symbol", "per")],
            ),
            mart="training.user_pace_adherence",
        ),
        Figure(
            "plan_distance",
            PLAN_DISTANCE_CHANGE.title,
            f"Distance of the workouts in each week of a plan. {PLAN_DISTANCE_CHANGE.meaning}",
            "plan_weeks",
            (
                Column("week_of_plan", "Week of plan", "integer"),
                Column("users", "Users", "integer"),
                Column("workouts", "Workouts", "integer"),
                DISTANCE,
                Column("distance_per_user", "Distance per user", "number"),
                UNIT,
                Column("change", "Change", "percent"),
            ),
            _plan_distance(),
            mart="training.weekly_plan_distance",
        ),
        Figure(
            "tempo",
            "Tempo sessions",
            f"Completed TEMPO sessions by week, in the six months up to the newest day{period}.",
            "tempo_weeks",
            (WEEK, Column("sessions", "Sessions", "integer"), DISTANCE, UNIT, COMPLETE),
            bars(
                rows(),
                y=alt.Y("sessions:Q", axis=alt.Axis(title="sessions", tickCount=5)),
                color=alt.ColorValue(MEASURE),
                tooltip=[when, tip("sessions", "sessions", ",")],
            ),
            mart="training.tempo_sessions",
        ),
    )


def _plan_distance() -> alt.Chart:
    chart: alt.Chart = (
        rows()
        .mark_bar(fill=MEASURE)
        .encode(
            x=alt.X("week_of_plan:O", axis=alt.Axis(title="week of plan", labelAngle=0)),
            y=distance_axis("distance_per_user", "distance per user"),
            tooltip=[
                tip("week_of_plan", "week of plan", "d"),
                tip("distance_per_user", "distance per user", ",.1f"),
                tip("symbol", "unit"),
                tip("change", "change", "+.1%"),
            ],
        )
    )
    return chart


def _leaderboard_figure() -> Figure:
    return Figure(
        "leaderboard",
        "Leaderboard",
        f"The {LEADERBOARD_PLACES} fastest per step of a workout, without names. Choose the workout in the filter bar. "
        "Higher is faster.",
        "leaders_of_workout",
        (
            Column("workout", "Workout"),
            Column("step_index", "Step", "integer"),
            Column("speed_rank", "Place", "integer"),
            PACE,
            Column("average_speed_m_per_s", "Speed, m/s", "number"),
            Column("lap_count", "Laps", "integer"),
        ),
        rows()
        .mark_point(filled=True, size=60)
        .encode(
            x=alt.X("step_index:O", axis=alt.Axis(title="step", labelAngle=0, labelOverlap=True)),
            y=pace_axis(),
            color=colour("place"),
            tooltip=[
                tip("step_index", "step", "d"),
                tip("speed_rank", "place", "d"),
                tip("pace", "pace"),
                tip("average_speed_m_per_s", "m/s", ".2f"),
            ],
        ),
        mart="training.workout_leaderboard",
    )

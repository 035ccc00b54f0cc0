"""The metrics: what the report, the docs, the UI and `make metric` call by these names.

Belongs here: one definition for each number that people speak of. Not here: the tables and the grains at which they can
be counted (`tables.py`), or how a metric is queried (`question.py`).
"""

from collections.abc import Mapping
from types import MappingProxyType

from engagement_assets.metrics.definition import Metric
from engagement_assets.metrics.tables import (
    COHORTS,
    EVENTS,
    EXITS,
    KUDOS_WEEKS,
    LAPS,
    PLAN_WEEKS,
    PLAYS,
    SESSIONS,
    UNITS,
    WEEKS,
)

_MS_PER_HOUR = 3_600_000
_DISTINCT = "Do not add it up: whoever is in two periods or slices counts in both."
_WEEK_INCOMPLETE = "In an incomplete week it is too low."


def _exact_sum(column: str) -> str:
    """The sum of a DOUBLE column as dbt's macro `exact_sum` has it: of whole millionths, in any order of the rows."""
    millionths = f"cast(case when abs({column}) < 9e12 then round({column} * 1e6) end as bigint)"
    return f"cast(sum({millionths}) as double) / 1e6"


ACTIVE_USERS = Metric(
    name="active_users",
    title="Active users",
    meaning="Distinct users with at least one activity, event, session or play.",
    unit="users",
    table=UNITS,
    parts={"active_users": "count(distinct user_id)"},
    numerator="active_users",
    caution=_DISTINCT,
)
NEW_USERS = Metric(
    name="new_users",
    title="New users",
    meaning="Active users of the week who were not active in any earlier week.",
    unit="users",
    table=WEEKS,
    parts={"new_users": "sum(new_users)"},
    numerator="new_users",
    caution=_WEEK_INCOMPLETE,
)
RETURNING_USERS = Metric(
    name="returning_users",
    title="Returning users",
    meaning="Active users of the week who were also active in the week before.",
    unit="users",
    table=WEEKS,
    parts={"returning_users": "sum(returning_users)"},
    numerator="returning_users",
    caution=f"{_DISTINCT} {_WEEK_INCOMPLETE}",
)
RESURRECTED_USERS = Metric(
    name="resurrected_users",
    title="Resurrected users",
    meaning="Active users of the week who were active in an earlier week, but not in the week before.",
    unit="users",
    table=WEEKS,
    parts={"resurrected_users": "sum(resurrected_users)"},
    numerator="resurrected_users",
    caution=f"{_DISTINCT} {_WEEK_INCOMPLETE}",
)
CHURNED_USERS = Metric(
    name="churned_users",
    title="Churned users",
    meaning="Users who were active in the week before, but not in this one.",
    unit="users",
    table=WEEKS,
    parts={"churned_users": "sum(churned_users)"},
    numerator="churned_users",
    caution=f"{_DISTINCT} In an incomplete week it is too high.",
)
RETENTION_RATE = Metric(
    name="retention_rate",
    title="Retention",
    meaning="Of the users who were first active in a week (a cohort), the share that is active so many weeks later.",
    unit="share",
    table=COHORTS,
    parts={"active_users": "sum(active_users)", "cohort_size": "sum(cohort_size)"},
    numerator="active_users",
    denominator="cohort_size",
    caution="The week is that of the cohort, and `is_complete` speaks of the later week: if it is false, the share is "
    "too low.",
)
ENGAGED_HOURS = Metric(
    name="engaged_hours",
    title="Engaged hours",
    meaning="Time spent moving, in sessions or playing; capped if the source's durations have outliers.",
    unit="hours",
    table=UNITS,
    parts={"engaged_ms": "sum(engaged_ms)"},
    numerator="engaged_ms",
    divisor=_MS_PER_HOUR,
    caution="It is NULL for a source that is not timed.",
)
LEARNING_ACTIVE_USERS = Metric(
    name="learning_active_users",
    title="Active accounts of the learning app",
    meaning="Distinct accounts with at least one play.",
    unit="accounts",
    table=EXITS,
    parts={"learning_active_users": "count(distinct user_id)"},
    numerator="learning_active_users",
    caution=_DISTINCT,
)
COMPLETION_RATE = Metric(
    name="completion_rate",
    title="Completion rate",
    meaning="Completed plays divided by plays, both summed over the slice.",
    unit="share",
    table=PLAYS,
    parts={"completed_plays": "sum(completed_plays)", "plays": "sum(plays)"},
    numerator="completed_plays",
    denominator="plays",
)
PLAYED_HOURS_AS_SENT = Metric(
    name="played_hours_as_sent",
    title="Time played, as sent",
    meaning="Time of the plays as sent. A device that falls asleep during a play sends hours or days.",
    unit="hours",
    table=PLAYS,
    parts={"duration_ms": "sum(duration_ms)"},
    numerator="duration_ms",
    divisor=_MS_PER_HOUR,
)
PLAYED_HOURS = Metric(
    name="played_hours",
    title="Time played, capped",
    meaning="Time of the plays, each play capped at one hour (`max_played_ms`).",
    unit="hours",
    table=PLAYS,
    parts={"played_ms": "sum(played_ms)"},
    numerator="played_ms",
    divisor=_MS_PER_HOUR,
)
BOOKING_RATE = Metric(
    name="booking_rate",
    title="Booking conversion",
    meaning="Sessions in which a scooter was booked, divided by all sessions.",
    unit="share",
    table=SESSIONS,
    parts={"booked_sessions": "count(*) filter (where is_booked)", "sessions": "count(*)"},
    numerator="booked_sessions",
    denominator="sessions",
)
SEARCHING_BOOKING_RATE = Metric(
    name="searching_booking_rate",
    title="Booking conversion of those who looked",
    meaning="Of the sessions in which the user looked for a scooter, the share in which one was booked.",
    unit="share",
    table=SESSIONS,
    parts={
        "searching_booked_sessions": "count(*) filter (where is_searching and is_booked)",
        "searching_sessions": "count(*) filter (where is_searching)",
    },
    numerator="searching_booked_sessions",
    denominator="searching_sessions",
)
EVENTS_PER_USER = Metric(
    name="events_per_user",
    title="Events per user",
    meaning="Events of the product divided by the distinct users with an event, those of demo corporations included.",
    unit="events per user",
    table=EVENTS,
    parts={"events": "count(*)", "users": "count(distinct user_id)"},
    numerator="events",
    denominator="users",
    caution="Do not add up its users: whoever is in two periods or slices counts in both.",
)
EVENTS_PER_ACTIVE_DAY = Metric(
    name="events_per_active_day",
    title="Events per user and day",
    meaning="Events of the product divided by the days on which their users had any. A day counts for each user and "
    "corporation; days without an event do not count.",
    unit="events per user and day",
    table=EVENTS,
    parts={"events": "count(*)", "active_days": "count(distinct (event_date, user_id, user_corporate_id))"},
    numerator="events",
    denominator="active_days",
    caution="Its days add up over periods, and not over slices.",
)
PACE_IN_BAND_RATE = Metric(
    name="pace_in_band_rate",
    title="Pace adherence",
    meaning="Laps inside the pace band of their workout step, divided by the laps that have a band and a speed.",
    unit="share",
    table=LAPS,
    parts={
        "in_band_laps": "count(*) filter (where pace_status = 'in_band')",
        "judged_laps": "count(*) filter (where pace_status in ('faster', 'in_band', 'slower'))",
    },
    numerator="in_band_laps",
    denominator="judged_laps",
)
PACE_DIFFERENCE = Metric(
    name="pace_difference",
    title="Difference to the target pace",
    meaning="Pace of the laps compared with the average target pace, weighted by time; below zero is faster.",
    unit="s/km",
    table=LAPS,
    parts={
        "difference_s2_per_km": _exact_sum("laps.difference_s2_per_km"),
        "compared_time_ms": "sum(laps.compared_time_ms)",
    },
    numerator="difference_s2_per_km",
    denominator="compared_time_ms",
    factor=1000,
)
PLAN_DISTANCE = Metric(
    name="plan_distance",
    title="Plan distance per user",
    meaning="Planned distance of the workouts that were run, divided by the distinct users who ran any.",
    unit="km",
    table=PLAN_WEEKS,
    parts={"workout_distance_m": _exact_sum("workout_distance_m"), "users": "count(distinct user_id)"},
    numerator="workout_distance_m",
    denominator="users",
    divisor=1000,
    caution="Do not add up its users: whoever ran in two weeks of a plan counts in both.",
)
PLAN_DISTANCE_CHANGE = Metric(
    name="plan_distance_change",
    title="Plan distance, week on week",
    meaning="Change of the planned distance from the week of the plan before, over users with a known distance in both "
    "weeks.",
    unit="share",
    table=PLAN_WEEKS,
    parts={
        "distance_difference_m": _exact_sum("workout_distance_difference_m"),
        "previous_distance_m": _exact_sum(
            "case when workout_distance_difference_m is not null then previous_week_workout_distance_m end"
        ),
    },
    numerator="distance_difference_m",
    denominator="previous_distance_m",
)
KUDOS_CHANGE_RATE = Metric(
    name="kudos_change_rate",
    title="Kudos, week on week",
    meaning="Change of the kudos of a week's runs from those of the runs of the week before, as last read. NULL in the "
    "very first week, and after a week without kudos.",
    unit="share",
    table=KUDOS_WEEKS,
    parts={
        "kudos_change": "sum(kudos_change)",
        "previous_week_total_kudos": "sum(previous_week_total_kudos)",
    },
    numerator="kudos_change",
    denominator="previous_week_total_kudos",
)

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            ACTIVE_USERS,
            NEW_USERS,
            RETURNING_USERS,
            RESURRECTED_USERS,
            CHURNED_USERS,
            RETENTION_RATE,
            ENGAGED_HOURS,
            LEARNING_ACTIVE_USERS,
            COMPLETION_RATE,
            PLAYED_HOURS_AS_SENT,
            PLAYED_HOURS,
            BOOKING_RATE,
            SEARCHING_BOOKING_RATE,
            EVENTS_PER_USER,
            EVENTS_PER_ACTIVE_DAY,
            PACE_IN_BAND_RATE,
            PACE_DIFFERENCE,
            PLAN_DISTANCE,
            PLAN_DISTANCE_CHANGE,
            KUDOS_CHANGE_RATE,
        )
    }
)


def metrics_of(table: str) -> list[Metric]:
    """The metrics that need a table (`schema.table`)."""
    return [metric for metric in METRICS.values() if table in metric.table.marts]

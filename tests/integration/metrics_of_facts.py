"""Each metric as SQL over the facts, and over the marts that show it."""

from collections.abc import Sequence

UNITS = """
    select 'runna' as source, user_id, activity_date as day, moving_time_ms as ms from training.fct__activities
    union all select 'strava', 'athlete', activity_date, moving_time_s * 1000
        from strava.fct__strava_activities where not is_deleted
    union all select 'user_events', user_id, event_date, null from product.fct__user_events
    union all select 'mobile', anonymous_id, session_date, duration_ms from mobility.fct__mobile_sessions
    union all select 'lingokids', user_id, event_date, least(duration_ms, 3600000) from learning.fct__activity_exits
"""


USER_WEEKS = f"select distinct source, user_id, date_trunc('week', day) as week from ({UNITS}) where day is not null"


def came_and_went(this_week: str, condition: str) -> str:
    """Users by source and week, of those who were active in the week (or the one before) and meet the condition."""
    return f"""
        select ({this_week})::date, source, count(*) from ({USER_WEEKS}) as now
        where {condition} and {this_week} in (select week from ({USER_WEEKS}) as weeks where weeks.source = now.source)
        group by all
    """


def was_active(week: str, comparison: str = "=") -> str:
    return (
        f"exists (select 1 from ({USER_WEEKS}) as other where other.source = now.source "
        f"and other.user_id = now.user_id and other.week {comparison} {week})"
    )


BEFORE = "now.week - interval 7 day"
AFTER = "now.week + interval 7 day"


SESSIONS = (
    "select date_trunc('week', session_date)::date, zone, os_name, {} from mobility.fct__mobile_sessions group by all"
)


LAPS = """
    select date_trunc('week', activity_date)::date as week, laps.moving_time_ms, average_speed_m_per_s as speed,
        pace_average_m_per_s as target, pace_slow_m_per_s as slow, pace_fast_m_per_s as fast
    from training.lap_pace_adherence as laps inner join training.fct__activities using (activity_id)
    where activity_date is not null
"""


# By what is asked, and SQL over the facts that says the same in another way.
FACTS: dict[str, tuple[Sequence[str], str]] = {
    "active_users": ([], f"select week::date, source, count(*) from ({USER_WEEKS}) group by all"),
    "new_users": ([], came_and_went("now.week", f"not {was_active('now.week', '<')}")),
    "returning_users": ([], came_and_went("now.week", was_active(BEFORE))),
    "resurrected_users": (
        [],
        came_and_went("now.week", f"{was_active('now.week', '<')} and not {was_active(BEFORE)}"),
    ),
    # A week in which nobody was active has lost everybody of the week before.
    "churned_users": (
        [],
        f"select ({AFTER})::date, source, count(*) from ({USER_WEEKS}) as now where not {was_active(AFTER)} "
        f"and now.week < (select max(week) from ({USER_WEEKS})) group by all",
    ),
    "retention_rate": (
        [],
        f"""
        with cohorts as (
            select source, user_id, week, min(week) over (partition by source, user_id) as cohort from ({USER_WEEKS})
        ),
        counted as (
            select source, cohort, date_diff('day', cohort, week) // 7 as weeks_since, count(*) as users
            from cohorts group by all
        )
        select cohort::date, source, weeks_since, users / max(users) over (partition by source, cohort) from counted
        """,
    ),
    "engaged_hours": (
        [],
        f"select date_trunc('week', day)::date, source, sum(ms) / 3.6e6 from ({UNITS}) where day is not null "
        "group by all",
    ),
    "learning_active_users": (
        ["country_code", "activity_type"],
        "select date_trunc('week', event_date)::date, country_code, activity_type, len(list(distinct user_id)) "
        "from learning.fct__activity_exits group by all",
    ),
    "completion_rate": (
        ["country_code", "os_name"],
        "select date_trunc('week', occurred_at)::date, country_code, os_name, avg(if(is_completed, 1, 0)) "
        "from learning.fct__activity_exits group by all",
    ),
    "played_hours_as_sent": (
        ["subscription_status"],
        "select date_trunc('week', event_date)::date, subscription_status, sum(duration_ms) / 3.6e6 "
        "from learning.fct__activity_exits group by all",
    ),
    "played_hours": (
        ["activity_id"],
        "select date_trunc('week', event_date)::date, activity_id, sum(least(duration_ms, 3600000)) / 3.6e6 "
        "from learning.fct__activity_exits group by all",
    ),
    "booking_rate": (["zone", "os_name"], SESSIONS.format("avg(is_booked::int)")),
    "searching_booking_rate": (["zone", "os_name"], SESSIONS.format("avg(if(is_searching, is_booked::int, null))")),
    "events_per_user": (
        ["event_type"],
        """
        with users as (
            select date_trunc('week', event_date)::date as week, event_type, user_id, count(*) as events
            from product.fct__user_events group by all
        )
        select week, event_type, avg(events) from users group by all
        """,
    ),
    "events_per_active_day": (
        [],
        """
        with days as (select event_date, user_id, user_corporate_id, count(*) as events
            from product.fct__user_events group by all)
        select date_trunc('week', event_date)::date, avg(events) from days group by all
        """,
    ),
    "pace_in_band_rate": (
        [],
        f"""
        select week, avg((speed between coalesce(slow, 0) and coalesce(fast, speed))::int) from ({LAPS})
        where speed is not null and coalesce(slow, fast) is not null group by all
        """,
    ),
    "pace_difference": (
        [],
        f"""
        select week, sum((1000 / speed - 1000 / target) * moving_time_ms) / sum(moving_time_ms) from ({LAPS})
        where speed > 0 and target > 0 group by all
        """,
    ),
    "plan_distance": (
        ["week_of_plan"],
        "select week_of_plan, avg(metres) / 1000 from (select week_of_plan, user_id, sum(workout_distance_m) as metres "
        "from training.weekly_plan_distance group by all) group by all",
    ),
    "plan_distance_change": (
        ["week_of_plan"],
        "select now.week_of_plan, sum(now.workout_distance_m) / sum(before.workout_distance_m) - 1 "
        "from training.weekly_plan_distance as now inner join training.weekly_plan_distance as before "
        "on now.user_id = before.user_id and now.plan_id = before.plan_id "
        "and now.week_of_plan = before.week_of_plan + 1 "
        "where now.workout_distance_m is not null and before.workout_distance_m is not null group by all",
    ),
    "kudos_change_rate": (
        [],
        """
        with weeks as (select date_trunc('week', activity_date)::date as week, sum(kudos_count) as kudos
            from strava.fct__strava_activities where is_run and not is_deleted group by all)
        select now.week, now.kudos / before.kudos - 1 from weeks as now
        inner join weeks as before on now.week = before.week + 7
        """,
    ),
}


# The same from the marts, where a mart has the metric or its parts.
MARTS: dict[str, tuple[Sequence[str], str]] = {
    **{
        name: ([], f"select week_start_date, source, {name} from engagement.weekly_engagement")
        for name in (
            "active_users",
            "new_users",
            "returning_users",
            "resurrected_users",
            "churned_users",
            "engaged_hours",
        )
    },
    "retention_rate": (
        [],
        "select cohort_week_start_date, source, weeks_since, retention_rate from engagement.weekly_retention",
    ),
    "learning_active_users": (
        ["country_code"],
        "select period_start_date, dimension_value, active_users from learning.learning_active_users "
        "where grain = 'week' and dimension_name = 'country_code'",
    ),
    "completion_rate": (
        ["os_version"],
        "select week_start_date, os_version, sum(completed_plays) / sum(plays) from learning.engagement_weekly "
        "group by all",
    ),
    "booking_rate": (
        ["zone", "os_name"],
        "select week_start_date, zone, os_name, booking_rate from mobility.weekly_booking_conversion",
    ),
    "searching_booking_rate": (
        ["zone", "os_name"],
        "select week_start_date, zone, os_name, searching_booking_rate from mobility.weekly_booking_conversion",
    ),
    "events_per_user": (
        [],
        "select week_start_date, sum(event_count) / active_users from product.weekly_user_event_summary "
        "inner join product.weekly_active_users using (week_start_date) group by week_start_date, active_users",
    ),
    "events_per_active_day": (
        [],
        "select week_start_date, sum(event_count) / sum(active_days) from product.weekly_user_event_summary "
        "group by all",
    ),
    "kudos_change_rate": (
        ["workout_type_name"],
        "select week_start_date, workout_type_name, kudos_change_pct / 100 from strava.strava_weekly_kudos_change",
    ),
}

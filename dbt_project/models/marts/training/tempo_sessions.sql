{{ config(materialized = 'table') }}

{% set end_date = var('tempo_sessions_end_date') %}
{% set given_end_date = "date '" ~ end_date ~ "'" if end_date else 'null' %}

-- The period ends on the newest batch date that was loaded, with or without files, or on a
-- configured day. It never depends on the clock, so that a rerun gives the same result.
with

activities as (

    select * from {{ ref('fct__activities') }}

),

activities_latest as (

    select * from {{ ref('int_runna_activities_latest') }}

),

batch_dates as (

    select * from {{ ref('stg_runna__batch_dates') }}

),

period_ends as (

    select coalesce({{ given_end_date }}, max(batch_date)) as period_end_date
    from batch_dates

),

periods as (

    select
        cast(
            period_end_date
            + interval '1' day
            - interval '{{ var("tempo_sessions_months") }}' month
            as date
        ) as period_start_date,
        period_end_date

    from period_ends

),

tempo_activities as (

    select
        activities.*,
        periods.period_start_date,
        periods.period_end_date

    from activities
    inner join activities_latest on activities.activity_id = activities_latest.activity_id
    inner join periods
        on
            activities.activity_date >= periods.period_start_date
            and activities.activity_date <= periods.period_end_date
    where
        activities.is_completed
        and activities_latest.run_type = 'TEMPO'

),

numbered_within_workout as (

    select
        *,
        {{ position_in_planned_workout() }} as position_in_workout

    from tempo_activities

),

tempo_sessions as (

    select
        ---------- ids
        cast(activity_id as string) as activity_id,
        cast(user_id as string) as user_id,
        cast(plan_id as string) as plan_id,
        cast(workout_id as string) as workout_id,

        ---------- numerics
        cast(distance_m as double) as distance_m,
        cast(moving_time_ms as bigint) as moving_time_ms,

        ---------- dates and timestamps
        cast(activity_date as date) as activity_date,
        cast(period_start_date as date) as period_start_date,
        cast(period_end_date as date) as period_end_date,
        cast(created_at as timestamp) as created_at

    from numbered_within_workout
    where position_in_workout = 1

)

select * from tempo_sessions

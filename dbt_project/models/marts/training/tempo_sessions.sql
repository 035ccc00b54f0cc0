{{ config(materialized = 'table') }}

{% set end_date = var('tempo_sessions_end_date') %}
{% set given_end_date = "date '" ~ end_date ~ "'" if end_date else 'null' %}

-- The period ends at the newest batch in the lake, or at a given day; never at the wall clock, so
-- that a rerun gives the same answer.
with

activities as (

    select * from {{ ref('fct__activities') }}

),

activities_latest as (

    select * from {{ ref('int_runna_activities_latest') }}

),

activities_by_batch_date as (

    select * from {{ ref('int_runna_activities_by_batch_date') }}

),

period_ends as (

    select coalesce({{ given_end_date }}, max(batch_date)) as period_end_date
    from activities_by_batch_date
    where is_in_lake

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

tempo_sessions as (

    select
        ---------- ids
        cast(activities.activity_id as string) as activity_id,
        cast(activities.user_id as string) as user_id,
        cast(activities.plan_id as string) as plan_id,
        cast(activities.workout_id as string) as workout_id,

        ---------- numerics
        cast(activities.distance_m as double) as distance_m,
        cast(activities.moving_time_ms as bigint) as moving_time_ms,

        ---------- dates and timestamps
        cast(activities.activity_date as date) as activity_date,
        cast(periods.period_start_date as date) as period_start_date,
        cast(periods.period_end_date as date) as period_end_date,
        cast(activities.created_at as timestamp) as created_at

    from activities
    inner join activities_latest on activities.activity_id = activities_latest.activity_id
    inner join periods
        on
            activities.activity_date >= periods.period_start_date
            and activities.activity_date <= periods.period_end_date
    where
        activities.is_completed
        and activities_latest.run_type = 'TEMPO'

)

select * from tempo_sessions

{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_runna_activities_by_batch_date',
        changed_key = 'workout_id',
    )
}}

-- depends_on: {{ ref('int_runna_activities_by_batch_date') }}
with

workouts_by_batch_date as (

    select * from {{ ref('int_runna_workouts_by_batch_date') }}
    {% if is_incremental() %}
        where workout_id in {{ changed_keys() }}
    {% endif %}

),

workout_steps_latest as (

    select * from {{ ref('int_runna_workout_steps_latest') }}

),

numbered_newest_first as (

    select
        *,
        row_number() over (
            partition by workout_id
            order by batch_date desc
        ) as position_from_newest

    from workouts_by_batch_date

),

newest as (

    select * from numbered_newest_first
    where position_from_newest = 1

),

workouts as (

    select
        cast(newest.workout_id as string) as workout_id,
        cast(newest.workout_type as string) as workout_type,
        cast(newest.run_type as string) as run_type,
        cast(newest.workout_distance as double) as distance,
        cast(newest.unit_of_measure as string) as unit_of_measure,
        cast(workout_steps_latest.step_count as bigint) as step_count

    from newest
    left join workout_steps_latest on newest.workout_id = workout_steps_latest.workout_id

)

select * from workouts

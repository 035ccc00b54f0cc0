{{ config(materialized = 'view') }}

with

activities as (

    select * from {{ ref('int_runna_activities_by_batch_date') }}

),

activities_latest as (

    select * from {{ ref('int_runna_activities_latest') }}

),

activities_changed as (

    select * from {{ ref('int_runna_activities_changed') }}

),

workout_steps_latest as (

    select * from {{ ref('int_runna_workout_steps_latest') }}

),

activities_of_workouts_with_other_steps as (

    select
        activities.activity_id,
        activities.batch_date,
        activities.user_id,
        activities.plan_id,
        activities.workout_id,
        workout_steps_latest.change_number

    from workout_steps_latest
    inner join activities_latest
        on workout_steps_latest.workout_id = activities_latest.workout_id
    inner join activities on activities_latest.activity_id = activities.activity_id

),

activities_to_rebuild as (

    select
        activity_id,
        batch_date,
        user_id,
        plan_id,
        workout_id,
        change_number

    from activities_changed

    union all

    select
        activity_id,
        batch_date,
        user_id,
        plan_id,
        workout_id,
        change_number

    from activities_of_workouts_with_other_steps

)

select * from activities_to_rebuild

{{ config(materialized = 'view') }}

-- A batch that is older than the activity's newest one changes no table. All users, plans and
-- workouts that any batch gave to the activity are listed, so that those which the activity has
-- left are rebuilt as well.
with

activities as (

    select * from {{ ref('int_runna_activities_by_batch_date') }}

),

activities_latest as (

    select * from {{ ref('int_runna_activities_latest') }}

),

activities_changed as (

    select
        activities.activity_id,
        activities.change_number

    from activities
    left join activities_latest on activities.activity_id = activities_latest.activity_id
    where
        activities_latest.activity_id is null
        or activities.batch_date >= activities_latest.batch_date

),

activities_named as (

    select
        activities.activity_id,
        activities.batch_date,
        activities.user_id,
        activities.plan_id,
        activities.workout_id,
        activities_changed.change_number

    from activities_changed
    inner join activities on activities_changed.activity_id = activities.activity_id

)

select * from activities_named

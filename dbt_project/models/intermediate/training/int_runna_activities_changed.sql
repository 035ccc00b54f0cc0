{{ config(materialized = 'view') }}

-- A batch that is older than the activity's newest one changes nothing that counts. The names that
-- any batch gave to the activity are all here, so that the user, plan and workout that it has
-- left are built again as well.
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

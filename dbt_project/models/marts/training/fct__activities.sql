{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_runna_activities_to_rebuild',
        changed_key = 'activity_id',
    )
}}

-- depends_on: {{ ref('int_runna_activities_to_rebuild') }}
with

activities as (

    select * from {{ ref('int_runna_activities_latest') }}
    {% if is_incremental() %}
        where activity_id in {{ changed_keys() }}
    {% endif %}

),

laps as (

    select * from {{ ref('bdg__activity_to_laps') }}

),

workout_steps_latest as (

    select * from {{ ref('int_runna_workout_steps_latest') }}

),

workout_steps as (

    select * from {{ ref('bdg__workout_to_steps') }}

),

laps_summed as (

    select
        laps.activity_id,
        count(*) as lap_count,
        count(workout_steps.surrogate_key) as steps_covered,
        {{ exact_sum('laps.distance_m') }} as distance_m,
        sum(laps.moving_time_ms) as moving_time_ms

    from activities
    inner join laps
        on
            activities.activity_id = laps.activity_id
            and activities.batch_date = laps.batch_date
    left join workout_steps
        on laps.workout_step_surrogate_key = workout_steps.surrogate_key
    group by laps.activity_id

),

activities_with_laps_and_steps as (

    select
        activities.*,
        laps_summed.distance_m,
        laps_summed.moving_time_ms,
        workout_steps_latest.step_count,
        coalesce(laps_summed.lap_count, 0) as laps_found,
        case
            when workout_steps_latest.step_count is not null
                then coalesce(laps_summed.steps_covered, 0)
        end as steps_covered

    from activities
    left join laps_summed on activities.activity_id = laps_summed.activity_id
    left join workout_steps_latest on activities.workout_id = workout_steps_latest.workout_id

),

final as (

    select
        ---------- ids
        cast(activity_id as string) as activity_id,
        cast(user_id as string) as user_id,
        cast(plan_id as string) as plan_id,
        cast(workout_id as string) as workout_id,

        ---------- strings
        cast(record_type as string) as record_type,
        cast(unit_of_measure as string) as unit_of_measure,
        cast(source_path as string) as source_path,

        ---------- numerics
        cast(week_of_plan as bigint) as week_of_plan,
        cast(current_est_5k_time_s as bigint) as current_est_5k_time_s,
        cast(laps_found as bigint) as lap_count,
        cast(step_count as bigint) as step_count,
        cast(steps_covered as bigint) as steps_covered,
        cast(distance_m as double) as distance_m,
        cast(moving_time_ms as bigint) as moving_time_ms,

        ---------- booleans
        cast(case when step_count > 0 then steps_covered = step_count end as boolean)
            as is_completed,

        ---------- dates and timestamps
        cast(created_at as date) as activity_date,
        cast(planned_workout_date as date) as planned_workout_date,
        cast(batch_date as date) as batch_date,
        cast(created_at as timestamp) as created_at,
        cast(extracted_at as timestamp) as extracted_at

    from activities_with_laps_and_steps

)

select * from final

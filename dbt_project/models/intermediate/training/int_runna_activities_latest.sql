{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_runna_activities_by_batch_date',
        changed_key = 'activity_id',
    )
}}

with

activities as (

    select * from {{ ref('int_runna_activities_by_batch_date') }}
    {% if is_incremental() %}
        where activity_id in {{ changed_keys() }}
    {% endif %}

),

numbered_newest_first as (

    select
        *,
        row_number() over (
            partition by activity_id
            order by batch_date desc, source_path desc
        ) as position_from_newest

    from activities
    where is_in_lake

),

latest as (

    select
        activity_id,
        user_id,
        plan_id,
        workout_id,
        record_type,
        unit_of_measure,
        run_type,
        source_path,
        week_of_plan,
        workout_distance,
        current_est_5k_time_s,
        lap_count,
        planned_workout_date,
        batch_date,
        created_at,
        extracted_at

    from numbered_newest_first
    where position_from_newest = 1

)

select * from latest

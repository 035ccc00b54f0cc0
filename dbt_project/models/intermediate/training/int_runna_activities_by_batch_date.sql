{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_window',
        day_column = 'batch_date',
        tags = ['windowed'],
    )
}}

-- Keeps the lake's activities in the warehouse, batch by batch, and is the change log of the area.
-- A row that has left the lake stays, marked as such, so that everything that was built from it is
-- found and rebuilt.
with

activities as (

    select * from {{ ref('stg_runna__activities') }}
    {% if is_incremental() %}
        where {{ in_window('batch_date') }}
    {% endif %}

),

no_longer_in_lake as (

    select
        activity_id,
        batch_date,
        user_id,
        plan_id,
        workout_id

    from {{ this if is_incremental() or previous_build_exists() else 'activities' }}
    {% if is_incremental() %}
        where {{ in_window('batch_date') }}
    {% endif %}

    except

    select
        activity_id,
        batch_date,
        user_id,
        plan_id,
        workout_id

    from activities

),

activities_ever_in_lake as (

    select
        activity_id,
        batch_date,
        user_id,
        plan_id,
        workout_id,
        record_type,
        unit_of_measure,
        workout_type,
        run_type,
        steps_md5,
        source_path,
        plan_length_weeks,
        week_of_plan,
        workout_distance,
        current_est_5k_time_s,
        lap_count,
        step_count,
        planned_workout_date,
        created_at,
        extracted_at,
        true as is_in_lake

    from activities

    union all

    select
        activity_id,
        batch_date,
        user_id,
        plan_id,
        workout_id,
        null as record_type,
        null as unit_of_measure,
        null as workout_type,
        null as run_type,
        null as steps_md5,
        null as source_path,
        null as plan_length_weeks,
        null as week_of_plan,
        null as workout_distance,
        null as current_est_5k_time_s,
        null as lap_count,
        null as step_count,
        null as planned_workout_date,
        null as created_at,
        null as extracted_at,
        false as is_in_lake

    from no_longer_in_lake

)

select
    *,
    {{ next_change_number() }} as change_number

from activities_ever_in_lake

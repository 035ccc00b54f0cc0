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

workout_steps_latest as (

    select * from {{ ref('int_runna_workout_steps_latest') }}
    {% if is_incremental() %}
        where workout_id in {{ changed_keys() }}
    {% endif %}

),

steps_of_activities as (

    select * from {{ ref('stg_runna__workout_steps') }}
    {% if is_incremental() %}
        where
            {{
                on_days_of(
                    'batch_date',
                    'select steps_batch_date from ' ~ ref('int_runna_workout_steps_latest')
                    ~ ' where steps_md5 is not null and workout_id in ' ~ changed_keys()
                )
            }}
    {% endif %}

),

workout_steps as (

    select
        ---------- ids
        cast(
            {{ workout_step_key('latest.workout_id', 'steps.step_index') }} as string
        ) as surrogate_key,
        cast(latest.workout_id as string) as workout_id,

        ---------- strings
        cast(steps.step_type as string) as step_type,
        cast(steps.intensity as string) as intensity,
        cast(steps.duration_type as string) as duration_type,
        cast(steps.duration_value_type as string) as duration_value_type,
        cast(steps.target_type as string) as target_type,
        cast(steps.paces_json as string) as paces_json,

        ---------- numerics
        cast(steps.step_index as bigint) as step_index,
        cast(steps.step_order as bigint) as step_order,
        cast(steps.repeat_number as bigint) as repeat_number,
        cast(steps.duration_value as double) as duration_value,
        cast(steps.pace_slow_m_per_s as double) as pace_slow_m_per_s,
        cast(steps.pace_average_m_per_s as double) as pace_average_m_per_s,
        cast(steps.pace_fast_m_per_s as double) as pace_fast_m_per_s

    from workout_steps_latest as latest
    inner join steps_of_activities as steps
        on
            latest.steps_activity_id = steps.activity_id
            and latest.steps_batch_date = steps.batch_date
            and latest.steps_source_path = steps.source_path

)

select * from workout_steps

{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_runna_activities_changed',
        changed_key = '(activity_id, batch_date)',
        changed_key_in_log = 'activity_id, batch_date',
    )
}}

-- depends_on: {{ ref('int_runna_activities_changed') }}
with

activities as (

    select * from {{ ref('int_runna_activities_latest') }}
    {% if is_incremental() %}
        where (activity_id, batch_date) in {{ changed_keys() }}
    {% endif %}

),

laps_of_batches as (

    select * from {{ ref('stg_runna__activity_laps') }}
    {% if is_incremental() %}
        where
            {{
                on_days_of(
                    'batch_date',
                    'select batch_date from ' ~ ref('int_runna_activities_latest')
                    ~ ' where (activity_id, batch_date) in ' ~ changed_keys()
                )
            }}
    {% endif %}

),

laps as (

    select
        ---------- ids
        cast(
            laps_of_batches.activity_id || '::' || cast(laps_of_batches.lap_index as string)
            as string
        ) as surrogate_key,
        cast(
            {{ workout_step_key('activities.workout_id', 'laps_of_batches.lap_index') }} as string
        ) as workout_step_surrogate_key,
        cast(laps_of_batches.activity_id as string) as activity_id,
        cast(activities.workout_id as string) as workout_id,

        ---------- numerics
        cast(laps_of_batches.lap_index as bigint) as lap_index,
        cast(laps_of_batches.distance_m as double) as distance_m,
        cast(laps_of_batches.moving_time_ms as bigint) as moving_time_ms,
        cast(laps_of_batches.total_time_ms as bigint) as total_time_ms,
        cast(laps_of_batches.average_speed_m_per_s as double) as average_speed_m_per_s,
        cast(laps_of_batches.max_speed_m_per_s as double) as max_speed_m_per_s,
        cast(laps_of_batches.average_cadence as double) as average_cadence,
        cast(laps_of_batches.max_cadence as double) as max_cadence,
        cast(laps_of_batches.average_heart_rate as double) as average_heart_rate,
        cast(laps_of_batches.max_heart_rate as double) as max_heart_rate,
        cast(laps_of_batches.min_heart_rate as double) as min_heart_rate,
        cast(laps_of_batches.elevation_gain_m as double) as elevation_gain_m,
        cast(laps_of_batches.max_elevation_m as double) as max_elevation_m,
        cast(laps_of_batches.min_elevation_m as double) as min_elevation_m,
        cast(
            laps_of_batches.workout_template_step_index as bigint
        ) as workout_template_step_index,

        ---------- dates and timestamps
        cast(laps_of_batches.batch_date as date) as batch_date,
        cast(laps_of_batches.started_at as timestamp) as started_at

    from activities
    inner join laps_of_batches
        on
            activities.activity_id = laps_of_batches.activity_id
            and activities.batch_date = laps_of_batches.batch_date
            and activities.source_path = laps_of_batches.source_path

)

select * from laps

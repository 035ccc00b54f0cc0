{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_runna_activities_changed',
        changed_key = '(workout_id, user_id)',
        changed_key_in_log = 'workout_id, user_id',
    )
}}

-- depends_on: {{ ref('int_runna_activities_changed') }}
with

activities as (

    select * from {{ ref('int_runna_activities_latest') }}
    {% if is_incremental() %}
        where (workout_id, user_id) in {{ changed_keys() }}
    {% endif %}

),

laps as (

    select
        *,
        -- Whole nanometres, so that the sums do not depend on the order of the rows.
        cast({{ fixed_point('average_speed_m_per_s', 9) }} as decimal(19, 0)) as speed_nm_per_s

    from {{ ref('bdg__activity_to_laps') }}

),

laps_summed as (

    select
        activities.workout_id,
        laps.lap_index,
        activities.user_id,
        count(*) as lap_count,
        sum(laps.moving_time_ms) as moving_time_ms,
        sum(laps.speed_nm_per_s * cast(laps.moving_time_ms as decimal(18, 0))) as speed_time_pm

    from activities
    inner join laps
        on
            activities.activity_id = laps.activity_id
            and activities.batch_date = laps.batch_date
    where
        activities.workout_id is not null
        and laps.speed_nm_per_s is not null
        and laps.moving_time_ms > 0
    group by
        activities.workout_id,
        laps.lap_index,
        activities.user_id

),

final as (

    select
        ---------- ids
        cast({{ workout_step_key('workout_id', 'lap_index') }} as string)
            as workout_step_surrogate_key,
        cast(workout_id as string) as workout_id,
        cast(user_id as string) as user_id,

        ---------- numerics
        cast(lap_index as bigint) as step_index,
        cast(lap_count as bigint) as lap_count,
        cast(moving_time_ms as bigint) as moving_time_ms,
        cast(speed_time_pm as double) / 1e9 as speed_time_mm,
        cast(speed_time_pm as double) / 1e9 / moving_time_ms as average_speed_m_per_s

    from laps_summed

)

select * from final

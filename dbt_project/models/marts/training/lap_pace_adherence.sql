{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_runna_activities_to_rebuild',
        changed_key = '(activity_id, batch_date)',
        changed_key_in_log = 'activity_id, batch_date',
    )
}}

-- depends_on: {{ ref('int_runna_activities_to_rebuild') }}
with

activities as (

    select * from {{ ref('int_runna_activities_latest') }}
    {% if is_incremental() %}
        where (activity_id, batch_date) in {{ changed_keys() }}
    {% endif %}

),

laps as (

    select * from {{ ref('bdg__activity_to_laps') }}

),

workout_steps as (

    select * from {{ ref('bdg__workout_to_steps') }}

),

laps_beside_their_steps as (

    select
        laps.activity_id,
        laps.lap_index,
        activities.user_id,
        laps.workout_id,
        workout_steps.step_index,
        laps.moving_time_ms,
        laps.average_speed_m_per_s,
        workout_steps.pace_slow_m_per_s,
        workout_steps.pace_average_m_per_s,
        workout_steps.pace_fast_m_per_s,
        laps.batch_date,
        -- Seconds per kilometre, as run and as targeted; NULL at a speed of 0.
        1000.0 / nullif(laps.average_speed_m_per_s, 0)
        - 1000.0 / nullif(workout_steps.pace_average_m_per_s, 0) as difference_s_per_km

    from activities
    inner join laps
        on
            activities.activity_id = laps.activity_id
            and activities.batch_date = laps.batch_date
    left join workout_steps
        on laps.workout_step_surrogate_key = workout_steps.surrogate_key

),

laps_compared as (

    select
        *,
        case
            when pace_slow_m_per_s is null and pace_fast_m_per_s is null then 'no_target'
            when average_speed_m_per_s > pace_fast_m_per_s then 'faster'
            when average_speed_m_per_s < pace_slow_m_per_s then 'slower'
            when average_speed_m_per_s is not null then 'in_band'
        end as pace_status,
        -- To the sixth decimal, so that sums do not depend on the order of the rows. A value that
        -- does not fit comes from a lap that stood still and has no pace.
        cast({{ fixed_point('difference_s_per_km * moving_time_ms / 1e3', 6) }} as double) / 1e6
            as difference_s2_per_km

    from laps_beside_their_steps

),

final as (

    select
        ---------- ids
        cast(activity_id as string) as activity_id,
        cast(user_id as string) as user_id,
        cast(workout_id as string) as workout_id,

        ---------- strings
        cast(pace_status as string) as pace_status,

        ---------- numerics
        cast(lap_index as bigint) as lap_index,
        cast(step_index as bigint) as step_index,
        cast(average_speed_m_per_s as double) as average_speed_m_per_s,
        cast(pace_slow_m_per_s as double) as pace_slow_m_per_s,
        cast(pace_average_m_per_s as double) as pace_average_m_per_s,
        cast(pace_fast_m_per_s as double) as pace_fast_m_per_s,
        cast(difference_s_per_km as double) as difference_s_per_km,
        cast(moving_time_ms as bigint) as moving_time_ms,
        cast(case when difference_s2_per_km is not null then moving_time_ms end as bigint)
            as compared_time_ms,
        cast(difference_s2_per_km as double) as difference_s2_per_km,

        ---------- dates
        cast(batch_date as date) as batch_date

    from laps_compared

)

select * from final

{{ config(materialized = 'view') }}

-- A view: one fast lap can change the ranks of everybody who ever ran the workout, so that stored
-- ranks would be rewritten every day. With a filter on a workout it reads that workout alone.
with

step_speeds as (

    select * from {{ ref('workout_step_speeds') }}

),

workout_steps as (

    select * from {{ ref('bdg__workout_to_steps') }}

),

ranked as (

    select
        step_speeds.workout_id,
        step_speeds.step_index,
        step_speeds.user_id,
        step_speeds.lap_count,
        step_speeds.moving_time_ms,
        step_speeds.speed_time_mm,
        step_speeds.average_speed_m_per_s,
        -- Speeds that agree to the nanometre per second are equal: the quotient of two exact sums
        -- has a smaller error.
        rank() over (
            partition by step_speeds.workout_id, step_speeds.step_index
            order by round(step_speeds.average_speed_m_per_s, 9) desc
        ) as speed_rank

    from step_speeds
    -- A lap after the last step performs no step.
    inner join workout_steps
        on step_speeds.workout_step_surrogate_key = workout_steps.surrogate_key

),

final as (

    select
        ---------- ids
        cast(workout_id as string) as workout_id,
        cast(user_id as string) as user_id,

        ---------- numerics
        cast(step_index as bigint) as step_index,
        cast(speed_rank as bigint) as speed_rank,
        cast(lap_count as bigint) as lap_count,
        cast(moving_time_ms as bigint) as moving_time_ms,
        cast(speed_time_mm as double) as speed_time_mm,
        cast(average_speed_m_per_s as double) as average_speed_m_per_s

    from ranked

)

select * from final

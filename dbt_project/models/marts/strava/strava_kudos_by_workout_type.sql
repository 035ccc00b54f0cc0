with

runs as (

    select
        *,
        -- The average over the time run uses only runs that have both a distance and a time.
        distance_m is not null and moving_time_s > 0 as is_timed

    from {{ ref('fct__strava_activities') }}
    where is_run and not is_deleted

),

runs_by_workout_type as (

    select
        workout_type_name,
        kudos_count,
        average_speed_m_per_s,
        case when is_timed then distance_m end as timed_distance_m,
        case when is_timed then moving_time_s end as timed_moving_time_s

    from runs

),

workout_types_summed as (

    select
        workout_type_name,
        count(*) as run_count,
        count(kudos_count) as runs_with_kudos_count,
        count(average_speed_m_per_s) as runs_with_speed_count,
        coalesce(sum(kudos_count), 0) as total_kudos,
        {{ exact_sum('average_speed_m_per_s') }} as total_speed_m_per_s,
        {{ exact_sum('timed_distance_m') }} as timed_distance_m,
        sum(timed_moving_time_s) as timed_moving_time_s

    from runs_by_workout_type
    group by workout_type_name

),

final as (

    select
        ---------- strings
        cast(workout_type_name as string) as workout_type_name,

        ---------- numerics
        cast(run_count as bigint) as run_count,
        cast(runs_with_kudos_count as bigint) as runs_with_kudos_count,
        cast(total_kudos as bigint) as total_kudos,
        cast(runs_with_speed_count as bigint) as runs_with_speed_count,
        cast(total_speed_m_per_s as double) as total_speed_m_per_s,
        cast(timed_distance_m as double) as timed_distance_m,
        cast(timed_moving_time_s as bigint) as timed_moving_time_s,

        ---------- ratios of these
        cast(total_kudos as double) / nullif(runs_with_kudos_count, 0) as average_kudos,
        total_speed_m_per_s / nullif(runs_with_speed_count, 0) as average_speed_m_per_s,
        timed_distance_m / nullif(timed_moving_time_s, 0) as average_speed_over_time_m_per_s

    from workout_types_summed

)

select * from final

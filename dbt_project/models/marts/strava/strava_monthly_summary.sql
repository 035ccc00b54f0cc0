with

runs as (

    select
        *,
        {{ period_start('month', 'activity_date') }} as month_start_date

    from {{ ref('fct__strava_activities') }}
    where is_run

),

-- A deleted run counts as deleted, and in no other number.
runs_by_month as (

    select
        month_start_date,
        is_deleted,
        case when not is_deleted then distance_m end as distance_m,
        case when not is_deleted then moving_time_s end as moving_time_s,
        case when not is_deleted then total_elevation_gain_m end as total_elevation_gain_m,
        case when not is_deleted then athlete_count end as athlete_count,
        case when not is_deleted then kudos_count end as kudos_count

    from runs

),

months_summed as (

    select
        month_start_date,
        count_if(not is_deleted) as run_count,
        count_if(is_deleted) as deleted_run_count,
        count(athlete_count) as runs_with_athlete_count,
        count(kudos_count) as runs_with_kudos_count,
        coalesce({{ exact_sum('distance_m') }}, 0) as total_distance_m,
        coalesce(sum(moving_time_s), 0) as total_moving_time_s,
        coalesce({{ exact_sum('total_elevation_gain_m') }}, 0) as total_elevation_gain_m,
        coalesce(sum(athlete_count), 0) as total_people,
        coalesce(sum(kudos_count), 0) as total_kudos,
        coalesce(sum(kudos_count * kudos_count), 0) as total_squared_kudos

    from runs_by_month
    group by month_start_date

),

final as (

    select
        ---------- dates
        cast(month_start_date as date) as month_start_date,

        ---------- numerics
        cast(run_count as bigint) as run_count,
        cast(deleted_run_count as bigint) as deleted_run_count,
        cast(runs_with_athlete_count as bigint) as runs_with_athlete_count,
        cast(runs_with_kudos_count as bigint) as runs_with_kudos_count,
        cast(total_distance_m as double) as total_distance_m,
        total_distance_m / cast(1609.344 as double) as total_miles,
        cast(total_moving_time_s as bigint) as total_moving_time_s,
        cast(total_moving_time_s as double) / 3600 as total_hours,
        cast(total_elevation_gain_m as double) as total_elevation_gain_m,
        cast(total_people as bigint) as total_people,
        cast(total_people as double) / nullif(runs_with_athlete_count, 0) as average_people,
        cast(total_kudos as bigint) as total_kudos,
        cast(total_squared_kudos as bigint) as total_squared_kudos,
        cast(total_kudos as double) / nullif(runs_with_kudos_count, 0) as average_kudos,
        {{ sample_deviation('runs_with_kudos_count', 'total_kudos', 'total_squared_kudos') }}
            as stddev_kudos

    from months_summed

)

select * from final

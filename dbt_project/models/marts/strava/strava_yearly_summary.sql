with

months_by_year as (

    select
        *,
        {{ period_start('year', 'month_start_date') }} as year_start_date

    from {{ ref('strava_monthly_summary') }}

),

years_summed as (

    select
        year_start_date,
        sum(run_count) as run_count,
        sum(deleted_run_count) as deleted_run_count,
        sum(runs_with_athlete_count) as runs_with_athlete_count,
        sum(runs_with_kudos_count) as runs_with_kudos_count,
        {{ exact_sum('total_distance_m') }} as total_distance_m,
        sum(total_moving_time_s) as total_moving_time_s,
        {{ exact_sum('total_elevation_gain_m') }} as total_elevation_gain_m,
        sum(total_people) as total_people,
        sum(total_kudos) as total_kudos,
        sum(total_squared_kudos) as total_squared_kudos

    from months_by_year
    group by year_start_date

),

final as (

    select
        ---------- dates
        cast(year_start_date as date) as year_start_date,

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

    from years_summed

)

select * from final

-- The months add up to the runs of the fact without deleted runs. Returns the months whose numbers
-- differ.
with

runs as (

    select
        is_deleted,
        case when not is_deleted then distance_m end as distance_m,
        case when not is_deleted then moving_time_s end as moving_time_s,
        case when not is_deleted then total_elevation_gain_m end as total_elevation_gain_m,
        case when not is_deleted then athlete_count end as athlete_count,
        case when not is_deleted then kudos_count end as kudos_count,
        {{ period_start('month', 'activity_date') }} as month_start_date

    from {{ ref('fct__strava_activities') }}
    where is_run

),

expected as (

    select
        month_start_date,
        count(*) as all_run_count,
        count_if(is_deleted) as deleted_run_count,
        coalesce({{ exact_sum('distance_m') }}, 0) as total_distance_m,
        coalesce(sum(moving_time_s), 0) as total_moving_time_s,
        coalesce({{ exact_sum('total_elevation_gain_m') }}, 0) as total_elevation_gain_m,
        coalesce(sum(athlete_count), 0) as total_people,
        coalesce(sum(kudos_count), 0) as total_kudos

    from runs
    group by month_start_date

)

select
    months.run_count,
    months.deleted_run_count,
    expected.all_run_count,
    months.total_kudos,
    expected.total_kudos as expected_total_kudos,
    coalesce(months.month_start_date, expected.month_start_date) as month_start_date

from {{ ref('strava_monthly_summary') }} as months
full outer join expected on months.month_start_date = expected.month_start_date
where
    (months.run_count + months.deleted_run_count is distinct from expected.all_run_count)
    or (months.deleted_run_count is distinct from expected.deleted_run_count)
    or (months.total_distance_m is distinct from expected.total_distance_m)
    or (months.total_moving_time_s is distinct from expected.total_moving_time_s)
    or (months.total_elevation_gain_m is distinct from expected.total_elevation_gain_m)
    or (months.total_people is distinct from expected.total_people)
    or (months.total_kudos is distinct from expected.total_kudos)

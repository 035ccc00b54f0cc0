-- Weeks and workout types add up to the same runs and kudos as the fact without deleted runs.
-- Returns the tables that differ.
with

expected as (

    select
        count(*) as run_count,
        coalesce(sum(kudos_count), 0) as total_kudos

    from {{ ref('fct__strava_activities') }}
    where is_run and not is_deleted

),

summed as (

    {% for table in ['strava_weekly_kudos_change', 'strava_kudos_by_workout_type'] %}
        select
            '{{ table }}' as table_name,
            coalesce(sum(run_count), 0) as run_count,
            coalesce(sum(total_kudos), 0) as total_kudos

        from {{ ref(table) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    summed.table_name,
    summed.run_count,
    summed.total_kudos,
    expected.run_count as expected_run_count,
    expected.total_kudos as expected_total_kudos

from summed
cross join expected
where
    summed.run_count <> expected.run_count
    or summed.total_kudos <> expected.total_kudos

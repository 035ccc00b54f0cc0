with

runs as (

    select
        *,
        {{ period_start('week', 'activity_date') }} as week_start_date

    from {{ ref('fct__strava_activities') }}
    where is_run and not is_deleted

),

weeks_generated as (

    select {{ each_week('min(week_start_date)', 'max(week_start_date)') }} as week_start_date
    from runs

),

workout_types as (

    select distinct workout_type_name from runs

),

-- Every week from the first run to the last, with or without runs.
weeks as (

    select
        cast(weeks_generated.week_start_date as date) as week_start_date,
        workout_types.workout_type_name

    from weeks_generated
    cross join workout_types

),

kudos_by_week as (

    select
        weeks.week_start_date,
        weeks.workout_type_name,
        count(runs.activity_id) as run_count,
        coalesce(sum(runs.kudos_count), 0) as total_kudos

    from weeks
    left join runs
        on
            weeks.week_start_date = runs.week_start_date
            and weeks.workout_type_name = runs.workout_type_name
    group by
        weeks.week_start_date,
        weeks.workout_type_name

),

kudos_beside_previous as (

    select
        *,
        lag(total_kudos) over (
            partition by workout_type_name order by week_start_date
        ) as previous_week_total_kudos

    from kudos_by_week

),

final as (

    select
        ---------- dates
        cast(week_start_date as date) as week_start_date,

        ---------- strings
        cast(workout_type_name as string) as workout_type_name,

        ---------- numerics
        cast(run_count as bigint) as run_count,
        cast(total_kudos as bigint) as total_kudos,
        cast(previous_week_total_kudos as bigint) as previous_week_total_kudos,
        cast(total_kudos - previous_week_total_kudos as bigint) as kudos_change,
        100 * cast(total_kudos - previous_week_total_kudos as double)
        / nullif(previous_week_total_kudos, 0) as kudos_change_pct

    from kudos_beside_previous

)

select * from final

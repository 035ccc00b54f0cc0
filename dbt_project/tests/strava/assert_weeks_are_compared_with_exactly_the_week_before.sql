-- A week is compared with the kudos of the week before, of the same workout type, and no week
-- between two others is missing.
with

weeks as (

    select * from {{ ref('strava_weekly_kudos_change') }}

)

select
    weeks.week_start_date,
    weeks.workout_type_name,
    weeks.previous_week_total_kudos,
    previous_weeks.total_kudos as expected_previous_week_total_kudos

from weeks
left join weeks as previous_weeks
    on
        weeks.week_start_date = previous_weeks.week_start_date + interval '7' day
        and weeks.workout_type_name = previous_weeks.workout_type_name
where weeks.previous_week_total_kudos is distinct from previous_weeks.total_kudos

-- No user is lost between two weeks, and no week is missing between two others: the users of the
-- week before either return or churn. Before the first week there are no users.
with

weeks as (

    select * from {{ ref('weekly_engagement') }}

),

first_weeks as (

    select
        source,
        min(week_start_date) as first_week

    from weeks
    group by source

)

select
    weeks.source,
    weeks.week_start_date,
    weeks.returning_users,
    weeks.churned_users,
    previous_weeks.active_users as previous_week_active_users

from weeks
inner join first_weeks on weeks.source = first_weeks.source
left join weeks as previous_weeks
    on
        weeks.source = previous_weeks.source
        and weeks.week_start_date = previous_weeks.week_start_date + interval '7' day
where
    weeks.returning_users + weeks.churned_users <> coalesce(previous_weeks.active_users, 0)
    or (previous_weeks.source is null and weeks.week_start_date > first_weeks.first_week)

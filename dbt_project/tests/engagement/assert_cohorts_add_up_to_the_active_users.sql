-- Both tables have the same users: the cohorts of a week add up to its active users, and the cohort
-- that begins in the week is its new users.
with

weeks as (

    select * from {{ ref('weekly_engagement') }}

),

cohorts_summed as (

    select
        source,
        week_start_date,
        sum(active_users) as active_users,
        sum(case when weeks_since = 0 then cohort_size end) as new_users

    from {{ ref('weekly_retention') }}
    group by
        source,
        week_start_date

)

select
    weeks.active_users,
    weeks.new_users,
    cohorts_summed.active_users as cohorts_active_users,
    cohorts_summed.new_users as cohort_size,
    coalesce(weeks.source, cohorts_summed.source) as source,
    coalesce(weeks.week_start_date, cohorts_summed.week_start_date) as week_start_date

from weeks
full outer join cohorts_summed
    on
        weeks.source = cohorts_summed.source
        and weeks.week_start_date = cohorts_summed.week_start_date
where
    (weeks.active_users is distinct from coalesce(cohorts_summed.active_users, 0))
    or (weeks.new_users is distinct from coalesce(cohorts_summed.new_users, 0))

with

weeks as (

    select * from {{ ref('weekly_engagement') }}

),

user_weeks as (

    select
        user_weeks.source,
        user_weeks.user_id,
        user_weeks.week_start_date

    from {{ ref('int_engagement_user_weeks') }} as user_weeks
    inner join weeks
        on
            user_weeks.source = weeks.source
            and user_weeks.week_start_date = weeks.week_start_date
    where
        user_weeks.user_id is not null
        -- Weeks after the newest load are left out.
        and (weeks.computed_at is null or weeks.week_start_date <= weeks.computed_at)

),

users as (

    select
        source,
        user_id,
        min(week_start_date) as cohort_week_start_date

    from user_weeks
    group by
        source,
        user_id

),

cohorts as (

    select
        source,
        cohort_week_start_date,
        count(*) as cohort_size

    from users
    group by
        source,
        cohort_week_start_date

),

users_active as (

    select
        users.source,
        users.cohort_week_start_date,
        user_weeks.week_start_date,
        count(*) as active_users

    from user_weeks
    inner join users
        on
            user_weeks.source = users.source
            and user_weeks.user_id = users.user_id
    group by
        users.source,
        users.cohort_week_start_date,
        user_weeks.week_start_date

),

-- Every week from the cohort's own to the source's newest, also those in which nobody came back.
cohort_weeks as (

    select
        cohorts.source,
        cohorts.cohort_week_start_date,
        cohorts.cohort_size,
        weeks.week_start_date,
        weeks.is_complete_week,
        row_number() over (
            partition by cohorts.source, cohorts.cohort_week_start_date
            order by weeks.week_start_date
        ) - 1 as weeks_since

    from cohorts
    inner join weeks
        on
            cohorts.source = weeks.source
            and cohorts.cohort_week_start_date <= weeks.week_start_date

),

cohort_weeks_counted as (

    select
        cohort_weeks.*,
        coalesce(users_active.active_users, 0) as active_users

    from cohort_weeks
    left join users_active
        on
            cohort_weeks.source = users_active.source
            and cohort_weeks.cohort_week_start_date = users_active.cohort_week_start_date
            and cohort_weeks.week_start_date = users_active.week_start_date

),

final as (

    select
        ---------- ids
        cast(source as string) as source,
        cast(cohort_week_start_date as date) as cohort_week_start_date,
        cast(weeks_since as bigint) as weeks_since,

        ---------- dates
        cast(week_start_date as date) as week_start_date,

        ---------- numerics
        cast(cohort_size as bigint) as cohort_size,
        cast(active_users as bigint) as active_users,

        ---------- booleans
        cast(is_complete_week as boolean) as is_complete_week,

        ---------- the ratio of the two
        cast(active_users as double) / nullif(cohort_size, 0) as retention_rate

    from cohort_weeks_counted

)

select * from final

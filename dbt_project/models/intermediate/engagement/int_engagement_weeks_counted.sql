-- Who of a week is new, returns or comes back, and who is lost afterwards: each user's week is
-- placed between the user's weeks before and after it.
with

-- The weeks after the newest load are left out.
user_weeks as (

    select user_weeks.*
    from {{ ref('int_engagement_user_weeks') }} as user_weeks
    inner join {{ ref('int_engagement_weeks') }} as weeks
        on
            user_weeks.source = weeks.source
            and user_weeks.week_start_date = weeks.week_start_date
    where
        weeks.newest_loaded_at is null
        or user_weeks.week_start_date <= weeks.newest_loaded_at

),

user_weeks_placed as (

    select
        *,
        cast(week_start_date - interval '7' day as date) as previous_week,
        cast(week_start_date + interval '7' day as date) as next_week,
        lag(week_start_date) over (users) as previous_active_week,
        lead(week_start_date) over (users) as next_active_week,
        user_id is not null as is_user

    from user_weeks
    window users as (partition by source, user_id order by week_start_date)

),

-- Units without a user count, but nobody is active by them. `count_if` gives NULL where it compares
-- with NULL only.
weeks_counted as (

    select
        source,
        week_start_date,
        count_if(is_user) as active_users,
        count_if(is_user and previous_active_week is null) as new_users,
        count_if(is_user and previous_active_week = previous_week) as returning_users,
        count_if(is_user and previous_active_week < previous_week) as resurrected_users,
        count_if(is_user and next_active_week is distinct from next_week) as users_lost_afterwards,
        sum(engagement_units) as engagement_units,
        sum(engaged_ms) as engaged_ms

    from user_weeks_placed
    group by
        source,
        week_start_date

),

final as (

    select
        ---------- ids
        cast(source as string) as source,
        cast(week_start_date as date) as week_start_date,

        ---------- numerics
        cast(coalesce(active_users, 0) as bigint) as active_users,
        cast(coalesce(new_users, 0) as bigint) as new_users,
        cast(coalesce(returning_users, 0) as bigint) as returning_users,
        cast(coalesce(resurrected_users, 0) as bigint) as resurrected_users,
        cast(coalesce(users_lost_afterwards, 0) as bigint) as users_lost_afterwards,
        cast(engagement_units as bigint) as engagement_units,
        cast(engaged_ms as bigint) as engaged_ms

    from weeks_counted

)

select * from final

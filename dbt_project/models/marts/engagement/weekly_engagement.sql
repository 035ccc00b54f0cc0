with

user_weeks as (

    select * from {{ ref('int_engagement_user_weeks') }}

),

days_observed as (

    select
        *,
        {{ period_start('week', 'observed_date') }} as week_start_date

    from {{ ref('int_engagement_days_observed') }}

),

undated_activities as (

    select
        'runna' as source,
        count(*) as undated_units

    from {{ table_or_nothing(ref('fct__activities'), {'activity_date': 'date'}) }}
    where activity_date is null

),

sources_loaded as (

    select
        source,
        min(week_start_date) as first_week,
        max(newest_loaded_at) as newest_loaded_at

    from days_observed
    group by source

),

sources_engaged as (

    select
        source,
        min(week_start_date) as first_week

    from user_weeks
    group by source

),

sources as (

    select
        sources_loaded.newest_loaded_at,
        coalesce(sources_loaded.source, sources_engaged.source) as source,
        least(sources_loaded.first_week, sources_engaged.first_week) as first_week

    from sources_loaded
    full outer join sources_engaged on sources_loaded.source = sources_engaged.source

),

-- Nobody was active after the newest load: what is dated later (a device's clock) is in no week.
user_weeks_until_loaded as (

    select
        user_weeks.source,
        user_weeks.user_id,
        user_weeks.engagement_units,
        user_weeks.engaged_ms,
        user_weeks.week_start_date

    from user_weeks
    inner join sources on user_weeks.source = sources.source
    where
        sources.newest_loaded_at is null
        or user_weeks.week_start_date <= sources.newest_loaded_at

),

last_weeks as (

    select
        source,
        max(week_start_date) as last_week

    from user_weeks_until_loaded
    group by source

),

-- A source that is missing has the newest weeks all the same, with no day observed in them.
newest_week_observed as (

    select max(week_start_date) as last_week from days_observed

),

weeks_generated as (

    select
        sources.source,
        sources.newest_loaded_at,
        {{ each_week(
            'sources.first_week', 'greatest(last_weeks.last_week, newest_week_observed.last_week)'
        ) }} as week_start_date

    from sources
    left join last_weeks on sources.source = last_weeks.source
    cross join newest_week_observed

),

weeks as (

    select
        source,
        newest_loaded_at,
        cast(week_start_date as date) as week_start_date,
        cast(week_start_date - interval '7' day as date) as previous_week

    from weeks_generated

),

-- What was loaded on the day itself may be a part of it.
weeks_observed as (

    select
        source,
        week_start_date,
        count(*) as days_observed,
        count_if(newest_loaded_at >= observed_date + interval '1' day) as days_observed_whole,
        max(newest_loaded_at) as newest_input_at

    from days_observed
    group by
        source,
        week_start_date

),

units_summed as (

    select
        source,
        week_start_date,
        sum(engagement_units) as engagement_units,
        sum(engaged_ms) as engaged_ms

    from user_weeks_until_loaded
    group by
        source,
        week_start_date

),

users_placed as (

    select
        source,
        week_start_date,
        cast(week_start_date - interval '7' day as date) as previous_week,
        cast(week_start_date + interval '7' day as date) as next_week,
        lag(week_start_date) over (users) as previous_active_week,
        lead(week_start_date) over (users) as next_active_week

    from user_weeks_until_loaded
    where user_id is not null
    window users as (partition by source, user_id order by week_start_date)

),

users_counted as (

    select
        source,
        week_start_date,
        count(*) as active_users,
        count_if(previous_active_week is null) as new_users,
        count_if(previous_active_week = previous_week) as returning_users,
        count_if(previous_active_week < previous_week) as resurrected_users,
        count_if(next_active_week is distinct from next_week) as users_lost_afterwards

    from users_placed
    group by
        source,
        week_start_date

),

weeks_joined as (

    select
        weeks.source,
        weeks.week_start_date,
        weeks.newest_loaded_at,
        users_counted.active_users,
        users_counted.new_users,
        users_counted.returning_users,
        users_counted.resurrected_users,
        previous_users_counted.users_lost_afterwards as churned_users,
        units_summed.engagement_units,
        undated_activities.undated_units,
        weeks_observed.newest_input_at,
        coalesce(weeks_observed.days_observed, 0) as days_observed,
        coalesce(weeks_observed.days_observed_whole, 0) as days_observed_whole,
        case
            when {{ is_timed('weeks.source') }} then coalesce(units_summed.engaged_ms, 0)
        end as engaged_ms

    from weeks
    left join users_counted
        on
            weeks.source = users_counted.source
            and weeks.week_start_date = users_counted.week_start_date
    left join users_counted as previous_users_counted
        on
            weeks.source = previous_users_counted.source
            and weeks.previous_week = previous_users_counted.week_start_date
    left join units_summed
        on
            weeks.source = units_summed.source
            and weeks.week_start_date = units_summed.week_start_date
    left join weeks_observed
        on
            weeks.source = weeks_observed.source
            and weeks.week_start_date = weeks_observed.week_start_date
    left join undated_activities on weeks.source = undated_activities.source

),

final as (

    select
        ---------- ids
        cast(source as varchar) as source,
        cast(week_start_date as date) as week_start_date,

        ---------- numerics
        cast(coalesce(active_users, 0) as bigint) as active_users,
        cast(coalesce(new_users, 0) as bigint) as new_users,
        cast(coalesce(returning_users, 0) as bigint) as returning_users,
        cast(coalesce(resurrected_users, 0) as bigint) as resurrected_users,
        cast(coalesce(churned_users, 0) as bigint) as churned_users,
        cast(coalesce(engagement_units, 0) as bigint) as engagement_units,
        cast(coalesce(undated_units, 0) as bigint) as undated_units,
        cast(engaged_ms as bigint) as engaged_ms,
        cast(days_observed as bigint) as days_observed,

        ---------- booleans
        cast(days_observed_whole = 7 as boolean) as is_complete_week,

        ---------- timestamps
        cast(newest_input_at as timestamp) as newest_input_at,
        cast(newest_loaded_at as timestamp) as computed_at,

        ---------- the same in hours
        cast(engaged_ms as double) / 3600000 as engaged_hours

    from weeks_joined

)

select * from final

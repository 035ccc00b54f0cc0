with

weeks as (

    select * from {{ ref('int_engagement_weeks') }}

),

weeks_counted as (

    select * from {{ ref('int_engagement_weeks_counted') }}

),

undated_units as (

    select
        source,
        count(*) as undated_units

    from {{ ref('int_engagement_units') }}
    where active_date is null
    group by source

),

weeks_joined as (

    select
        weeks.source,
        weeks.week_start_date,
        weeks.newest_input_at,
        weeks.newest_loaded_at,
        weeks.days_observed,
        weeks.days_observed_whole,
        weeks_counted.active_users,
        weeks_counted.new_users,
        weeks_counted.returning_users,
        weeks_counted.resurrected_users,
        previous_weeks_counted.users_lost_afterwards as churned_users,
        weeks_counted.engagement_units,
        undated_units.undated_units,
        case
            when {{ is_timed('weeks.source') }} then coalesce(weeks_counted.engaged_ms, 0)
        end as engaged_ms

    from weeks
    left join weeks_counted
        on
            weeks.source = weeks_counted.source
            and weeks.week_start_date = weeks_counted.week_start_date
    left join weeks_counted as previous_weeks_counted
        on
            weeks.source = previous_weeks_counted.source
            and weeks.week_start_date
            = previous_weeks_counted.week_start_date + interval '7' day
    left join undated_units on weeks.source = undated_units.source

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

{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_user_events_days_changed',
        changed_key = 'week_start_date',
        changed_key_in_log = period_start('week', 'event_date'),
    )
}}

-- depends_on: {{ ref('int_user_events_days_changed') }}
with

-- The log has every day with events. The days of the changed weeks are looked up there, so that no
-- other days are read.
events as (

    select
        *,
        {{ period_start('week', 'event_date') }} as week_start_date

    from {{ ref('fct__user_events') }}
    {% if is_incremental() %}
        where event_date in (
            select event_date
            from {{ ref('int_user_events_days_changed') }}
            where {{ period_start('week', 'event_date') }} in {{ changed_keys() }}
        )
    {% endif %}

),

days_counted as (

    select
        week_start_date,
        user_id,
        user_corporate_id,
        event_date,
        count(*) as events

    from events
    group by
        week_start_date,
        user_id,
        user_corporate_id,
        event_date

),

weeks_counted as (

    select
        week_start_date,
        user_id,
        user_corporate_id,
        sum(events) as event_count,
        count(*) as active_days,
        cast(sum(events) as double) / nullif(count(*), 0) as average_daily_events,
        max(events) as max_daily_events,
        min(events) as min_daily_events

    from days_counted
    group by
        week_start_date,
        user_id,
        user_corporate_id

),

final as (

    select
        week_start_date,
        cast(user_id as string) as user_id,
        cast(user_corporate_id as string) as user_corporate_id,
        cast(event_count as bigint) as event_count,
        cast(active_days as bigint) as active_days,
        cast(average_daily_events as double) as average_daily_events,
        cast(max_daily_events as bigint) as max_daily_events,
        cast(min_daily_events as bigint) as min_daily_events

    from weeks_counted

)

select * from final

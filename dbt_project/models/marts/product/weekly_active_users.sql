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

final as (

    select
        week_start_date,
        cast(count(distinct user_id) as bigint) as active_users,
        cast(
            count(distinct case when is_user_corporate_demo then user_id end) as bigint
        ) as active_demo_users

    from events
    group by week_start_date

)

select * from final

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

-- A week without an active corporation has a row with 0.
final as (

    select
        week_start_date,
        cast(
            count(distinct case when user_corporate_status = 'active' then user_corporate_id end)
            as bigint
        ) as active_corporations,
        cast(
            count(
                distinct case
                    when user_corporate_status = 'active' and is_user_corporate_demo
                        then user_corporate_id
                end
            ) as bigint
        ) as active_demo_corporations

    from events
    group by week_start_date

)

select * from final

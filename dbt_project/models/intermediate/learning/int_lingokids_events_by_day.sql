{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_window',
        day_column = 'event_date',
        tags = ['windowed'],
    )
}}

-- Keeps the lake's events in the warehouse, so that later models find the days of a user, an
-- activity or an event id without opening every day of the lake.
with

events as (

    select * from {{ ref('stg_lingokids__events') }}
    {% if is_incremental() %}
        where {{ in_window('event_date') }}
    {% endif %}

),

events_by_day as (

    select
        event_id,
        user_id,
        activity_id,
        collection_id,
        started_from,
        os_name,
        os_version,
        app_version,
        duration_ms,
        loading_time_ms,
        is_completed,
        occurred_at,
        event_date,
        {{ next_change_number() }} as change_number

    from events

)

-- Days lie together, so that a daily run reads its own days and not the history.
select * from events_by_day
order by event_date

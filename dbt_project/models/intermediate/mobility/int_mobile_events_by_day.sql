{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_window',
        day_column = 'event_date',
        tags = ['windowed'],
    )
}}

-- The events of the lake in the warehouse, so that a session finds its neighbours on other days
-- without opening every day of the lake.
with

events as (

    select * from {{ ref('stg_mobile__events') }}
    {% if is_incremental() %}
        where {{ in_window('event_date') }}
    {% endif %}

),

events_by_day as (

    select
        event_id,
        anonymous_id,
        device_id,
        event_name,
        app_version,
        os_name,
        zone,
        event_date,
        created_at,
        received_at,
        {{ next_change_number() }} as change_number

    from events

)

-- The lake is read day by day, so days lie together, and a daily run reads its own and no others.
select * from events_by_day

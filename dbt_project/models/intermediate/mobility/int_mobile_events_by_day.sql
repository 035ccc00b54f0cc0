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

-- The lake holds an event once a day; should it not, the same row is taken whatever the order.
numbered_within_day as (

    select
        *,
        row_number() over (
            partition by event_date, event_id
            order by
                created_at desc nulls last,
                received_at desc nulls last,
                anonymous_id desc nulls last,
                device_id desc nulls last,
                event_name desc nulls last,
                app_version desc nulls last,
                os_name desc nulls last,
                zone desc nulls last
        ) as position_in_day

    from events

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

    from numbered_within_day
    where position_in_day = 1

)

-- Days lie together, so that a daily run reads its own days and not the history.
select * from events_by_day
order by event_date

{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_window',
        day_column = 'event_date',
        tags = ['windowed'],
    )
}}

-- The events of the lake in the warehouse, so that later models find the days of a user, of an
-- activity or of an event id without opening every day of the lake.
with

events as (

    select * from {{ ref('stg_lingokids__events') }}
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
                occurred_at desc nulls last,
                user_id desc nulls last,
                activity_id desc nulls last,
                collection_id desc nulls last,
                started_from desc nulls last,
                os_name desc nulls last,
                os_version desc nulls last,
                app_version desc nulls last,
                duration_ms desc nulls last,
                loading_time_ms desc nulls last,
                is_completed desc nulls last
        ) as position_in_day

    from events

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

    from numbered_within_day
    where position_in_day = 1

)

-- Days lie together, so that a daily run reads its own days and not the history.
select * from events_by_day
order by event_date

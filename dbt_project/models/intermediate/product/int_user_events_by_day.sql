{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_window',
        day_column = 'event_date',
        tags = ['windowed'],
    )
}}

-- Keeps the lake's events in the warehouse, so that later models find the days of an event id
-- without opening every day of the lake.
with

events as (

    select * from {{ ref('stg_user_events__events') }}
    {% if is_incremental() %}
        where {{ in_window('event_date') }}
    {% endif %}

),

-- The lake holds an event once a day. If it did not, the order of the rows would not matter.
numbered_within_day as (

    select
        *,
        row_number() over (
            partition by event_date, event_id
            order by
                {{ newest_upload_first() }},
                event_at desc nulls last,
                client_event_at desc nulls last,
                server_received_at desc nulls last,
                extracted_at desc nulls last,
                user_signup_date desc nulls last,
                is_user_corporate_demo desc nulls last,
                is_user_properties_updated desc nulls last,
                user_id desc nulls last,
                user_corporate_id desc nulls last,
                device_id desc nulls last,
                amp_id desc nulls last,
                initial_li_fat_id desc nulls last,
                initial_rtd_cid desc nulls last,
                event_type desc nulls last,
                path desc nulls last,
                data_type desc nulls last,
                country desc nulls last,
                region desc nulls last,
                city desc nulls last,
                language desc nulls last,
                group_first_event desc nulls last,
                group_ids desc nulls last,
                user_corporate_status desc nulls last,
                user_role desc nulls last,
                user_status desc nulls last,
                source_path desc nulls last
        ) as position_in_day

    from events

),

events_by_day as (

    select
        event_id,
        user_id,
        user_corporate_id,
        device_id,
        amp_id,
        initial_li_fat_id,
        initial_rtd_cid,
        event_type,
        path,
        data_type,
        country,
        region,
        city,
        language,
        group_first_event,
        group_ids,
        user_corporate_status,
        user_role,
        user_status,
        source_path,
        is_user_corporate_demo,
        is_user_properties_updated,
        event_date,
        user_signup_date,
        event_at,
        client_event_at,
        client_uploaded_at,
        server_received_at,
        server_uploaded_at,
        processed_at,
        extracted_at,
        {{ next_change_number() }} as change_number

    from numbered_within_day
    where position_in_day = 1

)

-- Days lie together, so that a daily run reads its own days and not the history.
select * from events_by_day
order by event_date

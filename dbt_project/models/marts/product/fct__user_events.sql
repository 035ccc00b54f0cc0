{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_user_events_days_changed',
        changed_key = 'event_date',
        tags = ['windowed'],
    )
}}

-- depends_on: {{ ref('int_user_events_days_changed') }}
with

events as (

    select * from {{ ref('int_user_events_by_day') }}
    {% if is_incremental() %}
        where event_date in {{ changed_keys() }}
    {% endif %}

),

-- Versions of an event are looked for on linked days only: those that share an event id.
days_compared as (

    select event_date from {{ ref('int_user_events_days_linked') }}
    {% if is_incremental() %}
        where event_date in {{ changed_keys() }}
    {% endif %}

    union

    select linked_date as event_date from {{ ref('int_user_events_days_linked') }}
    {% if is_incremental() %}
        where event_date in {{ changed_keys() }}
    {% endif %}

),

-- An event id that is on several days is one event, with the values of its newest upload. (A query
-- that starts from the shared ids would read the whole history: DuckDB joins by id before it
-- filters by day.)
versions_numbered as (

    select
        event_id,
        event_date,
        row_number() over (
            partition by event_id
            order by {{ newest_upload_first() }}, event_date desc
        ) as position_from_newest

    from {{ ref('int_user_events_by_day') }}
    where event_date in (select days_compared.event_date from days_compared)

),

events_once as (

    select events.* from events
    left join versions_numbered
        on
            events.event_id = versions_numbered.event_id
            and events.event_date = versions_numbered.event_date
    where versions_numbered.event_id is null or versions_numbered.position_from_newest = 1

),

final as (

    select
        ---------- ids
        event_id,
        user_id,
        user_corporate_id,
        device_id,
        amp_id,
        initial_li_fat_id,
        initial_rtd_cid,

        ---------- strings
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

        ---------- booleans
        is_user_corporate_demo,
        is_user_properties_updated,

        ---------- dates and timestamps
        event_date,
        user_signup_date,
        event_at,
        client_event_at,
        client_uploaded_at,
        server_received_at,
        server_uploaded_at,
        processed_at,
        extracted_at

    from events_once

)

-- Days lie together, so that a later run reads its own weeks and not the history.
select * from final
order by event_date

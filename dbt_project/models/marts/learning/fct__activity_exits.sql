{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_lingokids_days_changed',
        changed_key = 'event_date',
        tags = ['windowed'],
    )
}}

-- depends_on: {{ ref('int_lingokids_days_changed') }}
with

links as (

    select * from {{ ref('int_lingokids_days_linked') }}

),

users as (

    select * from {{ ref('int_lingokids_users_latest') }}
    where is_known

),

activities as (

    select * from {{ ref('int_lingokids_activities_latest') }}
    where is_known

),

os_names as (

    select * from {{ ref('lingokids_os_names') }}

),

events as (

    select * from {{ ref('int_lingokids_events_by_day') }}
    {% if is_incremental() %}
        where event_date in {{ changed_keys() }}
    {% endif %}

),

-- An event id that is on several days is one event, with the values of the latest day. Only linked
-- days can share an id, so that the history is not searched for every id. The events are not read
-- from their CTE: DuckDB would copy it, because it is read twice.
superseded_events as (

    select
        earlier_events.event_id,
        earlier_events.event_date

    from {{ ref('int_lingokids_events_by_day') }} as earlier_events
    inner join links
        on
            earlier_events.event_date = links.event_date
            and earlier_events.event_date < links.linked_date
    inner join {{ ref('int_lingokids_events_by_day') }} as later_events
        on
            links.linked_date = later_events.event_date
            and earlier_events.event_id = later_events.event_id
    {% if is_incremental() %}
        where earlier_events.event_date in {{ changed_keys() }}
    {% endif %}

),

events_once as (

    select events.* from events
    left join superseded_events
        on
            events.event_id = superseded_events.event_id
            and events.event_date = superseded_events.event_date
    where superseded_events.event_id is null

),

events_enriched as (

    select
        events_once.*,
        users.trial_start_at,
        users.trial_end_at,
        users.subscription_start_at,
        users.subscription_expire_at,
        activities.activity_subtype,
        users.user_id is not null as is_known_user,
        coalesce(users.country_code, 'unknown') as country_code,
        coalesce(os_names.os_name, events_once.os_name) as usual_os_name,
        coalesce(activities.activity_name, events_once.activity_id) as activity_name,
        coalesce(activities.activity_type, 'unknown') as activity_type

    from events_once
    left join users on events_once.user_id = users.user_id
    left join activities on events_once.activity_id = activities.activity_id
    left join os_names on events_once.os_name = os_names.os_name_as_sent

),

statuses_found as (

    select
        *,
        case
            when not is_known_user then 'unknown'
            when
                occurred_at >= subscription_start_at
                and (subscription_expire_at is null or occurred_at < subscription_expire_at)
                then 'subscribed'
            -- A subscription wins over a trial. It also ends a trial that began before the
            -- subscription ended.
            when
                occurred_at >= trial_start_at
                and (trial_end_at is null or occurred_at < trial_end_at)
                and (
                    subscription_start_at is null
                    or occurred_at < subscription_start_at
                    or trial_start_at >= subscription_expire_at
                )
                then 'trial'
            when occurred_at >= subscription_start_at or occurred_at >= trial_start_at
                then 'lapsed'
            else 'free'
        end as subscription_status

    from events_enriched

),

exits as (

    select
        ---------- ids
        cast(event_id as string) as event_id,
        cast(user_id as string) as user_id,
        cast(activity_id as string) as activity_id,
        cast(collection_id as string) as collection_id,

        ---------- strings
        cast(started_from as string) as started_from,
        cast(country_code as string) as country_code,
        cast(usual_os_name as string) as os_name,
        cast(os_version as string) as os_version,
        cast(app_version as string) as app_version,
        cast(subscription_status as string) as subscription_status,
        cast(activity_name as string) as activity_name,
        cast(activity_type as string) as activity_type,
        cast(activity_subtype as string) as activity_subtype,

        ---------- numerics
        cast(duration_ms as bigint) as duration_ms,
        cast(
            case
                when duration_ms > {{ var('max_played_ms') }} then {{ var('max_played_ms') }}
                else duration_ms
            end as bigint
        ) as played_ms,
        cast(loading_time_ms as bigint) as loading_time_ms,

        ---------- booleans
        cast(is_completed as boolean) as is_completed,

        ---------- dates and timestamps
        cast(occurred_at as timestamp) as occurred_at,
        cast(event_date as date) as event_date

    from statuses_found

)

select * from exits

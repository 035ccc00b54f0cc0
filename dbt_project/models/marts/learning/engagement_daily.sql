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

exits as (

    select * from {{ ref('fct__activity_exits') }}
    {% if is_incremental() %}
        where event_date in {{ changed_keys() }}
    {% endif %}

),

engagement as (

    select
        event_date,
        country_code,
        os_name,
        os_version,
        app_version,
        subscription_status,
        activity_type,
        collection_id,
        activity_id,
        cast(count(*) as bigint) as plays,
        cast(count(*) filter (where is_completed) as bigint) as completed_plays,
        cast(coalesce(sum(duration_ms), 0) as bigint) as duration_ms,
        cast(coalesce(sum(played_ms), 0) as bigint) as played_ms

    from exits
    group by
        event_date,
        country_code,
        os_name,
        os_version,
        app_version,
        subscription_status,
        activity_type,
        collection_id,
        activity_id

)

-- Days lie together, so that a later run reads its own days and not the history.
select * from engagement
order by event_date

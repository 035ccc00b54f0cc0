{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_lingokids_days_changed',
        changed_key = 'month_start_date',
        changed_key_in_log = period_start('month', 'event_date'),
    )
}}

-- depends_on: {{ ref('int_lingokids_days_changed') }}
with

-- The log has every day with events. The days of the changed periods are looked up there, so that
-- no other days are read.
engagement_by_day as (

    select
        *,
        {{ period_start('month', 'event_date') }} as month_start_date

    from {{ ref('engagement_daily') }}
    {% if is_incremental() %}
        where event_date in (
            select event_date
            from {{ ref('int_lingokids_days_changed') }}
            where {{ period_start('month', 'event_date') }} in {{ changed_keys() }}
        )
    {% endif %}

),

engagement as (

    select
        month_start_date,
        country_code,
        os_name,
        os_version,
        app_version,
        subscription_status,
        activity_type,
        collection_id,
        activity_id,
        cast(sum(plays) as bigint) as plays,
        cast(sum(completed_plays) as bigint) as completed_plays,
        cast(sum(duration_ms) as bigint) as duration_ms,
        cast(sum(played_ms) as bigint) as played_ms

    from engagement_by_day
    group by
        month_start_date,
        country_code,
        os_name,
        os_version,
        app_version,
        subscription_status,
        activity_type,
        collection_id,
        activity_id

)

select * from engagement

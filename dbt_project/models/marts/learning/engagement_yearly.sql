{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_lingokids_days_changed',
        changed_key = 'year_start_date',
        changed_key_in_log = period_start('year', 'event_date'),
    )
}}

-- depends_on: {{ ref('int_lingokids_days_changed') }}
with

-- The log has every day with events. The days of the changed periods are looked up there, so that
-- no other days are read.
engagement_by_month as (

    select
        *,
        {{ period_start('year', 'month_start_date') }} as year_start_date

    from {{ ref('engagement_monthly') }}
    {% if is_incremental() %}
        where month_start_date in (
            select {{ period_start('month', 'event_date') }}
            from {{ ref('int_lingokids_days_changed') }}
            where {{ period_start('year', 'event_date') }} in {{ changed_keys() }}
        )
    {% endif %}

),

engagement as (

    select
        year_start_date,
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

    from engagement_by_month
    group by
        year_start_date,
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

{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_engagement_weeks_changed',
        changed_key = '(source, week_start_date)',
        changed_key_in_log = 'source, week_start_date',
    )
}}

-- depends_on: {{ ref('int_engagement_weeks_changed') }}
with

units as (

    select * from {{ ref('int_engagement_units') }}
    where active_date is not null
    {% if is_incremental() %}
        and {{ in_changed_weeks('active_date') }}
    {% endif %}

),

user_weeks as (

    select
        source,
        user_id,
        {{ period_start('week', 'active_date') }} as week_start_date,
        count(*) as engagement_units,
        sum(engaged_ms) as engaged_ms

    from units
    group by
        source,
        user_id,
        {{ period_start('week', 'active_date') }}

),

final as (

    select
        ---------- ids
        cast(source as string) as source,
        cast(user_id as string) as user_id,

        ---------- numerics
        cast(engagement_units as bigint) as engagement_units,
        cast(
            case when {{ is_timed('source') }} then coalesce(engaged_ms, 0) end as bigint
        ) as engaged_ms,

        ---------- dates
        cast(week_start_date as date) as week_start_date

    from user_weeks

)

select * from final

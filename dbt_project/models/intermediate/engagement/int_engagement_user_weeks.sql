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

runna_units as (

    select
        'runna' as source,
        user_id,
        activity_date as engaged_on,
        moving_time_ms as engaged_ms

    from {{ table_or_nothing(
        ref('fct__activities'),
        {'user_id': 'varchar', 'activity_date': 'date', 'moving_time_ms': 'bigint'}
    ) }}
    {% if is_incremental() %}
        where {{ in_changed_weeks('runna', 'activity_date') }}
    {% endif %}

),

-- Strava is read as one athlete, whose id it does not send with the activities.
strava_units as (

    select
        'strava' as source,
        'athlete' as user_id,
        activity_date as engaged_on,
        moving_time_s * 1000 as engaged_ms

    from {{ table_or_nothing(
        ref('fct__strava_activities'),
        {'activity_date': 'date', 'moving_time_s': 'bigint', 'is_deleted': 'boolean'}
    ) }}
    where not is_deleted

),

user_events_units as (

    select
        'user_events' as source,
        user_id,
        event_date as engaged_on,
        cast(null as bigint) as engaged_ms

    from {{ table_or_nothing(
        ref('fct__user_events'), {'user_id': 'varchar', 'event_date': 'date'}
    ) }}
    {% if is_incremental() %}
        where {{ in_changed_weeks('user_events', 'event_date') }}
    {% endif %}

),

mobile_units as (

    select
        'mobile' as source,
        anonymous_id as user_id,
        session_date as engaged_on,
        duration_ms as engaged_ms

    from {{ table_or_nothing(
        ref('fct__mobile_sessions'),
        {'anonymous_id': 'varchar', 'session_date': 'date', 'duration_ms': 'bigint'}
    ) }}
    {% if is_incremental() %}
        where {{ in_changed_weeks('mobile', 'session_date') }}
    {% endif %}

),

lingokids_units as (

    select
        'lingokids' as source,
        user_id,
        event_date as engaged_on,
        played_ms as engaged_ms

    from {{ table_or_nothing(
        ref('fct__activity_exits'),
        {'user_id': 'varchar', 'event_date': 'date', 'played_ms': 'bigint'}
    ) }}
    {% if is_incremental() %}
        where {{ in_changed_weeks('lingokids', 'event_date') }}
    {% endif %}

),

units as (

    select * from runna_units
    union all
    select * from strava_units
    union all
    select * from user_events_units
    union all
    select * from mobile_units
    union all
    select * from lingokids_units

),

user_weeks as (

    select
        source,
        user_id,
        {{ period_start('week', 'engaged_on') }} as week_start_date,
        count(*) as engagement_units,
        sum(engaged_ms) as engaged_ms

    from units
    where engaged_on is not null
    group by
        source,
        user_id,
        {{ period_start('week', 'engaged_on') }}

),

final as (

    select
        ---------- ids
        cast(source as varchar) as source,
        cast(user_id as varchar) as user_id,

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

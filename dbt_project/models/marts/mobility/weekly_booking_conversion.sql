{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_mobile_events_sessionized',
        changed_key = 'week_start_date',
        changed_key_in_log = period_start('week', 'session_date'),
    )
}}

-- The log also names the week of a session that is gone.
-- depends_on: {{ ref('int_mobile_events_sessionized') }}
{% if is_incremental() %}
    {% set days_of_changed_weeks %}
        select {{ period_start('week', 'session_date') }} + cast(offsets.days as integer) as session_date
        from {{ ref('int_mobile_events_sessionized') }}
        cross join (values (0), (1), (2), (3), (4), (5), (6)) as offsets (days)
        where change_number > {{ consumed_change_number() }}
    {% endset %}
{% endif %}
with

sessions as (

    select
        *,
        {{ period_start('week', 'session_date') }} as week_start_date

    from {{ ref('fct__mobile_sessions') }}
    {% if is_incremental() %}
        where {{ on_days_of('session_date', days_of_changed_weeks) }}
    {% endif %}

),

weeks_counted as (

    select
        week_start_date,
        zone,
        os_name,
        count(*) as sessions,
        count_if(is_searching) as searching_sessions,
        count_if(is_booked) as booked_sessions,
        count_if(is_searching and is_booked) as searching_booked_sessions

    from sessions
    group by
        week_start_date,
        zone,
        os_name

),

final as (

    select
        week_start_date,
        cast(zone as string) as zone,
        cast(os_name as string) as os_name,
        cast(sessions as bigint) as sessions,
        cast(searching_sessions as bigint) as searching_sessions,
        cast(booked_sessions as bigint) as booked_sessions,
        cast(searching_booked_sessions as bigint) as searching_booked_sessions,
        cast(booked_sessions as double) / nullif(sessions, 0) as booking_rate,
        cast(searching_booked_sessions as double)
        / nullif(searching_sessions, 0) as searching_booking_rate

    from weeks_counted

)

select * from final

{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_mobile_events_sessionized',
        changed_key = '(session_date, session_id)',
        changed_key_in_log = 'session_date, session_id',
    )
}}

-- A session that is rebuilt has all its events from one build, so they are read by their number.
with

events as (

    select * from {{ ref('int_mobile_events_sessionized') }}
    where replacement_reason is null
    {% if is_incremental() %}
        and change_number > {{ consumed_change_number() }}
    {% endif %}

),

final as (

    select
        session_id,
        event_id,
        position,
        session_date

    from events

)

select * from final
order by session_date

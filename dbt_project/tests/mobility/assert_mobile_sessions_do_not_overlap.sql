-- Guards the fact against sessions that a rebuild should have joined or removed: a session starts
-- at least the gap after all earlier sessions of its user and device have ended.
-- depends_on: {{ ref('int_mobile_events_sessionized') }}
with

sessions as (

    select
        session_id,
        anonymous_id,
        device_id,
        started_at,
        max(ended_at) over (
            partition by anonymous_id, device_id
            order by started_at, session_id
            rows between unbounded preceding and 1 preceding
        ) as last_ended_at

    from {{ ref('fct__mobile_sessions') }}
    where {{ on_newest_session_dates('session_date', 1) }}

)

select * from sessions
where started_at < last_ended_at + {{ mobile_session_gap() }}

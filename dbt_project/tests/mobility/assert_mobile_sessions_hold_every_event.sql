-- Guards the counts of the fact: all sessions together have as many events as the lake had when its
-- days were read, and each session has as many as the bridge.
-- depends_on: {{ ref('int_mobile_events_sessionized') }}
with

sessions_bridged as (

    select
        session_id,
        count(*) as events

    from {{ ref('bdg__mobile_session_to_events') }}
    where {{ on_newest_session_dates('session_date') }}
    group by session_id

),

sessions as (

    select * from {{ ref('fct__mobile_sessions') }}
    where {{ on_newest_session_dates('session_date') }}

),

differing_sessions as (

    select
        coalesce(sessions.session_id, sessions_bridged.session_id) as session_id,
        sessions.event_count as events_counted,
        sessions_bridged.events as events_expected

    from sessions
    full outer join sessions_bridged on sessions.session_id = sessions_bridged.session_id
    where sessions.event_count is distinct from sessions_bridged.events

),

all_events as (

    select coalesce(sum(event_count), 0) as events from {{ ref('int_mobile_days_changed') }}

),

all_sessions as (

    select coalesce(sum(event_count), 0) as events from {{ ref('fct__mobile_sessions') }}

)

select * from differing_sessions

union all

select
    'all sessions' as session_id,
    all_sessions.events as events_counted,
    all_events.events as events_expected

from all_sessions
cross join all_events
where all_sessions.events <> all_events.events

{{ config(meta = {'dagster': {'ref': {'name': 'bdg__mobile_session_to_events'}}}) }}

-- Guards the bridge against events lost or doubled on the way: days not rebuilt, sessions that were
-- replaced and stayed. Error: every number of the area would be wrong.
with

events_accepted as (

    select distinct event_id from {{ ref('int_mobile_events_by_day') }}

),

events_bridged as (

    select
        bridge.event_id,
        count(*) as times_bridged,
        count(sessions.session_id) as times_in_a_session

    from {{ ref('bdg__mobile_session_to_events') }} as bridge
    left join {{ ref('fct__mobile_sessions') }} as sessions
        on bridge.session_id = sessions.session_id
    group by bridge.event_id

)

select
    events_bridged.times_bridged,
    events_bridged.times_in_a_session,
    coalesce(events_accepted.event_id, events_bridged.event_id) as event_id

from events_accepted
full outer join events_bridged on events_accepted.event_id = events_bridged.event_id
where
    events_accepted.event_id is null
    or events_bridged.times_bridged is distinct from 1
    or events_bridged.times_in_a_session is distinct from 1

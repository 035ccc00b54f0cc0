-- Guards the bridge against events lost or doubled on the way: days not rebuilt, sessions that
-- were replaced and stayed.
-- depends_on: {{ ref('int_mobile_events_sessionized') }}
{% set days_changed = "select event_date from " ~ ref('int_mobile_days_changed')
    ~ " where change_number = (select max(change_number) from " ~ ref('int_mobile_days_changed') ~ ")" %}
{% set days_of_sessions %}
    select event_date from {{ ref('int_mobile_events_sessionized') }}
    where {{ on_newest_session_dates('session_date') }} and event_date is not null
{% endset %}
with

events_changed as (

    select event_id from {{ ref('int_mobile_events_by_day') }}
    where {{ on_mobile_days_of('event_date', days_changed) }}

),

events_there as (

    select distinct event_id from {{ ref('int_mobile_events_by_day') }}
    where
        {{ on_mobile_days_of('event_date', days_changed) }}
        or {{ on_mobile_days_of('event_date', days_of_sessions) }}

),

sessions as (

    select * from {{ ref('fct__mobile_sessions') }}
    where {{ on_newest_session_dates('session_date') }}

),

events_bridged as (

    select
        bridge.event_id,
        count(*) as times_bridged,
        count(sessions.session_id) as times_in_a_session

    from {{ ref('bdg__mobile_session_to_events') }} as bridge
    left join sessions on bridge.session_id = sessions.session_id
    where {{ on_newest_session_dates('bridge.session_date') }}
    group by bridge.event_id

),

events_expected as (

    select event_id from events_changed

    union

    select event_id from events_bridged

)

select
    events_expected.event_id,
    events_bridged.times_bridged,
    events_bridged.times_in_a_session,
    events_there.event_id is not null as is_there

from events_expected
left join events_there on events_expected.event_id = events_there.event_id
left join events_bridged on events_expected.event_id = events_bridged.event_id
where
    events_there.event_id is null
    or events_bridged.times_bridged is distinct from 1
    or events_bridged.times_in_a_session is distinct from 1

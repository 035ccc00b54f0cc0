-- Guards the fact against events that are lost or counted twice: a day that was not rebuilt, or an
-- event that was taken for a version of another one.
with

events_accepted as (

    select distinct event_id from {{ ref('int_user_events_by_day') }}

),

events_counted as (

    select
        event_id,
        count(*) as times_counted

    from {{ ref('fct__user_events') }}
    group by event_id

)

select
    events_counted.times_counted,
    coalesce(events_accepted.event_id, events_counted.event_id) as event_id

from events_accepted
full outer join events_counted on events_accepted.event_id = events_counted.event_id
where
    events_accepted.event_id is null
    or events_counted.times_counted is distinct from 1

-- Guards the sessions against events that are lost or counted twice on the way from the lake: for
-- each day that changed last, the sessions have as many events as the lake had, and all of these
-- are in a session of the fact.
{% set days_changed = "select event_date from " ~ ref('int_mobile_days_changed')
    ~ " where change_number = (select max(change_number) from " ~ ref('int_mobile_days_changed') ~ ")" %}
with

days_logged as (

    select * from {{ ref('int_mobile_days_changed') }}
    where {{ on_mobile_days_of('event_date', days_changed) }}

),

sessionized as (

    select * from {{ ref('int_mobile_events_sessionized') }}
    where {{ on_mobile_days_of('event_date', days_changed) }} and position is not null

),

sessions as (

    select * from {{ ref('fct__mobile_sessions') }}
    where {{ on_newest_session_dates('session_date') }}

),

days_counted as (

    select
        sessionized.event_date,
        count(*) as events_cut,
        count(distinct sessionized.event_id) as distinct_events_cut,
        count(sessions.session_id) as events_in_a_session

    from sessionized
    left join sessions
        on
            sessionized.session_id = sessions.session_id
            and sessionized.session_date = sessions.session_date
    group by sessionized.event_date

),

days_compared as (

    select
        coalesce(days_logged.event_date, days_counted.event_date) as event_date,
        coalesce(days_logged.event_count, 0) as events_in_the_lake,
        coalesce(days_counted.events_cut, 0) as events_cut,
        coalesce(days_counted.distinct_events_cut, 0) as distinct_events_cut,
        coalesce(days_counted.events_in_a_session, 0) as events_in_a_session

    from days_logged
    full outer join days_counted on days_logged.event_date = days_counted.event_date

)

select * from days_compared
where
    events_in_the_lake <> events_cut
    or events_in_the_lake <> distinct_events_cut
    or events_in_the_lake <> events_in_a_session

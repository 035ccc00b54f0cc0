-- Guards the fact against events that are lost or counted twice: a join that fans out, or a day
-- that was not rebuilt. Returns the days on which the counts differ.
with

days_read as (

    select
        event_date,
        count(*) as events

    from {{ ref('int_lingokids_events_by_day') }}
    group by event_date

),

days_superseded as (

    select
        events.event_date,
        count(distinct events.event_id) as events

    from {{ ref('int_lingokids_days_linked') }} as links
    inner join {{ ref('int_lingokids_events_by_day') }} as events
        on links.event_date = events.event_date and links.linked_date > links.event_date
    inner join {{ ref('int_lingokids_events_by_day') }} as later_events
        on
            links.linked_date = later_events.event_date
            and events.event_id = later_events.event_id
    group by events.event_date

),

days_counted as (

    select
        event_date,
        count(*) as events

    from {{ ref('fct__activity_exits') }}
    group by event_date

)

select
    days_read.events as events_read,
    days_superseded.events as events_superseded,
    days_counted.events as events_counted,
    coalesce(days_read.event_date, days_counted.event_date) as event_date

from days_read
full outer join days_counted on days_read.event_date = days_counted.event_date
left join days_superseded on days_read.event_date = days_superseded.event_date
where
    coalesce(days_read.events, 0) - coalesce(days_superseded.events, 0)
    <> coalesce(days_counted.events, 0)

-- Guards the choice between versions: an event that the service listed under several days counts on
-- the day of its newest upload.
with

events as (

    select * from {{ ref('fct__user_events') }}

),

events_on_several_days as (

    select event_id
    from {{ ref('int_user_events_by_day') }}
    group by event_id
    having count(*) > 1

),

versions_numbered as (

    select
        versions.event_id,
        versions.event_date,
        row_number() over (
            partition by versions.event_id
            order by {{ newest_upload_first() }}, versions.event_date desc
        ) as position_from_newest

    from {{ ref('int_user_events_by_day') }} as versions
    inner join events_on_several_days on versions.event_id = events_on_several_days.event_id

),

newest_versions as (

    select
        event_id,
        event_date

    from versions_numbered
    where position_from_newest = 1

)

select
    newest_versions.event_id,
    newest_versions.event_date,
    events.event_date as event_date_counted

from newest_versions
inner join events on newest_versions.event_id = events.event_id
where newest_versions.event_date <> events.event_date

-- Guards the cut itself: two neighbouring events of a user and device are less than the gap apart
-- if they are in one session, and at least the gap apart if they are in two.
with

events as (

    select * from {{ ref('int_mobile_events_sessionized') }}
    where {{ on_newest_session_dates('session_date', 1) }} and position is not null

),

neighbours as (

    select
        event_id,
        session_id,
        position,
        created_at,
        lag(session_id) over neighbourhood as previous_session_id,
        lag(position) over neighbourhood as previous_position,
        lag(created_at) over neighbourhood as previous_created_at

    from events
    window neighbourhood as (
        partition by anonymous_id, device_id order by {{ mobile_event_order() }}
    )

),

judged as (

    select
        *,
        coalesce(
            created_at < previous_created_at + {{ mobile_session_gap() }}, false
        ) as goes_on

    from neighbours

)

select * from judged
where
    goes_on <> coalesce(session_id = previous_session_id, false)
    or position <> case when goes_on then previous_position + 1 else 1 end

{{ config(materialized = 'view') }}

-- A ride runs from the first start after the ride before it to the next end. All events of a
-- session have the same change number: with it among the keys, a build reads the changed sessions
-- alone.
with

ride_events as (

    select
        session_id,
        change_number,
        position,
        created_at,
        {{ contains_any('event_name', var('mobile_ride_start_patterns')) }} as is_ride_start,
        {{ contains_any('event_name', var('mobile_ride_end_patterns')) }} as is_ride_end

    from {{ ref('int_mobile_events_sessionized') }}
    where position is not null

),

ride_events_numbered as (

    select
        *,
        coalesce(
            count_if(is_ride_end) over (
                partition by session_id, change_number
                order by position
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as ride_number

    from ride_events
    where is_ride_start or is_ride_end

),

rides as (

    select
        session_id,
        change_number,
        ride_number,
        min(created_at) filter (where is_ride_start) as started_at,
        max(created_at) filter (where is_ride_end) as ended_at

    from ride_events_numbered
    group by
        session_id,
        change_number,
        ride_number

)

select
    session_id,
    change_number,
    cast(sum({{ milliseconds_between('started_at', 'ended_at') }}) as bigint) as ride_ms

from rides
group by
    session_id,
    change_number

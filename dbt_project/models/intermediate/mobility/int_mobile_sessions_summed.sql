{{ config(materialized = 'view') }}

-- What the events of a session say about it. All of them have the same change number: with it among
-- the keys, a build reads the changed sessions alone.
with

events as (

    select
        *,
        {{ contains_any('event_name', var('mobile_opening_patterns')) }} as is_opening,
        {{ contains_any('event_name', var('mobile_ride_start_patterns')) }} as is_ride_start,
        {{ contains_any('event_name', var('mobile_searching_patterns')) }} as is_search,
        {{ contains_any('event_name', var('mobile_booking_patterns')) }} as is_booking

    from {{ ref('int_mobile_events_sessionized') }}
    where position is not null

),

events_summed as (

    select
        session_id,
        change_number,
        min(session_date) as session_date,
        min(anonymous_id) as anonymous_id,
        min(device_id) as device_id,
        min(created_at) as started_at,
        max(created_at) as ended_at,
        count(*) as event_count,
        count(distinct event_name) as distinct_event_count,
        max(case when position = 1 then event_name end) as first_event_name,
        max_by(event_name, position) as last_event_name,
        max_by(app_version, -position) filter (where app_version is not null) as app_version,
        max_by(os_name, -position) filter (where os_name is not null) as os_name,
        max_by(zone, -position) filter (where zone is not null) as zone,
        count_if(is_search) > 0 as is_searching,
        count_if(is_booking) > 0 as is_booked,
        count_if(is_ride_start) as ride_count,
        min(position) filter (where is_opening) as opening_position,
        min(created_at) filter (where is_opening) as opened_at,
        min(position) filter (where is_ride_start) as ride_start_position,
        min(created_at) filter (where is_ride_start) as ride_started_at

    from events
    group by
        session_id,
        change_number

),

final as (

    select
        ---------- ids
        events_summed.session_id,
        events_summed.anonymous_id,
        events_summed.device_id,

        ---------- strings
        events_summed.first_event_name,
        events_summed.last_event_name,
        events_summed.app_version,
        events_summed.os_name,
        events_summed.zone,
        case
            when events_summed.is_booked then 'booked'
            when events_summed.is_searching then 'searched_not_booked'
            else 'browsed'
        end as outcome,

        ---------- numerics
        cast(events_summed.event_count as bigint) as event_count,
        cast(events_summed.distinct_event_count as bigint) as distinct_event_count,
        cast(events_summed.ride_count as bigint) as ride_count,
        cast(
            {{ milliseconds_between('events_summed.started_at', 'events_summed.ended_at') }}
            as bigint
        ) as duration_ms,
        cast(
            case
                when events_summed.opening_position < events_summed.ride_start_position
                    then {{ milliseconds_between(
                        'events_summed.opened_at', 'events_summed.ride_started_at'
                    ) }}
            end as bigint
        ) as open_to_ride_ms,
        rides_summed.ride_ms,

        ---------- booleans
        events_summed.is_searching,
        events_summed.is_booked,

        ---------- dates
        events_summed.session_date,

        ---------- timestamps
        events_summed.started_at,
        events_summed.ended_at,

        ---------- the build that cut the session last
        events_summed.change_number

    from events_summed
    left join {{ ref('int_mobile_rides_summed') }} as rides_summed
        on
            events_summed.session_id = rides_summed.session_id
            and events_summed.change_number = rides_summed.change_number

)

select * from final

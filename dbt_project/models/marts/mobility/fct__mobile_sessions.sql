{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed_and_built',
        change_log = 'int_mobile_events_sessionized',
        changed_key = '(session_date, session_id)',
        changed_key_in_log = 'session_date, session_id',
    )
}}

{% set columns = [
    'session_id',
    'anonymous_id',
    'device_id',
    'first_event_name',
    'last_event_name',
    'app_version',
    'os_name',
    'zone',
    'outcome',
    'event_count',
    'distinct_event_count',
    'ride_count',
    'duration_ms',
    'open_to_ride_ms',
    'ride_ms',
    'is_searching',
    'is_booked',
    'session_date',
    'started_at',
    'ended_at',
] %}

-- A session that is rebuilt has all its events from one build, so they are read by their number.
-- They are read twice, from no CTE of their own: DuckDB would copy it whole.
with

events as (

    select
        *,
        {{ contains_any('event_name', var('mobile_opening_patterns')) }} as is_opening,
        {{ contains_any('event_name', var('mobile_ride_start_patterns')) }} as is_ride_start,
        {{ contains_any('event_name', var('mobile_searching_patterns')) }} as is_search,
        {{ contains_any('event_name', var('mobile_booking_patterns')) }} as is_booking

    from {{ ref('int_mobile_events_sessionized') }}
    where replacement_reason is null
    {% if is_incremental() %}
        and change_number > {{ consumed_change_number() }}
    {% endif %}

),

ride_events as (

    select
        session_id,
        position,
        created_at,
        {{ contains_any('event_name', var('mobile_ride_start_patterns')) }} as is_ride_start,
        {{ contains_any('event_name', var('mobile_ride_end_patterns')) }} as is_ride_end

    from {{ ref('int_mobile_events_sessionized') }}
    where replacement_reason is null
    {% if is_incremental() %}
        and change_number > {{ consumed_change_number() }}
    {% endif %}

),

-- A ride runs from the first start after the ride before to the next end.
ride_events_numbered as (

    select
        *,
        coalesce(
            count_if(is_ride_end) over (
                partition by session_id
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
        ride_number,
        min(created_at) filter (where is_ride_start) as started_at,
        max(created_at) filter (where is_ride_end) as ended_at

    from ride_events_numbered
    group by session_id, ride_number

),

rides_summed as (

    select
        session_id,
        sum({{ milliseconds_between('started_at', 'ended_at') }}) as ride_ms

    from rides
    group by session_id

),

events_summed as (

    select
        session_id,
        session_date,
        anonymous_id,
        device_id,
        min(created_at) as started_at,
        max(created_at) as ended_at,
        count(*) as event_count,
        count(distinct event_name) as distinct_event_count,
        max_by(event_name, -position) as first_event_name,
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
        session_date,
        anonymous_id,
        device_id

),

sessions_built as (

    select
        events_summed.session_id,
        events_summed.anonymous_id,
        events_summed.device_id,
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
        cast(rides_summed.ride_ms as bigint) as ride_ms,
        events_summed.is_searching,
        events_summed.is_booked,
        events_summed.session_date,
        events_summed.started_at,
        events_summed.ended_at

    from events_summed
    left join rides_summed on events_summed.session_id = rides_summed.session_id

),

{% if is_incremental() %}
    users_changed as (

        select
            anonymous_id,
            min(created_at) as changed_from

        from {{ ref('int_mobile_events_sessionized') }}
        where change_number > {{ consumed_change_number() }}
        group by anonymous_id

    ),

    -- A user's sessions before the first change keep their numbers: only how many they are and when
    -- the last of them ended is asked.
    sessions_before as (

        select
            known.anonymous_id,
            count(*) as sessions,
            max_by(known.ended_at, (known.started_at, known.session_id)) as last_ended_at

        from {{ this }} as known
        inner join users_changed
            on
                known.anonymous_id is not distinct from users_changed.anonymous_id
                and known.started_at < users_changed.changed_from
        group by known.anonymous_id

    ),

    sessions_after as (

        select known.* from {{ this }} as known
        inner join users_changed
            on
                known.anonymous_id is not distinct from users_changed.anonymous_id
                and known.started_at >= users_changed.changed_from
        where (known.session_date, known.session_id) not in {{ changed_keys() }}

    ),
{% endif %}

sessions as (

    select
        {{ columns | join(',\n        ') }},
        cast(null as bigint) as known_session_number,
        cast(null as bigint) as known_since_previous_session_ms,
        true as is_built

    from sessions_built
    {% if is_incremental() %}

        union all

        select
            {{ columns | join(',\n            ') }},
            session_number as known_session_number,
            since_previous_session_ms as known_since_previous_session_ms,
            false as is_built

        from sessions_after
    {% endif %}

),

sessions_numbered as (

    select
        *,
        row_number() over (
            partition by anonymous_id order by started_at, session_id
        ) as session_number,
        lag(ended_at) over (
            partition by anonymous_id order by started_at, session_id
        ) as previous_ended_at

    from sessions

),

sessions_continued as (

    select
        {% for column in columns %}
            sessions_numbered.{{ column }},
        {% endfor %}
        sessions_numbered.is_built,
        sessions_numbered.known_session_number,
        sessions_numbered.known_since_previous_session_ms,
        {% if is_incremental() %}
            sessions_numbered.session_number + coalesce(sessions_before.sessions, 0) as session_number,
            coalesce(
                sessions_numbered.previous_ended_at, sessions_before.last_ended_at
            ) as previous_ended_at
        {% else %}
            sessions_numbered.session_number,
            sessions_numbered.previous_ended_at
        {% endif %}

    from sessions_numbered
    {% if is_incremental() %}
        left join sessions_before
            on sessions_numbered.anonymous_id is not distinct from sessions_before.anonymous_id
    {% endif %}

),

final as (

    select
        {{ columns | join(',\n        ') }},
        is_built,
        known_session_number,
        known_since_previous_session_ms,
        cast(session_number as bigint) as session_number,
        cast(
            {{ milliseconds_between('previous_ended_at', 'started_at') }} as bigint
        ) as since_previous_session_ms

    from sessions_continued

)

select
    {{ columns | join(',\n    ') }},
    session_number,
    since_previous_session_ms

from final
where
    is_built
    or session_number is distinct from known_session_number
    or since_previous_session_ms is distinct from known_since_previous_session_ms
order by session_date

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

-- Numbers the sessions of each user, over all devices. A changed session gives later sessions of
-- its user another number; the sessions before it keep theirs.
-- depends_on: {{ ref('int_mobile_events_sessionized') }}
with

sessions_built as (

    select * from {{ ref('int_mobile_sessions_summed') }}
    {% if is_incremental() %}
        where change_number > {{ consumed_change_number() }}
    {% endif %}

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

    -- All that is needed of a user's sessions before the first change: how many there are, and when
    -- the last one ended.
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
        where
            not exists (
                select 1 from {{ changed_keys() }} as changed
                where
                    changed.session_date = known.session_date
                    and changed.session_id = known.session_id
            )

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

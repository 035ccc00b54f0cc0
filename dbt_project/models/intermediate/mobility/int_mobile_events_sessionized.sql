{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_built',
        change_log = 'int_mobile_days_changed',
        changed_key = '(session_date, session_id)',
        incremental_predicates = ['replacement_reason is null'],
        tags = ['windowed'],
    )
}}

-- Which sessions a changed day can alter: those with an event on it, or less than the gap before
-- or after it. All others end or begin a gap away from whatever came, moved or went, and stay as
-- they are. So these sessions' events of unchanged days and all events of the changed days are cut
-- into sessions anew, and nothing else is read.
-- depends_on: {{ ref('int_mobile_days_changed') }}
{% set gap = mobile_session_gap() %}
{% if is_incremental() %}
    {% set days_changed = "select event_date from " ~ ref('int_mobile_days_changed')
        ~ " where change_number > " ~ consumed_change_number() %}
    {% set days_near %}
        select cast(event_date + interval '-1' day as date) as event_date from ({{ days_changed }})
        union
        select event_date from ({{ days_changed }})
        union
        select cast(event_date + interval '1' day as date) as event_date from ({{ days_changed }})
    {% endset %}
{% endif %}
with

{% if is_incremental() %}
    days_changed as (

        {{ days_changed }}

    ),

    sessions_touched as (

        select distinct
            session_date,
            session_id

        from {{ this }}
        where
            {{ on_days_of('event_date', days_near) }}
            and replacement_reason is null
            and (
                event_date in (select days_changed.event_date from days_changed)
                or cast(created_at + {{ gap }} as date) in (
                    select days_changed.event_date from days_changed
                )
                or cast(created_at - {{ gap }} as date) in (
                    select days_changed.event_date from days_changed
                )
            )

    ),
{% endif %}

{% if is_incremental() or previous_build_exists() %}
    events_before as (

        select known.* from {{ this }} as known
        {% if is_incremental() %}
            inner join sessions_touched
                on
                    known.session_date = sessions_touched.session_date
                    and known.session_id = sessions_touched.session_id
        {% endif %}
        where known.replacement_reason is null

    ),
{% endif %}

events as (

    select
        event_id,
        anonymous_id,
        device_id,
        event_name,
        app_version,
        os_name,
        zone,
        event_date,
        created_at,
        received_at

    from {{ ref('stg_mobile__events') }}
    {% if is_incremental() %}
        where {{ on_days_of('event_date', days_changed) }}

        union all

        select
            event_id,
            anonymous_id,
            device_id,
            event_name,
            app_version,
            os_name,
            zone,
            event_date,
            created_at,
            received_at

        from events_before
        where event_date not in (select days_changed.event_date from days_changed)
    {% endif %}

),

-- The lake holds an event once; should it not, its copies have one position, and are side by side.
neighbours_found as (

    select
        *,
        dense_rank() over in_order as position_of_user,
        lag(event_id) over in_order as previous_event_id,
        lag(created_at) over in_order as previous_created_at

    from events
    window in_order as (
        partition by anonymous_id, device_id order by {{ mobile_event_order() }}
    )

),

starts_marked as (

    select
        *,
        case
            when created_at < previous_created_at + {{ gap }} then null
            else position_of_user
        end as start_position

    from neighbours_found
    where coalesce(event_id <> previous_event_id, true)

),

-- The newest start so far is the event's own session; each window more would cost a sort of all.
starts_carried as (

    select
        *,
        max(start_position) over until_here as session_start_position,
        {{ last_known(
            'case when start_position is not null then ' ~ mobile_session_id('event_id') ~ ' end'
        ) }} over until_here as session_id,
        {{ last_known('case when start_position is not null then event_date end') }}
            over until_here as session_date

    from starts_marked
    window until_here as (
        partition by anonymous_id, device_id
        order by position_of_user
        rows between unbounded preceding and current row
    )

),

events_sessionized as (

    select
        session_id,
        session_date,
        event_id,
        anonymous_id,
        device_id,
        event_name,
        app_version,
        os_name,
        zone,
        event_date,
        created_at,
        received_at,
        position_of_user - session_start_position + 1 as position

    from starts_carried

),

{% if is_incremental() or previous_build_exists() %}
    -- Where the events of a session before are now; one whose events have all gone is nowhere.
    sessions_followed as (

        select distinct
            events_before.session_id as old_session_id,
            events_sessionized.session_id as new_session_id

        from events_before
        inner join events_sessionized
            on
                events_before.event_date = events_sessionized.event_date
                and events_before.event_id = events_sessionized.event_id

    ),

    sessions_before as (

        select
            session_id,
            session_date,
            anonymous_id,
            device_id,
            created_at

        from events_before
        where position = 1

    ),

    old_sessions_counted as (

        select
            old_session_id,
            count(*) as new_sessions

        from sessions_followed
        group by old_session_id

    ),

    new_sessions_counted as (

        select
            new_session_id,
            count(*) as old_sessions

        from sessions_followed
        group by new_session_id

    ),

    -- A session that was cut keeps its id where it keeps its first event: the rest of it is told all
    -- the same.
    sessions_replaced as (

        select
            sessions_before.session_id,
            sessions_before.session_date,
            sessions_before.anonymous_id,
            sessions_before.device_id,
            sessions_before.created_at,
            sessions_followed.new_session_id as replaced_by_session_id,
            case
                when sessions_followed.new_session_id is null then 'removed'
                when old_sessions_counted.new_sessions > 1 then 'split'
                when new_sessions_counted.old_sessions > 1 then 'joined'
                else 'start_moved'
            end as replacement_reason

        from sessions_before
        left join sessions_followed
            on sessions_before.session_id = sessions_followed.old_session_id
        left join old_sessions_counted
            on sessions_before.session_id = old_sessions_counted.old_session_id
        left join new_sessions_counted
            on sessions_followed.new_session_id = new_sessions_counted.new_session_id
        where sessions_before.session_id is distinct from sessions_followed.new_session_id

    ),
{% endif %}

final as (

    select
        session_id,
        session_date,
        cast(position as bigint) as position,
        event_id,
        anonymous_id,
        device_id,
        event_name,
        app_version,
        os_name,
        zone,
        event_date,
        created_at,
        received_at,
        cast(null as varchar) as replaced_by_session_id,
        cast(null as varchar) as replacement_reason,
        {{ next_change_number() }} as change_number

    from events_sessionized
    {% if is_incremental() or previous_build_exists() %}

        union all

        select
            session_id,
            session_date,
            cast(null as bigint) as position,
            cast(null as varchar) as event_id,
            anonymous_id,
            device_id,
            cast(null as varchar) as event_name,
            cast(null as varchar) as app_version,
            cast(null as varchar) as os_name,
            cast(null as varchar) as zone,
            cast(null as date) as event_date,
            created_at,
            cast(null as timestamp) as received_at,
            replaced_by_session_id,
            replacement_reason,
            {{ next_change_number() }} as change_number

        from sessions_replaced
    {% endif %}
    {% if previous_build_exists() and not is_incremental() %}

        union all

        select
            session_id,
            session_date,
            position,
            event_id,
            anonymous_id,
            device_id,
            event_name,
            app_version,
            os_name,
            zone,
            event_date,
            created_at,
            received_at,
            replaced_by_session_id,
            replacement_reason,
            change_number

        from {{ this }}
        where replacement_reason is not null
    {% endif %}

)

-- Days lie together, so that a later run reads its own sessions and not the history.
select * from final
order by session_date

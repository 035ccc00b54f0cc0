{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_built',
        change_log = 'int_mobile_days_changed',
        changed_key = '(session_date, session_id)',
        incremental_predicates = ['position is not null'],
        on_schema_change = 'sync_all_columns',
        tags = ['windowed'],
    )
}}

-- A changed day can alter only the sessions with an event on that day, or less than the gap before
-- or after it. So these are cut again, from all events of the changed days and from their own
-- events of unchanged days. Nothing else is read. A session that is gone keeps one row without an
-- event, so that the tables built from this log learn of it. `on_schema_change`: tables of an older
-- version have columns that are not in use any more.
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
            and position is not null
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

    events_before as (

        select known.* from {{ this }} as known
        inner join sessions_touched
            on
                known.session_date = sessions_touched.session_date
                and known.session_id = sessions_touched.session_id
        where known.position is not null

    ),
{% elif previous_build_exists() %}
    events_before as (

        select * from {{ this }}

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
        where
            not exists (
                select 1 from days_changed
                where days_changed.event_date = events_before.event_date
            )
    {% endif %}

),

-- The lake holds an event once. If it did not, the copies would have the same position, side by
-- side.
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

-- An event is in the session that started last. All three columns share one window: another one
-- would sort all events again.
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
        cast(position_of_user - session_start_position + 1 as bigint) as position,
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

    from starts_carried

),

final as (

    select
        *,
        {{ next_change_number() }} as change_number

    from events_sessionized
    {% if previous_build_exists() %}

        union all

        select
            session_id,
            session_date,
            cast(null as bigint) as position,
            cast(null as string) as event_id,
            anonymous_id,
            cast(null as string) as device_id,
            cast(null as string) as event_name,
            cast(null as string) as app_version,
            cast(null as string) as os_name,
            cast(null as string) as zone,
            cast(null as date) as event_date,
            min(created_at) as created_at,
            cast(null as timestamp) as received_at,
            {{ next_change_number() }} as change_number

        from events_before
        where
            not exists (
                select 1 from events_sessionized
                where
                    events_sessionized.session_date = events_before.session_date
                    and events_sessionized.session_id = events_before.session_id
            )
        group by
            session_id,
            session_date,
            anonymous_id
    {% endif %}

)

-- Days lie together, so that a later run reads its own sessions and not the history.
select * from final
order by session_date

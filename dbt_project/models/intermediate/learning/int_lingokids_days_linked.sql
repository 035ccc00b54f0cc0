{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'append',
        tags = ['windowed'],
    )
}}

-- Pairs of days that share an event id, in both directions. A link stays when its event has left
-- one of the days: it tells the other day that the event is its own again. A needless link costs a
-- rebuilt day, and changes no row. The events are read twice, and not from one CTE: DuckDB would
-- copy the whole history.
with

ids_on_several_days as (

    select event_id

    from {{ ref('int_lingokids_events_by_day') }}
    {% if is_incremental() %}
        where event_id in (
            select replaced.event_id from {{ ref('int_lingokids_events_by_day') }} as replaced
            where replaced.change_number > {{ consumed_change_number() }}
        )
    {% endif %}
    group by event_id
    having min(event_date) < max(event_date)

),

events as (

    select
        events.event_id,
        events.event_date

    from {{ ref('int_lingokids_events_by_day') }} as events
    inner join ids_on_several_days on events.event_id = ids_on_several_days.event_id

),

links as (

    select distinct
        events.event_date,
        other_events.event_date as linked_date

    from events
    inner join events as other_events
        on
            events.event_id = other_events.event_id
            and events.event_date <> other_events.event_date
    {% if previous_build_exists() and not is_incremental() %}

        union

        select
            event_date,
            linked_date

        from {{ this }}
    {% endif %}

)

select
    event_date,
    linked_date,
    {{ next_change_number() }} as change_number

from links
{% if is_incremental() %}
    where
        not exists (
            select 1 from {{ this }} as known_links
            where
                known_links.event_date = links.event_date
                and known_links.linked_date = links.linked_date
        )
{% endif %}

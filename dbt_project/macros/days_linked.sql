{#- The body of a model that logs which days of an event log share an event id: a log of pairs of days, both ways.
    `events_by_day` is the model with `event_id`, `event_date` and `change_number`, one row per day and id. -#}
{#- A link stays when its event has gone from one of the days: it tells the other day that the event
    is its own again. A link too many costs a rebuilt day and changes no row.
    The events are not an import CTE: DuckDB copies one that is read twice, here the whole history. -#}
{% macro days_linked(events_by_day) -%}
with

ids_on_several_days as (

    select event_id from {{ events_by_day }}
    {% if is_incremental() %}
        where event_id in (
            select replaced.event_id from {{ events_by_day }} as replaced
            where replaced.change_number > {{ consumed_change_number() }}
        )
    {% endif %}
    group by event_id
    having min(event_date) < max(event_date)

),

events_on_several_days as (

    select
        events.event_id,
        events.event_date

    from {{ events_by_day }} as events
    inner join ids_on_several_days on events.event_id = ids_on_several_days.event_id

),

links as (

    select distinct
        events.event_date,
        other_events.event_date as linked_date

    from events_on_several_days as events
    inner join events_on_several_days as other_events
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

),

new_links as (

    select
        links.event_date,
        links.linked_date,
        {{ next_change_number() }} as change_number

    from links
    {% if is_incremental() %}
        left join {{ this }} as known_links
            on
                links.event_date = known_links.event_date
                and links.linked_date = known_links.linked_date
        where known_links.event_date is null
    {% endif %}

)

select * from new_links
{%- endmacro %}

{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'delete+insert',
        unique_key = 'event_date',
    )
}}

-- Nothing here looks at the run's window: what changed is seen in what the model before has
-- stored, so that a run that stopped half-way is made good by any later one.
-- The events are not an import CTE: DuckDB copies one that is read twice, here the whole history.
with

days_with_events as (

    select distinct event_date from {{ ref('int_mobile_events_by_day') }}

),

{% if is_incremental() %}
    days as (

        select event_date from {{ ref('int_mobile_events_by_day') }}
        where change_number > {{ consumed_change_number() }}

        union

        select logged.event_date from {{ this }} as logged
        left join days_with_events on logged.event_date = days_with_events.event_date
        where logged.has_events and days_with_events.event_date is null

    ),
{% else %}
    days as (

        select event_date from days_with_events

        {% if previous_build_exists() %}
            union

            select event_date from {{ this }}
        {% endif %}

    ),
{% endif %}

days_changed as (

    select
        days.event_date,
        days_with_events.event_date is not null as has_events,
        {{ next_change_number() }} as change_number

    from days
    left join days_with_events on days.event_date = days_with_events.event_date

)

select * from days_changed

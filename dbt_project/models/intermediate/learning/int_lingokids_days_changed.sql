{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'delete+insert',
        unique_key = 'event_date',
        tags = ['windowed'],
    )
}}

-- This model does not look at the run's window, but at what the models before it have stored. So
-- any later run catches up with one that stopped half-way. The events are not an import CTE: it
-- would be read twice, and DuckDB would copy the whole history.
-- depends_on: {{ ref('int_lingokids_users_latest') }}
-- depends_on: {{ ref('int_lingokids_activities_latest') }}
-- depends_on: {{ ref('int_lingokids_days_linked') }}
with

days_with_events as (

    select distinct event_date from {{ ref('int_lingokids_events_by_day') }}

),

{% if is_incremental() %}
    days_replaced_or_emptied as (

        select event_date from {{ ref('int_lingokids_events_by_day') }}
        where change_number > {{ consumed_change_number() }}

        union

        select logged.event_date from {{ this }} as logged
        left join days_with_events on logged.event_date = days_with_events.event_date
        where logged.has_events and days_with_events.event_date is null

    ),

    days as (

        select event_date from days_replaced_or_emptied

        union

        -- An event of a replaced day may have superseded one of this day, or may not do so any
        -- more.
        select links.linked_date from {{ ref('int_lingokids_days_linked') }} as links
        inner join days_replaced_or_emptied
            on links.event_date = days_replaced_or_emptied.event_date

        union

        select event_date from {{ ref('int_lingokids_days_linked') }}
        where change_number > {{ consumed_change_number() }}

        union

        select events.event_date from {{ ref('int_lingokids_events_by_day') }} as events
        inner join {{ ref('int_lingokids_users_latest') }} as users
            on events.user_id = users.user_id and events.occurred_at >= users.affected_from
        where users.change_number > {{ consumed_change_number() }}

        union

        select events.event_date from {{ ref('int_lingokids_events_by_day') }} as events
        inner join {{ ref('int_lingokids_activities_latest') }} as activities
            on events.activity_id = activities.activity_id
        where activities.change_number > {{ consumed_change_number() }}

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

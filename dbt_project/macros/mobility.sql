{#- What the models of the mobility area share. -#}

{#- The order of the events of one user and device. Events of the same instant have a fixed order, too. -#}
{% macro mobile_event_order() -%}
    created_at, received_at nulls last, event_name nulls last, event_id
{%- endmacro %}

{#- The pause that ends a session. It is at most a day: a changed day must alter only sessions of the day itself and of
    the two days next to it. -#}
{% macro mobile_session_gap() -%}
    {%- set seconds = var('mobile_session_gap_s') -%}
    {%- if not 0 < seconds <= 86400 -%}
        {%- do exceptions.raise_compiler_error(
            "mobile_session_gap_s is " ~ seconds ~ "; expected more than 0 and at most 86400 seconds, a day"
        ) -%}
    {%- endif -%}
    interval '{{ seconds }}' second
{%- endmacro %}

{#- Whether the text contains one of the patterns; false where it is NULL. -#}
{% macro contains_any(column, patterns) -%}
    coalesce(
        {%- for pattern in patterns %}
        contains({{ column }}, '{{ pattern | replace("'", "''") }}'){{ ' or' if not loop.last }}
        {%- endfor %},
        false
    )
{%- endmacro %}

{#- Whole milliseconds from one instant to another. -#}
{% macro milliseconds_between(start, end) -%}
    {{ return(adapter.dispatch('milliseconds_between')(start, end)) }}
{%- endmacro %}

{#- The newest value that is not NULL, as a window function. -#}
{% macro last_known(expression) -%}
    {{ return(adapter.dispatch('last_known')(expression)) }}
{%- endmacro %}

{#- The id of a session, from the id of its first event. -#}
{% macro mobile_session_id(first_event_id) -%}
    md5('session of ' || {{ first_event_id }})
{%- endmacro %}

{#- `on_days_of` for tests, which the linter compiles before the table exists. -#}
{% macro on_mobile_days_of(column, query) -%}
    {%- if execute and load_relation(ref('int_mobile_events_sessionized')) is none -%}
        {{ column }} is not null
    {%- else -%}
        {{ on_days_of(column, query) }}
    {%- endif -%}
{%- endmacro %}

{#- The days of the sessions that the newest build changed, and `days_around` days before and after each, as a predicate
    with literal dates. Tests judge only these days: the rest of the history was judged when it was built, and is too
    long to read every day. -#}
{% macro on_newest_session_dates(column, days_around=0) -%}
    {%- set newest -%}
        select cast(session_date + interval '{{ days_around }}' day as date) as day_near,
            session_date,
            cast(session_date - interval '{{ days_around }}' day as date) as day_before
        from {{ ref('int_mobile_events_sessionized') }}
        where change_number = (select max(change_number) from {{ ref('int_mobile_events_sessionized') }})
    {%- endset -%}
    {{ on_mobile_days_of(column, "select day_near from (" ~ newest ~ ") union select session_date from (" ~ newest
        ~ ") union select day_before from (" ~ newest ~ ")") }}
{%- endmacro %}

{#- What the models of the training area share. -#}

{#- The key of a workout's flattened step: the one way to write it, for the step itself and for the
    lap that performs it. NULL without a workout. -#}
{% macro workout_step_key(workout_id, step_index) -%}
    {{ workout_id }} || '::' || cast({{ step_index }} as string)
{%- endmacro %}

{#- The sum of a DOUBLE column, the same in any order: each value counts to the twelfth decimal.
    What is no length, speed or the like (1e18 and more) counts as absent. -#}
{% macro exact_sum(column) -%}
    cast(sum(try_cast({{ column }} as decimal(30, 12))) as double)
{%- endmacro %}

{#- The days of a query's only column as a predicate on a DATE column with literal dates, so that
    the lake's files of other days are not opened. Each stands for itself and the `days - 1` after it. -#}
{% macro on_days_of(column, query, days=1) -%}
    {%- set ranges = [] -%}
    {%- if execute -%}
        {%- set found = run_query("select distinct * from (" ~ query ~ ") order by 1") -%}
        {%- for day in found.columns[0].values() -%}
            {%- set end = day + modules.datetime.timedelta(days=days) -%}
            {%- set start = ranges.pop()[0] if ranges and ranges[-1][1] == day else day -%}
            {%- do ranges.append((start, end)) -%}
        {%- endfor -%}
    {%- endif -%}
    (false{% for start, end in ranges %}
        or ({{ column }} >= date '{{ start }}' and {{ column }} < date '{{ end }}')
    {%- endfor %})
{%- endmacro %}

{#- The average pace difference from its parts; NULL where nothing was compared. -#}
{% macro average_difference_s_per_km(difference_s2_per_km, compared_time_ms) -%}
    1000.0 * {{ difference_s2_per_km }} / nullif({{ compared_time_ms }}, 0)
{%- endmacro %}

{#- The metres of a unit of measure as an exact number; NULL for a unit that the app has not. -#}
{% macro metres_per_unit(unit_of_measure) -%}
    case {{ unit_of_measure }}
        when 'KILOMETERS' then cast(1000 as decimal(7, 3))
        when 'MILES' then cast(1609.344 as decimal(7, 3))
    end
{%- endmacro %}

{#- Which recording of its planned workout an activity is, from 1 for the newest. Two devices that record one workout
    send two activities: of the same user and workout, planned for the same day. Without a workout or a planned day
    nothing says so, and each is the first. -#}
{% macro position_in_planned_workout() -%}
    row_number() over (
        partition by
            user_id,
            plan_id,
            week_of_plan,
            workout_id,
            planned_workout_date,
            case when workout_id is null or planned_workout_date is null then activity_id end
        order by batch_date desc, source_path desc
    )
{%- endmacro %}

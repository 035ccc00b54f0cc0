{#- Days and weeks: predicates on days with literal dates, and the periods that days are in. -#}

{#- The run's window as a predicate on a DATE column. Without a window it fails: rebuilding everything instead would go
    unnoticed. -#}
{% macro in_window(column) -%}
    {%- if execute and not (var('window_start') and var('window_end')) -%}
        {%- do exceptions.raise_compiler_error(
            model.name ~ " is built for a window of days, and none was given; expected the variables window_start "
            ~ "and window_end as YYYY-MM-DD (the end is exclusive), or --full-refresh to rebuild everything"
        ) -%}
    {%- endif -%}
    {{ column }} >= date '{{ var("window_start") }}' and {{ column }} < date '{{ var("window_end") }}'
{%- endmacro %}

{#- The days that a query returns in its only column, as a predicate on a DATE column. The dates are literals, so that
    DuckDB does not open files of other days. Each day stands for itself and the `days - 1` days after it. -#}
{% macro on_days_of(column, query, days=1) -%}
    {%- set ranges = [] -%}
    {%- if execute -%}
        {%- set found = run_query("select distinct * from (" ~ query ~ ") order by 1") -%}
        {%- for value in found.columns[0].values() if value is not none -%}
            {#- Spark's driver gives texts. -#}
            {%- set day = modules.datetime.date.fromisoformat(value | string) -%}
            {%- set end = day + modules.datetime.timedelta(days=days) -%}
            {%- set start = ranges.pop()[0] if ranges and ranges[-1][1] == day else day -%}
            {%- do ranges.append((start, end)) -%}
        {%- endfor -%}
    {%- endif -%}
    {#- Spark reads `from t where (false)` as a table with the alias `where` and the column `false`. -#}
    {%- if not ranges %}false{% else -%}
    (
        {%- for start, end in ranges %}
        {{ 'or ' if not loop.first }}({{ column }} >= date '{{ start }}' and {{ column }} < date '{{ end }}')
        {%- endfor %}
    )
    {%- endif -%}
{%- endmacro %}

{#- The first day of the ISO week, month or year that holds `day`, as a DATE. -#}
{% macro period_start(grain, day) -%}
    cast(date_trunc('{{ grain }}', {{ day }}) as date)
{%- endmacro %}

{#- One row per week, from one Monday to another. Cast the result to a DATE. -#}
{% macro each_week(first_week, last_week) -%}
    {{ return(adapter.dispatch('each_week')(first_week, last_week)) }}
{%- endmacro %}

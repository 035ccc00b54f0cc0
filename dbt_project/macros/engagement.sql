{#- What the models of the engagement area share. -#}

{#- The sources whose use is timed: `engaged_ms` is NULL for the others. -#}
{% macro is_timed(source) -%}
    {{ source }} in ('runna', 'strava', 'mobile', 'lingokids')
{%- endmacro %}

{#- A table of another area, or nothing but its columns where that area has never been built: the source that feeds it
    was not to be had, and the others go on. `columns` maps the columns that are read to their types. -#}
{% macro table_or_nothing(relation, columns) -%}
    {%- if not execute or relation.is_cte or model.resource_type == 'unit_test' or load_relation(relation) -%}
        {{ relation }}
    {%- else -%}
        (select {% for name, type in columns.items() %}cast(null as {{ type }}) as {{ name }}
            {{- ', ' if not loop.last }}{% endfor %} where false)
    {%- endif -%}
{%- endmacro %}

{#- The days of a source's weeks that changed since `this` was last built, as a predicate with literal dates. -#}
{% macro in_changed_weeks(source, column) -%}
    {{ on_days_of(
        column,
        "select week_start_date from " ~ ref('int_engagement_weeks_changed')
            ~ " where source = '" ~ source ~ "' and change_number > " ~ consumed_change_number(),
        days=7
    ) }}
{%- endmacro %}

{#- What the models of the engagement area share. -#}

{#- The variable `engaged_sources`, checked: a forgotten or misspelt key would leave out a source's time or days. -#}
{% macro engaged_sources() -%}
    {%- set required = ['meaning', 'fact', 'dataset', 'user_id', 'active_date'] -%}
    {%- set optional = ['engaged_ms', 'condition', 'change_log', 'changed_day'] -%}
    {%- for name, source in var('engaged_sources').items() -%}
        {%- set missing = required | reject('in', source) | list -%}
        {%- set unknown = source | reject('in', required + optional) | list -%}
        {%- if missing or unknown or ('change_log' in source) != ('changed_day' in source) -%}
            {%- do exceptions.raise_compiler_error(
                "engaged_sources." ~ name ~ " in dbt_project.yml: expected " ~ required | join(', ')
                ~ " and, where they apply, " ~ optional | join(', ')
                ~ " (a change_log with its changed_day), found " ~ source | join(', ')
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do return(var('engaged_sources')) -%}
{%- endmacro %}

{#- Whether the source in a column is timed: `engaged_ms` is NULL for the others. -#}
{% macro is_timed(source_column) -%}
    {%- set timed = [] -%}
    {%- for name, source in engaged_sources().items() if source.engaged_ms -%}
        {%- do timed.append("'" ~ name ~ "'") -%}
    {%- endfor -%}
    {{ source_column }} in ({{ timed | join(', ') }})
{%- endmacro %}

{#- Whether a table of another area can be read. An area has no tables until its first build, which may be late: its
    source may be unreachable while the others go on. -#}
{% macro is_built(relation) -%}
    {%- do return(
        not execute or relation.is_cte or model.resource_type == 'unit_test' or load_relation(relation) is not none
    ) -%}
{%- endmacro %}

{#- A table of another area, or no rows where that area has never been built. `columns` maps the columns that are read
    to their types. -#}
{% macro table_or_nothing(relation, columns) -%}
    {%- if is_built(relation) -%}
        {{ relation }}
    {%- else -%}
        (select {% for name, type in columns.items() %}cast(null as {{ type }}) as {{ name }}
            {{- ', ' if not loop.last }}{% endfor %} where false)
    {%- endif -%}
{%- endmacro %}

{#- Whether no row of a table satisfies `condition`. The log of another area can be older than its fact: then `this` may
    have noted changes while there was nothing to read. Until it has rows, it reads everything. -#}
{% macro has_no_row(relation, condition='true') -%}
    {%- do return(
        execute and model.resource_type != 'unit_test'
        and run_query('select 1 from ' ~ relation ~ ' where ' ~ condition ~ ' limit 1').rows | length == 0
    ) -%}
{%- endmacro %}

{#- The weeks that changed since `this` was last built, as a predicate with literal dates on `source` and a DATE column.
    A source without a change log has changed as a whole, and so has one of which `this` has no row. -#}
{% macro in_changed_weeks(date_column) -%}
    (
        {%- for name, source in engaged_sources().items() %}
        {{ 'or ' if not loop.first }}(
            source = '{{ name }}'
            {%- if source.change_log and not has_no_row(this, "source = '" ~ name ~ "'") %}
            and {{ on_days_of(
                date_column,
                "select week_start_date from " ~ ref('int_engagement_weeks_changed')
                    ~ " where source = '" ~ name ~ "' and change_number > " ~ consumed_change_number(),
                days=7
            ) }}
            {%- endif %}
        )
        {%- endfor %}
    )
{%- endmacro %}

{#- Incremental models on Apache Spark, under the same strategies as on DuckDB. dbt-spark's own materialization refuses
    strategies that it does not know, and drops a table before a full refresh, which some models read.

    Iceberg and Delta delete and insert. Tables of Parquet know no DELETE: a table is written anew beside the old one, of
    the rows that stay and those of this build, and takes its name. -#}
{% materialization incremental, adapter='spark' %}
    {%- set existing = load_relation(this) -%}
    {%- set table = this.incorporate(type='table') -%}
    {%- set built = table.incorporate(path={'identifier': this.identifier ~ '__dbt_tmp'}) -%}
    {%- set is_new = existing is none or existing.is_view or should_full_refresh() -%}
    {%- set has_delete = config.get('file_format') in ('iceberg', 'delta') -%}
    {%- set note = change_number_to_note() -%}
    {{ run_hooks(pre_hooks) }}
    {%- if not is_new -%}
        {%- do run_query('drop table if exists ' ~ built) -%}
        {%- call statement('build') -%}{{ table_with_note(built, note, compiled_code) }}{%- endcall -%}
        {%- do process_schema_changes(config.get('on_schema_change'), built, existing) -%}
    {%- endif -%}
    {%- if not has_delete -%}
        {%- set rows = compiled_code if is_new else rows_that_stay_and_built_ones(table, built) -%}
        {%- do replace_table(existing, table, note, rows) -%}
    {%- elif is_new -%}
        {%- call statement('main') -%}{{ table_with_note(table, note, compiled_code, 'create or replace') }}{%- endcall -%}
    {%- else -%}
        {%- do delete_and_insert(table, built, note) -%}
    {%- endif -%}
    {%- do run_query('drop table if exists ' ~ built) -%}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [table]}) }}
{% endmaterialization %}

{#- Spark adds the table to the catalog once its rows are written, with the note. -#}
{% macro table_with_note(table, note, sql, create='create') -%}
    {{ create }} table {{ table }} {{ file_format_clause() }} {{ comment_clause() }}
    tblproperties ('consumed_change_number' = '{{ note }}')
    as {{ sql }}
{%- endmacro %}

{#- Between the two last statements the table is missing; `finish_renames` ends what was killed there. -#}
{% macro replace_table(existing, table, note, sql) -%}
    {%- set written_aside = table.incorporate(path={'identifier': table.identifier ~ '__dbt_new'}) -%}
    {%- do run_query('drop table if exists ' ~ written_aside) -%}
    {%- call statement('main') -%}{{ table_with_note(written_aside, note, sql) }}{%- endcall -%}
    {%- if existing is not none -%}{%- do adapter.drop_relation(existing) -%}{%- endif -%}
    {%- do adapter.rename_relation(written_aside, table) -%}
{%- endmacro %}

{#- Before a build: a table that a killed one wrote aside takes its name if the old one was dropped already. -#}
{% macro finish_renames() -%}
    {%- set there = run_query('show databases').columns[0].values() -%}
    {%- for schema in graph.nodes.values() | map(attribute='schema') | unique if schema in there -%}
        {%- for row in run_query('show tables in ' ~ schema ~ " like '*__dbt_new'").rows -%}
            {%- set aside = api.Relation.create(schema=schema, identifier=row[1], type='table') -%}
            {%- set table = aside.incorporate(path={'identifier': row[1].removesuffix('__dbt_new')}) -%}
            {%- if load_relation(table) is none -%}
                {%- do adapter.rename_relation(aside, table) -%}
            {%- else -%}
                {%- do run_query('drop table ' ~ aside) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro %}

{#- A kill in between leaves the note as it was, so that the next build looks at the same changes again. -#}
{% macro delete_and_insert(table, built, note) -%}
    {%- set strategy = config.get('incremental_strategy') -%}
    {%- set arguments = {
        'target_relation': table,
        'temp_relation': built,
        'dest_columns': adapter.get_columns_in_relation(table),
        'incremental_predicates': config.get('incremental_predicates'),
    } -%}
    {%- if strategy == 'append' -%}
        {%- set statements = insert_all(arguments) -%}
    {%- elif strategy == 'delete+insert' -%}
        {%- set key = key_columns() -%}
        {%- set statements -%}
            delete from {{ table }} where ({{ key }}) in (select {{ key }} from {{ built }});
            {{ insert_all(arguments) }}
        {%- endset -%}
    {%- else -%}
        {%- set statements = context['get_incremental_' ~ strategy ~ '_sql'](arguments) -%}
    {%- endif -%}
    {%- for one in statements.split(';') if one.strip() -%}
        {%- call statement('main') -%}{{ one }}{%- endcall -%}
    {%- endfor -%}
    {%- do run_query("alter table " ~ table ~ " set tblproperties ('consumed_change_number' = '" ~ note ~ "')") -%}
{%- endmacro %}

{% macro rows_that_stay_and_built_ones(table, built) -%}
    {%- set strategy = config.get('incremental_strategy') -%}
    {%- set columns = adapter.get_columns_in_relation(table) | map(attribute='quoted') | list -%}
    select {{ columns | join(', ') }} from {{ built }}
    {%- if strategy != 'replace_all' %}
    union all
    select {% for column in columns %}known.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
    from {{ table }} as known
    {%- if strategy in ('replace_changed', 'replace_changed_and_built') %}
        {{ without_keys(config.require('changed_key'), changed_keys(), 'changed') }}
    {%- endif %}
    {%- if strategy in ('replace_built', 'replace_changed_and_built') %}
        {%- set key = config.require('changed_key') %}
        {{ without_keys(key, '(select ' ~ (key | trim('()')) ~ ' from ' ~ built ~ ')', 'rebuilt',
            config.get('incremental_predicates') or []) }}
    {%- endif %}
    {%- if strategy == 'delete+insert' %}
        {{ without_keys(key_columns(), '(select ' ~ key_columns() ~ ' from ' ~ built ~ ')', 'rebuilt') }}
    {%- endif %}
    {%- if strategy == 'replace_window' %}
    where not coalesce({{ in_window('known.' ~ config.require('day_column')) }}, false)
    {%- endif %}
    {%- endif %}
{%- endmacro %}

{% macro key_columns() -%}
    {%- set unique_key = config.require('unique_key') -%}
    {{ unique_key if unique_key is string else unique_key | join(', ') }}
{%- endmacro %}

{% macro without_keys(key, keys, alias, predicates=[]) -%}
    {%- set columns = (key | trim('()')).split(',') | map('trim') | list -%}
    left anti join {{ keys }} as {{ alias }} (
        {%- for column in columns %}key_{{ loop.index }}{{ ', ' if not loop.last }}{% endfor -%}
    ) on
        {%- for column in columns %} known.{{ column }} = {{ alias }}.key_{{ loop.index }}{{ ' and' if not loop.last }}
        {%- endfor %}
        {%- for predicate in predicates %} and known.{{ predicate }}{% endfor %}
{%- endmacro %}

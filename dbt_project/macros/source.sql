{#- `source()` names a dataset of the lake; it renders as the Parquet files of its days. -#}
{% macro source(source_name, table_name) -%}
    {%- set relation = builtins.source(source_name, table_name) -%}
    {#- In unit tests dbt replaces the source with a CTE of given rows: leave that as it is. -#}
    {%- if not execute or relation.is_cte or model.resource_type == 'unit_test' -%}
        {%- do return(relation) -%}
    {%- endif -%}
    {%- do return(adapter.dispatch('lake_files')(lake_uri() ~ '/' ~ source_name ~ '/' ~ table_name)) -%}
{%- endmacro %}

{#- The folder or URL of the lake. A person who calls dbt by hand may leave it to the same settings as everything else. -#}
{% macro lake_uri() -%}
    {%- set default_uri = '../data/lake' if env_var('LANDING_URI', '') else '../data/demo/lake' -%}
    {%- set uri = var('lake_uri') or env_var('LAKE_URI', default_uri) -%}
    {%- if not uri -%}
        {%- do exceptions.raise_compiler_error("the variable lake_uri is not set; expected the lake's folder or URL") -%}
    {%- endif -%}
    {%- do return(uri) -%}
{%- endmacro %}

{#- The days of a dataset that were loaded and not held, with or without rows, as a table with the column `day`. A load
    writes a file for each of its days; the files are listed, not opened. -#}
{% macro days_in_lake(source_name, table_name) -%}
    {%- set relation = builtins.source(source_name, table_name) -%}
    {%- if not execute or relation.is_cte or model.resource_type == 'unit_test' -%}
        {%- do return(relation) -%}
    {%- endif -%}
    {%- do return(adapter.dispatch('lake_days')(lake_uri() ~ '/' ~ source_name ~ '/' ~ table_name)) -%}
{%- endmacro %}

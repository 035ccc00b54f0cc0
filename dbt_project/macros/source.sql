{#- `source()` names a dataset of the lake; on DuckDB it renders as the Parquet files of its days. -#}
{% macro source(source_name, table_name) -%}
    {%- set relation = builtins.source(source_name, table_name) -%}
    {#- In unit tests dbt puts a CTE of given rows in the source's place: leave that as it is. -#}
    {%- if not execute or relation.is_cte or model.resource_type == 'unit_test' -%}
        {%- do return(relation) -%}
    {%- endif -%}
    {%- if not var('lake_uri') -%}
        {%- do exceptions.raise_compiler_error("the variable lake_uri is not set; expected the lake's folder or URL") -%}
    {%- endif -%}
    {%- do return(adapter.dispatch('lake_files')(var('lake_uri') ~ '/' ~ source_name ~ '/' ~ table_name)) -%}
{%- endmacro %}

{% macro duckdb__lake_files(folder) -%}
    read_parquet('{{ folder | replace("'", "''") }}/*/*.parquet', hive_partitioning = true, hive_types = {'day': date})
{%- endmacro %}

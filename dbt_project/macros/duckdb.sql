{#- What the macros of this project are on DuckDB. -#}

{% macro duckdb__lake_files(folder) -%}
    read_parquet('{{ folder | replace("'", "''") }}/*/*.parquet', hive_partitioning = true, hive_types = {'day': date})
{%- endmacro %}

{#- A day that retention has removed has a mark in its place. The first day of 1970 is not a day of data: see
    `columns_of_files.py`. -#}
{% macro duckdb__lake_days(folder) -%}
    (
        select distinct cast(regexp_extract(file, 'day=([0-9-]+)/[^/]+$', 1) as date) as day
        from glob('{{ folder | replace("'", "''") }}/day=*/*')
        where file not like '%/day=1970-01-01/%'
    )
{%- endmacro %}

{% macro duckdb__each_week(first_week, last_week) -%}
    unnest(generate_series({{ first_week }}, {{ last_week }}, interval '7' day))
{%- endmacro %}

{% macro duckdb__milliseconds_between(start, end) -%}
    date_sub('millisecond', {{ start }}, {{ end }})
{%- endmacro %}

{% macro duckdb__last_known(expression) -%}
    last_value({{ expression }} ignore nulls)
{%- endmacro %}

{#- The ledger is a table, in which a model writes its note in the transaction of its build; and in it the number of this
    invocation. A table of an older version, which nothing builds any more, would still be published. After a build that
    is not the graph's, the graph builds every area anew. -#}
{% macro duckdb__prepare_change_ledger() -%}
    create schema if not exists intermediate;
    create table if not exists intermediate.consumed_changes (consumer string, change_number bigint);
    insert into intermediate.consumed_changes
    select 'newest invocation', coalesce(max(change_number), 0) + 1 from intermediate.consumed_changes;
    delete from intermediate.consumed_changes
    where consumer = 'newest invocation'
        and change_number < (select max(change_number) from intermediate.consumed_changes);
    drop table if exists mobility.mobile_session_aliases;
    {% if not var('keep_build_inputs') -%} drop table if exists intermediate.build_inputs; {%- endif %}
{%- endmacro %}

{% macro duckdb__invocation_number() -%}
    {%- do return(
        run_query("select max(change_number) from intermediate.consumed_changes where consumer = 'newest invocation'")
        .columns[0].values()[0]
    ) -%}
{%- endmacro %}

{% macro duckdb__change_number_noted_by(schema, identifier) -%}
    {%- do return(
        run_query(
            "select max(change_number) from intermediate.consumed_changes where consumer = '"
            ~ schema ~ "." ~ identifier ~ "'"
        ).columns[0].values()[0]
    ) -%}
{%- endmacro %}

{#- A subquery, since docs and the lineage of columns compile models without a ledger. -#}
{% macro duckdb__change_number_consumed_by(model_name) -%}
    (
        select coalesce(max(change_number), 0)
        from intermediate.consumed_changes
        where consumer = '{{ this.schema }}.{{ model_name }}'
    )
{%- endmacro %}

{% macro duckdb__note_consumed_changes() -%}
    {%- set consumer = this.schema ~ '.' ~ this.identifier -%}
    delete from intermediate.consumed_changes where consumer = '{{ consumer }}';
    insert into intermediate.consumed_changes
    select '{{ consumer }}', min(change_number)
    from intermediate.consumed_changes
    where consumer in (
        'newest invocation'
        {%- for upstream in upstream_consumers(model.unique_id) %}, '{{ upstream }}'{% endfor %}
    );
{%- endmacro %}

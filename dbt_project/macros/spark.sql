{#- What the macros of this project are on Apache Spark. The server keeps UTC and reads timestamps without a zone
    (spark.sql.timestampType=TIMESTAMP_NTZ): see profiles.yml and docs/decisions/0024-apache-spark.md. -#}

{% macro spark__lake_files(folder) -%}
    parquet.`{{ url_of(folder) }}`
{%- endmacro %}

{#- Files are listed, not opened: only their content is read when asked for. -#}
{% macro spark__lake_days(folder) -%}
    (select distinct day from binaryFile.`{{ url_of(folder) }}` where day > date '1970-01-01')
{%- endmacro %}

{#- Without a scheme Spark would take a path for one of its default file system, which is HDFS on most clusters. -#}
{% macro url_of(folder) -%}
    {{ folder if '://' in folder else 'file://' ~ folder }}
{%- endmacro %}

{#- `sequence` fails where it would have to go backwards. -#}
{% macro spark__each_week(first_week, last_week) -%}
    explode(
        case
            when {{ first_week }} <= {{ last_week }}
                then sequence({{ first_week }}, {{ last_week }}, interval '7' day)
        end
    )
{%- endmacro %}

{% macro spark__milliseconds_between(start, end) -%}
    timestampdiff(millisecond, {{ start }}, {{ end }})
{%- endmacro %}

{% macro spark__last_known(expression) -%}
    last_value({{ expression }}) ignore nulls
{%- endmacro %}

{#- The number of this invocation is a property of a table without rows: two models that write rows into one table of
    Parquet at the same time destroy each other's. It begins with the clock, so that a ledger that was dropped does not
    begin below the notes that tables still have. -#}
{% macro spark__prepare_change_ledger() -%}
    {%- if execute and flags.WHICH in ('build', 'run', 'seed') -%}
        {%- do run_query('create schema if not exists intermediate') -%}
        {%- do run_query('create table if not exists intermediate.consumed_changes (consumer string) using parquet') -%}
        {%- set last = table_property('intermediate', 'consumed_changes', 'newest_invocation') or 0 -%}
        {%- set number = [(run_started_at.timestamp() * 1000) | int, last + 1] | max -%}
        {%- do run_query("alter table intermediate.consumed_changes set tblproperties ('newest_invocation' = '"
            ~ number ~ "')") -%}
        {%- do finish_renames() -%}
    {%- endif -%}
{%- endmacro %}

{% macro spark__invocation_number() -%}
    {%- do return(table_property('intermediate', 'consumed_changes', 'newest_invocation')) -%}
{%- endmacro %}

{% macro spark__change_number_noted_by(schema, identifier) -%}
    {%- set consumer = api.Relation.create(schema=schema, identifier=identifier) -%}
    {%- do return(
        table_property(schema, identifier, 'consumed_change_number') if load_relation(consumer) is not none
    ) -%}
{%- endmacro %}

{% macro spark__change_number_consumed_by(model_name) -%}
    {{ (spark__change_number_noted_by(this.schema, model_name) if execute) or 0 }}
{%- endmacro %}

{#- The note is a property of the table, and becomes true with its new rows: see the materialization. -#}
{% macro spark__note_consumed_changes() -%}{%- endmacro %}

{#- A whole number from a table's properties, none if it has no such property. -#}
{% macro table_property(schema, identifier, name) -%}
    {%- for row in run_query('show tblproperties ' ~ schema ~ '.' ~ identifier).rows if row[0] == name -%}
        {%- do return(row[1] | int) -%}
    {%- endfor -%}
    {%- do return(none) -%}
{%- endmacro %}

{#- No greater than what the consumers that a model reads have noted. -#}
{% macro change_number_to_note() -%}
    {%- set numbers = [spark__invocation_number()] -%}
    {%- for upstream in upstream_consumers(model.unique_id) -%}
        {%- set schema, identifier = upstream.split('.') -%}
        {%- set noted = spark__change_number_noted_by(schema, identifier) -%}
        {%- if noted is not none -%}{%- do numbers.append(noted) -%}{%- endif -%}
    {%- endfor -%}
    {%- do return(numbers | min) -%}
{%- endmacro %}

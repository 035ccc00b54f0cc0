{#-
  Incremental models learn what to rebuild from change logs, not from the clock
  (docs/decisions/0002-change-logs.md).

  A log is a model with a `change_number` for every changed key: the number of the dbt invocation that found the change.
  A consumer replaces the keys whose change number is greater than the one that it noted at its last build. It writes
  the note in the transaction of the build. So the next build catches up with one that failed, was killed or was left
  out, in any order. A consumer that reads another consumer notes no greater number than that one has: if it was built
  alone, on top of a table that was left behind, it will look at the same changes again.
-#}

{#- On-run-start hook: what the notes need before a build. -#}
{% macro prepare_change_ledger() -%}
    {{ return(adapter.dispatch('prepare_change_ledger')()) }}
{%- endmacro %}

{#- The number for the changes that this invocation finds, greater than any before. It is a literal: DuckDB would join a
    subquery to every row, and copy all columns on the way. Only a build has a number; linter and docs have no ledger. -#}
{% macro next_change_number() -%}
    {%- if execute and flags.WHICH in ('build', 'run') -%}
        cast({{ adapter.dispatch('invocation_number')() }} as bigint)
    {%- else -%}
        cast(null as bigint)
    {%- endif -%}
{%- endmacro %}

{#- The greatest change number that `this` has seen, 0 before its first build. It is a literal: DuckDB pushes no subquery
    into a log that is a view, and would compute the view over the whole history. -#}
{% macro consumed_change_number() -%}
    {%- if execute -%}
        {{ adapter.dispatch('change_number_noted_by')(this.schema, this.identifier) or 0 }}
    {%- endif -%}
{%- endmacro %}

{#- The greatest change number that another model of the same schema has seen; 0 before its first build. -#}
{% macro change_number_consumed_by(model_name) -%}
    {{ adapter.dispatch('change_number_consumed_by')(model_name) }}
{%- endmacro %}

{#- Whether `this` exists from an earlier build, also when this build refreshes it in full. A change log asks this so that
    a full refresh does not forget keys that are gone: its consumers may still hold them. -#}
{% macro previous_build_exists() -%}
    {%- do return(execute and model.resource_type == 'model' and load_relation(this) is not none) -%}
{%- endmacro %}

{#- Post-hook of every model: notes what an incremental model has seen now. -#}
{% macro note_consumed_changes() -%}
    {%- if execute and config.get('materialized') == 'incremental' -%}
        {{ adapter.dispatch('note_consumed_changes')() }}
    {%- endif -%}
{%- endmacro %}

{#- The consumers that a model reads, directly or through models that are not consumers. -#}
{% macro upstream_consumers(unique_id) -%}
    {%- set found = [] -%}
    {%- for parent in graph.nodes[unique_id].depends_on.nodes if parent in graph.nodes -%}
        {%- set node = graph.nodes[parent] -%}
        {%- if node.config.get('change_log') -%}
            {%- do found.append(node.schema ~ '.' ~ node.alias) -%}
        {%- else -%}
            {%- do found.extend(upstream_consumers(parent)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do return(found | unique | list) -%}
{%- endmacro %}

{#- Incremental strategies: replace whole days, or replace the keys that a change log names. -#}

{#- The run's window as a predicate on a DATE column. It fails without a window: rebuilding all would be silent. -#}
{% macro in_window(column) -%}
    {%- if execute and not (var('window_start') and var('window_end')) -%}
        {%- do exceptions.raise_compiler_error(
            model.name ~ " is built for a window of days, and none was given; expected the variables window_start "
            ~ "and window_end as YYYY-MM-DD (the end is exclusive), or --full-refresh to rebuild everything"
        ) -%}
    {%- endif -%}
    {{ column }} >= date '{{ var("window_start") }}' and {{ column }} < date '{{ var("window_end") }}'
{%- endmacro %}

{#- `replace_window`: the window's days of `day_column` are deleted, then inserted. -#}
{% macro get_incremental_replace_window_sql(arg_dict) %}
    delete from {{ arg_dict['target_relation'] }} where {{ in_window(config.require('day_column')) }};
    {{ insert_all(arg_dict) }}
{% endmacro %}

{#- The keys that changed since `this` was last built, as a subquery over the log. -#}
{% macro changed_keys() -%}
    (
        select {{ config.get('changed_key_in_log', config.require('changed_key')) }}
        from {{ ref(config.require('change_log')) }}
        where change_number > {{ consumed_change_number() }}
    )
{%- endmacro %}

{#- `replace_changed`: the rows of the changed keys are deleted, then inserted as they are now. -#}
{% macro get_incremental_replace_changed_sql(arg_dict) %}
    delete from {{ arg_dict['target_relation'] }} where {{ config.require('changed_key') }} in {{ changed_keys() }};
    {{ insert_all(arg_dict) }}
{% endmacro %}

{#- `replace_built`: the rows of the keys that the model has just built are deleted, then inserted; for a model that
    finds out itself which keys a change is about, and builds a row for each of them. -#}
{% macro get_incremental_replace_built_sql(arg_dict) %}
    {{ delete_built(arg_dict) }}
    {{ insert_all(arg_dict) }}
{% endmacro %}

{#- `replace_changed_and_built`: both; for a model that builds rows of other keys than the log names, too. -#}
{% macro get_incremental_replace_changed_and_built_sql(arg_dict) %}
    {{ delete_built(arg_dict) }}
    {{ get_incremental_replace_changed_sql(arg_dict) }}
{% endmacro %}

{#- `replace_all`: every row is deleted, then inserted; for a small table that must know its own last state. -#}
{% macro get_incremental_replace_all_sql(arg_dict) %}
    delete from {{ arg_dict['target_relation'] }};
    {{ insert_all(arg_dict) }}
{% endmacro %}

{% macro delete_built(arg_dict) -%}
    {%- set key = config.require('changed_key') -%}
    delete from {{ arg_dict['target_relation'] }}
    where {{ key }} in (select {{ key | trim('()') }} from {{ arg_dict['temp_relation'] }})
    {%- for predicate in arg_dict['incremental_predicates'] or [] %} and {{ predicate }}{% endfor %};
{%- endmacro %}

{% macro insert_all(arg_dict) -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }};
{%- endmacro %}

{#- Incremental strategies: replace whole days, or the keys that a change log names. -#}

{#- `replace_window`: delete the window's days of `day_column`, then insert them as they are now. -#}
{% macro get_incremental_replace_window_sql(arg_dict) %}
    delete from {{ arg_dict['target_relation'] }} where {{ in_window(config.require('day_column')) }};
    {{ insert_all(arg_dict) }}
{% endmacro %}

{#- The keys that changed since the last build of `this`, as a subquery over the log. -#}
{% macro changed_keys() -%}
    (
        select {{ config.get('changed_key_in_log', config.require('changed_key')) }}
        from {{ ref(config.require('change_log')) }}
        where change_number > {{ consumed_change_number() }}
    )
{%- endmacro %}

{#- `replace_changed`: delete the rows of the changed keys, then insert them as they are now. -#}
{% macro get_incremental_replace_changed_sql(arg_dict) %}
    delete from {{ arg_dict['target_relation'] }} where {{ config.require('changed_key') }} in {{ changed_keys() }};
    {{ insert_all(arg_dict) }}
{% endmacro %}

{#- `replace_built`: delete the rows of the keys that the model has just built, then insert them; for a model that works
    out itself which keys a change affects, and builds a row for each. -#}
{% macro get_incremental_replace_built_sql(arg_dict) %}
    {{ delete_built(arg_dict) }}
    {{ insert_all(arg_dict) }}
{% endmacro %}

{#- `replace_changed_and_built`: both; for a model that also builds rows of keys that the log does not name. -#}
{% macro get_incremental_replace_changed_and_built_sql(arg_dict) %}
    {{ delete_built(arg_dict) }}
    {{ get_incremental_replace_changed_sql(arg_dict) }}
{% endmacro %}

{#- `replace_all`: delete every row, then insert all; for a small table that compares itself with its last state. -#}
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

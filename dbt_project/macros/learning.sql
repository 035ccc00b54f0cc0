{#- What the models of the learning area share. -#}

{#- Whether `this` is there from an earlier build, also when this build refreshes it in full. A change log asks it, so
    that a full refresh does not forget the keys that are gone, which its consumers may still hold. -#}
{% macro previous_build_exists() -%}
    {%- do return(execute and model.resource_type == 'model' and load_relation(this) is not none) -%}
{%- endmacro %}

{#- The greatest change number that another model of the same schema has seen; 0 before its first build. -#}
{% macro change_number_consumed_by(model_name) -%}
    (
        select coalesce(max(change_number), 0)
        from intermediate.consumed_changes
        where consumer = '{{ this.schema }}.{{ model_name }}'
    )
{%- endmacro %}

{#- The first day of the ISO week, month or year that holds `day`, as a DATE. -#}
{% macro period_start(grain, day) -%}
    cast(date_trunc('{{ grain }}', {{ day }}) as date)
{%- endmacro %}

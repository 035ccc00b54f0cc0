{#- The schema of a table follows from its folder: `marts/<area>` is in the schema of the area, every other layer in the
    one of its name. A configured schema wins. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name -%}
        {{ custom_schema_name | trim }}
    {%- elif node.resource_type == 'model' -%}
        {{ node.fqn[2] if node.fqn[1] == 'marts' else node.fqn[1] }}
    {%- else -%}
        {{ target.schema }}
    {%- endif -%}
{%- endmacro %}

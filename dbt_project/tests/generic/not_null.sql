{#- dbt's own test returns the column, which is NULL; this one returns the rows, so that they can be looked up. -#}
{% test not_null(model, column_name) %}

select * from {{ model }}
where {{ column_name }} is null

{% endtest %}

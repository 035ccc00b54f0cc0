{#- dbt's own test gives back the column, which is NULL; this one gives the rows, which can be looked up. -#}
{% test not_null(model, column_name) %}

select * from {{ model }}
where {{ column_name }} is null

{% endtest %}

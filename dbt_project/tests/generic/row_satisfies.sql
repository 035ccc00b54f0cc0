{#- Every row satisfies `expression`. A row for which it is NULL fails. -#}
{% test row_satisfies(model, expression) %}

select * from {{ model }}
where not coalesce({{ expression }}, false)

{% endtest %}

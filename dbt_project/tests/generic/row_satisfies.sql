{#- Every row satisfies `expression`; a row for which it is NULL does not. -#}
{% test row_satisfies(model, expression) %}

select * from {{ model }}
where not coalesce({{ expression }}, false)

{% endtest %}

{#-
  A table agrees with the parts that it sums up: in each period, its measures add up to the sums over the parts.
  `measures` maps a column of the table to the same sum as an expression over the parts.
-#}
{% test adds_up_to(model, parts, period, period_of_part, measures) %}

with

stored as (

    select
        {{ period }} as period,
        {% for measure in measures %}
        sum({{ measure }}) as {{ measure }}{{ ',' if not loop.last }}
        {% endfor %}

    from {{ model }}
    group by {{ period }}

),

expected as (

    select
        {{ period_of_part }} as period,
        {% for measure, expression in measures.items() %}
        {{ expression }} as {{ measure }}{{ ',' if not loop.last }}
        {% endfor %}

    from {{ parts }}
    group by {{ period_of_part }}

)

select
    coalesce(stored.period, expected.period) as period,
    {% for measure in measures %}
    stored.{{ measure }} as stored_{{ measure }},
    expected.{{ measure }} as expected_{{ measure }}{{ ',' if not loop.last }}
    {% endfor %}

from stored
full outer join expected on stored.period = expected.period
where
    {% for measure in measures %}
    stored.{{ measure }} is distinct from expected.{{ measure }} {{ 'or' if not loop.last }}
    {% endfor %}

{% endtest %}

{#- What the models of the strava area share. -#}

{#- Generates a row per week, from one Monday to another. Cast what it gives to a DATE. -#}
{% macro each_week(first_week, last_week) -%}
    {{ return(adapter.dispatch('each_week')(first_week, last_week)) }}
{%- endmacro %}

{% macro duckdb__each_week(first_week, last_week) -%}
    unnest(generate_series({{ first_week }}, {{ last_week }}, interval '7' day))
{%- endmacro %}

{#- The sample standard deviation of integers from their sums. What stands under the root is an exact integer until the
    division, so that sums of sums give the same, and a flat series gives 0. NULL for fewer than two values. -#}
{% macro sample_deviation(values_count, values_sum, squares_sum) -%}
    case
        when {{ values_count }} > 1
            then sqrt(
                cast(
                    cast({{ values_count }} as decimal(10, 0)) * cast({{ squares_sum }} as decimal(28, 0))
                    - cast({{ values_sum }} as decimal(19, 0)) * cast({{ values_sum }} as decimal(19, 0))
                    as double
                )
                / {{ values_count }} / ({{ values_count }} - 1)
            )
    end
{%- endmacro %}

{#- Numbers that do not depend on the order of the rows. -#}

{#- The sum of a DOUBLE column. Each value counts to the twelfth decimal. A value of 1e18 or more cannot be a length or a
    speed, and counts as absent. -#}
{% macro exact_sum(column) -%}
    cast(sum(try_cast({{ column }} as decimal(30, 12))) as double)
{%- endmacro %}

{#- The sample standard deviation of integers, from their sums. The radicand is an exact integer until the division, so
    that sums of sums give the same result, and equal values give 0. NULL for fewer than two values. -#}
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

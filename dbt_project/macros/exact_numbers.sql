{#- Numbers that do not depend on the order of the rows. -#}

{#- A DOUBLE as a whole number of its `digits`-th decimals; NULL where that does not fit. Engines disagree when they cast a
    DOUBLE to a decimal, but not about this. -#}
{% macro fixed_point(value, digits) -%}
    cast(
        case when abs({{ value }}) < 9e{{ 18 - digits }} then round({{ value }} * 1e{{ digits }}) end as bigint
    )
{%- endmacro %}

{#- The sum of a DOUBLE column. Each value counts to the sixth decimal. A value of 9e12 or more cannot be a length or a
    speed, and counts as absent. The decimal holds any sum of whole numbers. -#}
{% macro exact_sum(column) -%}
    cast(sum(cast({{ fixed_point(column, 6) }} as decimal(19, 0))) as double) / 1e6
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

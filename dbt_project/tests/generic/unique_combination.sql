{#- No two rows have the same values in all of `columns`; NULLs are equal. A table that is too long to group every day
    limits the test: with `day_column` to the days of the run's window, if the run has one; with `changed_in` and
    `changed_key` to the keys of the newest change in that log. -#}
{% test unique_combination(model, columns, day_column=none, changed_in=none, changed_key=[]) %}

select
    {{ columns | join(', ') }},
    count(*) as row_count

from {{ model }}
{% if day_column and var('window_start') and var('window_end') %}
where {{ in_window(day_column) }}
{% elif changed_in %}
where ({{ changed_key | join(', ') }}) in (
    select {{ changed_key | join(', ') }}
    from {{ changed_in }}
    where change_number = (select max(change_number) from {{ changed_in }})
)
{% endif %}
group by {{ columns | join(', ') }}
having count(*) > 1

{% endtest %}

{#- No two rows agree in all of `columns`, NULLs being equal. Tables that have grown too long to be grouped every day
    name what to judge: with `day_column` the days of the run's window, if the run has one; with `changed_in` and
    `changed_key` the keys that the newest change in that log is about. -#}
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

{{ config(materialized = 'view') }}

-- A source without a change log is read whole: every possible week is named, by a number greater
-- than any note. This build's number would not do: the view would keep it, and who reads the view
-- in a later build may have noted it already.
with

weeks_generated as (

    select {{ each_week("date '1969-12-29'", "date '2199-12-30'") }} as week_start_date

),

weeks_changed as (

    {% for name, source in engaged_sources().items() %}
        {% if source.change_log %}
            {% set day, number = source.changed_day, 'change_number' %}
            {% set log = table_or_nothing(
                ref(source.change_log), {day: 'date', 'change_number': 'bigint'}
            ) %}
        {% else %}
            {% set log, day = 'weeks_generated', 'week_start_date' %}
            {% set number = 'cast(9223372036854775807 as bigint)' %}
        {% endif %}
        select
            '{{ name }}' as source,
            {{ period_start('week', day) }} as week_start_date,
            {{ number }} as change_number

        from {{ log }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    source,
    week_start_date,
    change_number

from weeks_changed

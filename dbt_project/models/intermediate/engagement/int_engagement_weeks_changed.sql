{{ config(materialized = 'view') }}

with

{# A source without a change log is read whole: every week that there can be is named. #}
weeks_generated as (

    select {{ each_week("date '1969-12-29'", "date '2199-12-30'") }} as week_start_date

),

weeks_changed as (

    {% for name, source in engaged_sources().items() %}
        select
            '{{ name }}' as source,
            {% if source.change_log %}
                {{ period_start('week', source.changed_day) }} as week_start_date,
                change_number

            from {{ table_or_nothing(
                ref(source.change_log), {source.changed_day: 'date', 'change_number': 'bigint'}
            ) }}
            {% else %}
                cast(week_start_date as date) as week_start_date,
                {{ next_change_number() }} as change_number

            from weeks_generated
            {% endif %}
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    source,
    week_start_date,
    change_number

from weeks_changed

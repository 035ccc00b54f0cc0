{{ config(materialized = 'view') }}

{% set grains = ['day', 'week', 'month', 'year'] %}

with

days_changed as (

    select * from {{ ref('int_lingokids_days_changed') }}

),

periods_changed as (

    {% for grain in grains %}
        select
            '{{ grain }}' as grain,
            {{ period_start(grain, 'event_date') }} as period_start_date,
            max(change_number) as change_number

        from days_changed
        group by period_start_date
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from periods_changed

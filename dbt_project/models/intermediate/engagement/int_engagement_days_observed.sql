{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'delete+insert',
        unique_key = ['source', 'observed_date'],
    )
}}

-- The dataset that holds a source's engagement. Snapshots and details beside it say nothing about
-- whether a day was seen.
{% set main_datasets = {
    'runna': 'activities',
    'strava': 'activities',
    'user_events': 'events',
    'mobile': 'events',
    'lingokids': 'events',
} %}

-- Loads are recorded under the day on which they began, or under the newest that is there, should
-- the clock have gone back. One that is still at work when this is built began less than a week
-- before, so the records of a week are read again, and no older ones.
{% if is_incremental() %}
    {% set newest = "(select max(newest_loaded_at) from " ~ this ~ ")" %}
    {% set first_day = run_query(
        "select cast(coalesce(" ~ newest ~ ", timestamp '0001-01-08') - interval '7' day as date)"
    ).columns[0].values()[0] %}
{% endif %}
with

loads as (

    select * from {{ ref('ingestion_loads') }}
    {% if is_incremental() %}
        where loaded_on >= date '{{ first_day }}'
    {% endif %}

),

-- A day that was held is not in the lake. A load that found an empty day has observed it.
loads_published as (

    select
        source,
        partition_date as observed_date,
        loaded_at

    from loads
    where
        status = 'published'
        and partition_date is not null
        and (
            {% for source, dataset in main_datasets.items() %}
                {{ 'or ' if not loop.first }}(source = '{{ source }}' and dataset = '{{ dataset }}')
            {% endfor %}
        )
    {% if is_incremental() %}

        union all

        select
            source,
            observed_date,
            newest_loaded_at as loaded_at

        from {{ this }}
    {% endif %}

),

days_observed as (

    select
        source,
        observed_date,
        max(loaded_at) as newest_loaded_at

    from loads_published
    group by
        source,
        observed_date

)

select * from days_observed

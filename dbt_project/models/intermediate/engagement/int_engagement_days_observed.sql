{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'delete+insert',
        unique_key = ['source', 'observed_date'],
    )
}}

-- The record of a load lies under the day on which the load began, or under the newest day that is
-- there if the clock was put back. A load that still runs during this build began less than a week
-- ago. So the records of the newest week are read again, and no older ones.
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

-- A held day is not in the lake. A load that found an empty day has observed it. Datasets beside
-- the main one say nothing about whether a day was seen.
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
            {% for name, source in engaged_sources().items() %}
                {{ 'or ' if not loop.first -}}
                (source = '{{ name }}' and dataset = '{{ source.dataset }}')
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

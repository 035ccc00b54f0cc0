{{ config(materialized = 'view') }}

-- What the tables over all sources read of each source; the variable `engaged_sources` says where
-- it is.
with

units as (

    {% for name, source in engaged_sources().items() %}
        select
            '{{ name }}' as source,
            {% if is_built(ref(source.fact)) %}
                {{ source.user_id }} as user_id,
                {{ source.active_date }} as active_date,
                {{ source.engaged_ms or 'cast(null as bigint)' }} as engaged_ms

            from {{ ref(source.fact) }}
            where {{ source.condition or 'true' }}
            {% else %}
                cast(null as string) as user_id,
                cast(null as date) as active_date,
                cast(null as bigint) as engaged_ms

            where false
            {% endif %}
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    source,
    cast(user_id as string) as user_id,
    cast(active_date as date) as active_date,
    cast(engaged_ms as bigint) as engaged_ms

from units

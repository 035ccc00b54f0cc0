{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_window',
        day_column = 'event_date',
        tags = ['windowed'],
    )
}}

-- The only model of the area that looks at the run's window. The models after it read this log
-- instead. So any later run catches up with one that stopped half-way.
with

events as (

    select * from {{ ref('stg_mobile__events') }}
    {% if is_incremental() %}
        where {{ in_window('event_date') }}
    {% endif %}

),

days as (

    select
        event_date,
        count(*) as event_count

    from events
    group by event_date
    {% if previous_build_exists() %}

        union all

        -- A day that is empty now is logged, too.
        select
            event_date,
            0 as event_count

        from {{ this }}
        {% if is_incremental() %}
            where {{ in_window('event_date') }}
        {% endif %}
    {% endif %}

),

days_changed as (

    select
        event_date,
        cast(sum(event_count) as bigint) as event_count,
        {{ next_change_number() }} as change_number

    from days
    group by event_date

)

select * from days_changed

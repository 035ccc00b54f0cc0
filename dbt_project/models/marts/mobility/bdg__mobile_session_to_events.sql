{{ config(materialized = 'view') }}

with

events as (

    select * from {{ ref('int_mobile_events_sessionized') }}
    where replacement_reason is null

),

final as (

    select
        session_id,
        event_id,
        position,
        session_date

    from events

)

select * from final

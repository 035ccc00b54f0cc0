{{ config(materialized = 'view') }}

with

events as (

    select * from {{ ref('int_mobile_events_sessionized') }}
    where position is not null

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

with

events as (

    select * from {{ source('raw_mobile', 'events') }}

),

renamed as (

    select
        ---------- ids
        event_id,

        ---------- strings
        event_name,
        app_version,
        os_name,
        business_zone as zone,

        ---------- dates and timestamps
        day as event_date,
        created_at,
        received_at,

        ---------- ids that compare without case
        lower(anonymous_id) as anonymous_id,
        lower(device_id) as device_id

    from events

)

select * from renamed

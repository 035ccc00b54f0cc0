with

events as (

    select * from {{ source('raw_user_events', 'events') }}

),

renamed as (

    select
        ---------- ids
        event_id,
        user_id,
        user_corporate_id,
        device_id,
        amp_id,
        initial_li_fat_id,
        initial_rtd_cid,

        ---------- strings
        event_type,
        path,
        data_type,
        country,
        region,
        city,
        language,
        group_first_event,
        group_ids,
        user_corporate_status,
        user_role,
        user_status,
        source_path,

        ---------- booleans
        is_user_corporate_demo,
        is_user_properties_updated,

        ---------- dates and timestamps
        day as event_date,
        user_signup_date,
        event_time as event_at,
        client_event_time as client_event_at,
        client_upload_time as client_uploaded_at,
        server_received_time as server_received_at,
        server_upload_time as server_uploaded_at,
        processed_time as processed_at,
        extracted_at

    from events

)

select * from renamed

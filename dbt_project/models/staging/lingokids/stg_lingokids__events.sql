with

events as (

    select * from {{ source('raw_lingokids', 'events') }}

),

renamed as (

    select
        ---------- ids
        event_id,
        user_id,
        child_id,
        device_id,
        activity_id,

        ---------- strings
        event_name,
        device_brand,
        device_model,
        app_build,
        source_path,

        ---------- numerics
        duration_ms,
        loading_time_ms,

        ---------- booleans
        is_completed,

        ---------- dates and timestamps
        day as event_date,
        occurred_at,
        extracted_at,

        ---------- strings that are empty in days that an older version has loaded
        nullif(trim(source), '') as started_from,

        ---------- columns that tables group by: what was not sent has a name, too
        coalesce(nullif(trim(collection_id), ''), 'none') as collection_id,
        coalesce(nullif(trim(os_name), ''), 'unknown') as os_name,
        coalesce(nullif(trim(os_version), ''), 'unknown') as os_version,
        coalesce(nullif(trim(app_version), ''), 'unknown') as app_version

    from events

)

select * from renamed

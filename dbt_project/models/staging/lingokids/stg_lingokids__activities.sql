with

activities as (

    select * from {{ source('raw_lingokids', 'activities') }}

),

renamed as (

    select
        ---------- ids
        activity_id,

        ---------- strings
        source_path,

        ---------- timestamps
        extracted_at,

        ---------- columns that tables show: what was not sent has a name, too
        coalesce(nullif(trim(activity_name), ''), activity_id) as activity_name,
        coalesce(nullif(trim(activity_type), ''), 'unknown') as activity_type,
        nullif(trim(activity_subtype), '') as activity_subtype

    from activities

)

select * from renamed

with

activities as (

    select * from {{ source('raw_watch', 'activities') }}

),

renamed as (

    select
        ---------- ids
        activity_id,
        user_id,

        ---------- strings
        country as country_code,
        activity_type,
        source_path,

        ---------- numerics
        duration_s,
        distance_m,

        ---------- dates and timestamps
        day as activity_date,
        started_at

    from activities

)

select * from renamed

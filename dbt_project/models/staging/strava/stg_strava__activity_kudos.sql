with

activity_kudos as (

    select * from {{ source('raw_strava', 'activity_kudos') }}

),

renamed as (

    select
        ---------- ids
        activity_id,

        ---------- numerics
        kudos_count,

        ---------- dates and timestamps
        day as activity_date,
        observed_on,
        extracted_at

    from activity_kudos

)

select * from renamed

with

activity_kudos as (

    select * from {{ source('raw_strava', 'activity_kudos') }}

),

renamed as (

    select
        ---------- ids
        activity_id,

        ---------- strings
        activity_type,
        sport_type,

        ---------- numerics
        kudos_count,
        workout_type,
        distance_m,
        moving_time_s,
        total_elevation_gain_m,
        athlete_count,
        name_word_count,

        ---------- dates and timestamps
        day as activity_date,
        started_at,
        observed_on,
        extracted_at

    from activity_kudos

)

select * from renamed

with

activities as (

    select * from {{ source('raw_strava', 'activities') }}

),

renamed as (

    select
        ---------- ids
        activity_id,

        ---------- strings
        activity_name,
        activity_type,
        sport_type,
        location_country,
        time_zone,
        source_path,

        ---------- numerics
        workout_type,
        distance_m,
        moving_time_s,
        elapsed_time_s,
        total_elevation_gain_m,
        achievement_count,
        kudos_count,
        comment_count,
        athlete_count,
        average_speed_m_per_s,
        max_speed_m_per_s,
        average_cadence,
        average_temperature_c,
        average_heart_rate,
        max_heart_rate,
        suffer_score,
        start_latitude,
        start_longitude,

        ---------- dates and timestamps
        day as activity_date,
        started_at,
        deleted_at,
        extracted_at

    from activities

)

select * from renamed

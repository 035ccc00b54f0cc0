with

activities as (

    select * from {{ ref('int_strava_activities_by_day') }}

),

-- An activity whose start was moved is on two days. At the same instant it can be missing from one
-- day and exist on the other: then it exists.
numbered_newest_first as (

    select
        *,
        row_number() over (
            partition by activity_id
            order by
                state_at desc,
                case when deleted_at is null then 1 else 2 end,
                activity_date desc
        ) as position_from_newest

    from activities

),

latest as (

    select
        activity_id,
        activity_name,
        activity_type,
        sport_type,
        location_country,
        time_zone,
        source_path,
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
        activity_date,
        started_at,
        deleted_at,
        extracted_at

    from numbered_newest_first
    where position_from_newest = 1

)

select * from latest

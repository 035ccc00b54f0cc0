with

activities as (

    select * from {{ ref('int_strava_activities_latest') }}

),

runs_found as (

    select
        *,
        {{ strava_is_run() }} as is_run

    from activities

),

workout_types_named as (

    select
        *,
        case when is_run then {{ strava_workout_type_of_run() }} end as workout_type_name

    from runs_found

),

final as (

    select
        ---------- ids
        cast(activity_id as bigint) as activity_id,

        ---------- strings
        cast(activity_name as string) as activity_name,
        cast(activity_type as string) as activity_type,
        cast(sport_type as string) as sport_type,
        cast(workout_type_name as string) as workout_type_name,
        cast(location_country as string) as location_country,
        cast(time_zone as string) as time_zone,
        cast(source_path as string) as source_path,

        ---------- numerics
        cast(workout_type as bigint) as workout_type,
        cast(distance_m as double) as distance_m,
        cast(moving_time_s as bigint) as moving_time_s,
        cast(elapsed_time_s as bigint) as elapsed_time_s,
        cast(total_elevation_gain_m as double) as total_elevation_gain_m,
        cast(achievement_count as bigint) as achievement_count,
        cast(kudos_count as bigint) as kudos_count,
        cast(comment_count as bigint) as comment_count,
        cast(athlete_count as bigint) as athlete_count,
        cast(average_speed_m_per_s as double) as average_speed_m_per_s,
        cast(max_speed_m_per_s as double) as max_speed_m_per_s,
        cast(average_cadence as double) as average_cadence,
        cast(average_temperature_c as double) as average_temperature_c,
        cast(average_heart_rate as double) as average_heart_rate,
        cast(max_heart_rate as double) as max_heart_rate,
        cast(suffer_score as double) as suffer_score,
        cast(start_latitude as double) as start_latitude,
        cast(start_longitude as double) as start_longitude,

        ---------- booleans
        cast(is_run as boolean) as is_run,
        cast(deleted_at is not null as boolean) as is_deleted,

        ---------- dates and timestamps
        cast(activity_date as date) as activity_date,
        cast(started_at as timestamp) as started_at,
        cast(deleted_at as timestamp) as deleted_at,
        cast(extracted_at as timestamp) as extracted_at

    from workout_types_named

)

select * from final

with

activities as (

    select * from {{ ref('int_strava_activities_first_seen') }}

),

final as (

    select
        ---------- ids
        cast(activity_id as bigint) as activity_id,

        ---------- strings
        cast(workout_type_name as string) as workout_type_name,

        ---------- numerics
        cast(settled_kudos_count as bigint) as kudos_count,
        cast(distance_m as double) as distance_m,
        cast(moving_time_s as bigint) as moving_time_s,
        cast(pace_s_per_km as double) as pace_s_per_km,
        cast(total_elevation_gain_m as double) as total_elevation_gain_m,
        cast(athlete_count as bigint) as athlete_count,
        cast(name_word_count as bigint) as name_word_count,
        cast(iso_weekday as bigint) as iso_weekday,
        cast(start_hour as bigint) as start_hour,
        cast(days_since_previous as double) as days_since_previous,

        ---------- booleans
        cast(is_week_complete as boolean) as is_week_complete,

        ---------- dates
        cast(activity_date as date) as activity_date,
        cast(week_start_date as date) as week_start_date,
        cast(first_observed_on as date) as first_observed_on,
        cast(settled_on as date) as settled_on

    from activities
    where settled_on is not null

)

select * from final

{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_window',
        day_column = 'activity_date',
        tags = ['windowed'],
    )
}}

-- Keeps the lake's activities in the warehouse, so that the newest state of an activity is found
-- without opening every day of the lake.
with

activities as (

    select
        *,
        greatest(extracted_at, coalesce(deleted_at, extracted_at)) as state_at

    from {{ ref('stg_strava__activities') }}
    {% if is_incremental() %}
        where {{ in_window('activity_date') }}
    {% endif %}

),

-- The lake holds an activity once a day. If it did not, the newest state would count.
numbered_within_day as (

    select
        *,
        row_number() over (
            partition by activity_date, activity_id
            order by
                state_at desc nulls last,
                case when deleted_at is null then 1 else 2 end,
                source_path desc nulls last
        ) as position_in_day

    from activities

),

activities_by_day as (

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
        started_at,
        deleted_at,
        extracted_at,
        state_at,
        activity_date

    from numbered_within_day
    where position_in_day = 1

)

select * from activities_by_day
order by activity_date

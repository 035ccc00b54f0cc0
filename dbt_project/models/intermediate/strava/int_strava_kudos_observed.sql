with

-- An observation without a count says nothing.
kudos as (

    select * from {{ ref('int_strava_activity_kudos_by_day') }}
    where kudos_count is not null

),

-- The observations of an activity whose start was moved are on two days.
numbered_newest_first as (

    select
        *,
        row_number() over (
            partition by activity_id, observed_on
            order by extracted_at desc nulls last, activity_date desc
        ) as position_from_newest

    from kudos

),

observed as (

    select
        activity_id,
        activity_type,
        sport_type,
        kudos_count,
        workout_type,
        distance_m,
        moving_time_s,
        total_elevation_gain_m,
        athlete_count,
        name_word_count,
        started_at,
        observed_on,
        extracted_at

    from numbered_newest_first
    where position_from_newest = 1

)

select * from observed

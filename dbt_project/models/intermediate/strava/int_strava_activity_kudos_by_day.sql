{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_window',
        day_column = 'activity_date',
        on_schema_change = 'append_new_columns',
        tags = ['windowed'],
    )
}}

-- Tables of a version before 0.3 lack the facts of an observation, and get them as NULL.
-- Keeps the lake's observations in the warehouse, so that the newest one of an activity and a day
-- is found without opening every day of the lake.
with

kudos as (

    select * from {{ ref('stg_strava__activity_kudos') }}
    {% if is_incremental() %}
        where {{ in_window('activity_date') }}
    {% endif %}

),

-- The lake holds an observation once a day. If it did not, the order of the rows would not matter.
numbered_within_day as (

    select
        *,
        row_number() over (
            partition by activity_date, activity_id, observed_on
            order by extracted_at desc nulls last, kudos_count desc nulls last
        ) as position_in_day

    from kudos

),

kudos_by_day as (

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
        activity_date,
        started_at,
        observed_on,
        extracted_at

    from numbered_within_day
    where position_in_day = 1

)

select * from kudos_by_day
order by activity_date

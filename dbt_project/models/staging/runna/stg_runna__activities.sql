select
    ---------- ids
    activity_id,
    user_id,
    workout_id,
    plan_id,

    ---------- strings
    record_type,
    unit_of_measure,
    workout_type,
    run_type,
    steps_md5,
    source_path,

    ---------- numerics
    plan_length_weeks,
    week_of_plan,
    workout_distance,
    current_est_5k_time_s,
    lap_count,
    step_count,

    ---------- dates and timestamps
    planned_workout_date,
    day as batch_date,
    created_on as created_at,
    extracted_at

from {{ source('raw_runna', 'activities') }}

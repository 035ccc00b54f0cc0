select
    ---------- ids
    activity_id,

    ---------- strings
    step_type,
    intensity,
    duration_type,
    duration_value_type,
    target_type,
    paces_json,
    source_path,

    ---------- numerics
    step_index,
    step_order,
    repeat_number,
    duration_value,
    pace_slow_m_per_s,
    pace_average_m_per_s,
    pace_fast_m_per_s,

    ---------- dates
    day as batch_date

from {{ source('raw_runna', 'workout_steps') }}

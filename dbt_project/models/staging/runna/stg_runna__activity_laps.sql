select
    ---------- ids
    activity_id,

    ---------- strings
    source_path,

    ---------- numerics
    lap_index,
    distance_m,
    moving_time_ms,
    total_time_ms,
    average_speed_m_per_s,
    max_speed_m_per_s,
    average_cadence,
    max_cadence,
    average_heart_rate,
    max_heart_rate,
    min_heart_rate,
    elevation_gain_m,
    max_elevation_m,
    min_elevation_m,
    workout_template_step_index,

    ---------- dates and timestamps
    day as batch_date,
    started_at

from {{ source('raw_runna', 'activity_laps') }}

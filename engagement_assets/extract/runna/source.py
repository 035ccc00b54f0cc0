"""The source Runna: its datasets, and what the rest of the project needs to know of it.

Belongs here: the description. Not here: how a batch is read (`extract/runna/extraction.py`).
"""

from engagement_assets.contracts.datasets import Dataset, SentFields, sql_columns
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.contracts.source import Source
from engagement_assets.extract.landing.batch_folder import BatchFolder

RUNNA_ACTIVITIES = Dataset(
    key="raw_runna/activities",
    description=(
        "One row per workout activity file of a batch: who ran what, for which plan. The day is the batch date, "
        "the day on which the file landed; the activity itself may be months older."
    ),
    columns=sql_columns(
        """
        activity_id VARCHAR, user_id VARCHAR, workout_id VARCHAR, plan_id VARCHAR, plan_length_weeks BIGINT,
        record_type VARCHAR, created_on TIMESTAMP, week_of_plan BIGINT, unit_of_measure VARCHAR, workout_type VARCHAR,
        run_type VARCHAR, workout_distance DOUBLE, current_est_5k_time_s BIGINT, planned_workout_date DATE,
        lap_count BIGINT, step_count BIGINT, steps_md5 VARCHAR, _extra VARCHAR, source_path VARCHAR,
        extracted_at TIMESTAMP
        """
    ),
    identity=("activity_id",),
    loaded_together=True,
    append_only=False,
    personal={"user_id": PersonalKind.USER},
    impersonal="""
        activity_id, workout_id, plan_id, plan_length_weeks, record_type, created_on, week_of_plan, unit_of_measure,
        workout_type, run_type, workout_distance, current_est_5k_time_s, planned_workout_date, lap_count,
        step_count, steps_md5
    """,
)


RUNNA_ACTIVITY_LAPS = Dataset(
    key="raw_runna/activity_laps",
    description="One row per lap of an accepted activity file; `lap_index` is the lap's position, from 0.",
    columns=sql_columns(
        """
        activity_id VARCHAR, lap_index BIGINT, started_at TIMESTAMP, distance_m DOUBLE, moving_time_ms BIGINT,
        total_time_ms BIGINT, average_speed_m_per_s DOUBLE, max_speed_m_per_s DOUBLE, average_cadence DOUBLE,
        max_cadence DOUBLE, average_heart_rate DOUBLE, max_heart_rate DOUBLE, min_heart_rate DOUBLE,
        elevation_gain_m DOUBLE, max_elevation_m DOUBLE, min_elevation_m DOUBLE, workout_template_step_index BIGINT,
        _extra VARCHAR, source_path VARCHAR, extracted_at TIMESTAMP
        """
    ),
    identity=("activity_id", "lap_index"),
    loaded_together=True,
    append_only=False,
    impersonal="""
        activity_id, lap_index, started_at, distance_m, moving_time_ms, total_time_ms, average_speed_m_per_s,
        max_speed_m_per_s, average_cadence, max_cadence, average_heart_rate, max_heart_rate, min_heart_rate,
        elevation_gain_m, max_elevation_m, min_elevation_m, workout_template_step_index
    """,
)


RUNNA_WORKOUT_STEPS = Dataset(
    key="raw_runna/workout_steps",
    description=(
        "One row per flattened workout step of an accepted activity file (repeats are written out); "
        "`step_index` counts 0, 1, 2, … in the order in which the laps perform them."
    ),
    columns=sql_columns(
        """
        activity_id VARCHAR, workout_id VARCHAR, step_index BIGINT, step_type VARCHAR, intensity VARCHAR,
        duration_type VARCHAR, duration_value DOUBLE, duration_value_type VARCHAR, target_type VARCHAR,
        step_order BIGINT, repeat_number BIGINT, pace_slow_m_per_s DOUBLE, pace_average_m_per_s DOUBLE,
        pace_fast_m_per_s DOUBLE, paces_json VARCHAR, _extra VARCHAR, source_path VARCHAR, extracted_at TIMESTAMP
        """
    ),
    identity=("activity_id", "step_index"),
    loaded_together=True,
    append_only=False,
    personal={"paces_json": PersonalKind.FREE_TEXT},
    impersonal="""
        activity_id, workout_id, step_index, step_type, intensity, duration_type, duration_value,
        duration_value_type, target_type, step_order, repeat_number, pace_slow_m_per_s, pace_average_m_per_s,
        pace_fast_m_per_s
    """,
)

BATCHES = BatchFolder(
    dataset=RUNNA_ACTIVITIES,
    prefix="runna/activities",
    sent={
        RUNNA_ACTIVITIES.key: SentFields(
            {
                "activityId": "activity_id",
                "userId": "user_id",
                "workoutId": "workout_id",
                "recordType": "record_type",
                "createdOn": "created_on",
                "weekOfPlan": "week_of_plan",
                "unitOfMeasure": "unit_of_measure",
                "planDetails.id": "plan_id",
                "planDetails.planLength": "plan_length_weeks",
                "plannedWorkoutMetadata.workoutType": "workout_type",
                "plannedWorkoutMetadata.runType": "run_type",
                "plannedWorkoutMetadata.distance": "workout_distance",
                "plannedWorkoutMetadata.currentEst5kTimeInSecs": "current_est_5k_time_s",
                "plannedWorkoutMetadata.plannedWorkoutDate": "planned_workout_date",
            }
        ),
        RUNNA_ACTIVITY_LAPS.key: SentFields(
            {
                "startTimestamp": "started_at",
                "distance": "distance_m",
                "movingTime": "moving_time_ms",
                "totalTime": "total_time_ms",
                "averageSpeed": "average_speed_m_per_s",
                "maxSpeed": "max_speed_m_per_s",
                "averageCadence": "average_cadence",
                "maxCadence": "max_cadence",
                "averageHeartRate": "average_heart_rate",
                "maxHeartRate": "max_heart_rate",
                "minHeartRate": "min_heart_rate",
                "elevationGain": "elevation_gain_m",
                "maxElevation": "max_elevation_m",
                "minElevation": "min_elevation_m",
                "wktStepIndex": "workout_template_step_index",
            }
        ),
        RUNNA_WORKOUT_STEPS.key: SentFields(
            {
                "type": "step_type",
                "intensity": "intensity",
                "durationType": "duration_type",
                "durationValue": "duration_value",
                "durationValueType": "duration_value_type",
                "targetType": "target_type",
                "stepOrder": "step_order",
                "repeatValue": "repeat_number",
                "paces": "paces_json",
            }
        ),
    },
)

RUNNA = Source(
    name="runna",
    title="Runna workouts",
    area="training",
    datasets=(RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS, RUNNA_WORKOUT_STEPS),
    readers=(BATCHES,),
    sample="engagement_assets.sandbox.runna_sample:runna_files",
)

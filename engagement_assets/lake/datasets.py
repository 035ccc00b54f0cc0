"""The raw datasets of the lake: their keys, columns and types.

Belongs here: what each Parquet file under `raw_<source>/<dataset>/` holds, and what quarantine and load records hold.
Not here: how a source is read (see `extract/`) or how a day is written (see `lake/lake.py`).

Types are the ones that every engine reads: BIGINT, DOUBLE, VARCHAR, BOOLEAN, DATE, TIMESTAMP (UTC, microseconds).
The meaning of the columns follows the sources' own documents, summarised in `docs/data_dictionary.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, eq=False)
class Dataset:
    """One raw dataset: `key` is `raw_<source>/<dataset>`, `columns` maps a column's name to its DuckDB type.

    `identity` names the columns that tell two records apart; `append_only` says what a reload means: merge by
    identity (an event log forgets nothing) or replace (the source's answer is the truth).
    The day of a record is the Hive partition `day` in the path and no column of the file.
    """

    key: str
    description: str
    columns: Mapping[str, str]
    identity: tuple[str, ...]
    append_only: bool
    partitioned: bool = True
    # Columns that say who somebody is: no preview shows them. A message may name a landing file that has to be mended.
    personal_columns: tuple[str, ...] = ("user_id", "child_id", "device_id", "_extra", "source_path")

    @property
    def source(self) -> str:
        """The source's name, `runna` for `raw_runna/activities`."""
        return self.key.partition("/")[0].removeprefix("raw_")

    @property
    def name(self) -> str:
        """The dataset's name within its source, `activities` for `raw_runna/activities`."""
        return self.key.partition("/")[2]


RUNNA_ACTIVITIES = Dataset(
    key="raw_runna/activities",
    description=(
        "One row per workout activity file of a batch: who ran what, for which plan. The day is the batch date, "
        "the day on which the file landed; the activity itself may be months older."
    ),
    columns=MappingProxyType(
        {
            "activity_id": "VARCHAR",
            "user_id": "VARCHAR",
            "workout_id": "VARCHAR",
            "plan_id": "VARCHAR",
            "plan_length_weeks": "BIGINT",
            "record_type": "VARCHAR",
            "created_on": "TIMESTAMP",
            "week_of_plan": "BIGINT",
            "unit_of_measure": "VARCHAR",
            "workout_type": "VARCHAR",
            "run_type": "VARCHAR",
            "workout_distance": "DOUBLE",
            "current_est_5k_time_s": "BIGINT",
            "planned_workout_date": "DATE",
            "lap_count": "BIGINT",
            "step_count": "BIGINT",
            "steps_md5": "VARCHAR",
            "_extra": "VARCHAR",
            "source_path": "VARCHAR",
            "extracted_at": "TIMESTAMP",
        }
    ),
    identity=("activity_id",),
    append_only=False,
)

RUNNA_ACTIVITY_LAPS = Dataset(
    key="raw_runna/activity_laps",
    description="One row per lap of an accepted activity file; `lap_index` is the lap's position, from 0.",
    columns=MappingProxyType(
        {
            "activity_id": "VARCHAR",
            "lap_index": "BIGINT",
            "started_at": "TIMESTAMP",
            "distance_m": "DOUBLE",
            "moving_time_ms": "BIGINT",
            "total_time_ms": "BIGINT",
            "average_speed_m_per_s": "DOUBLE",
            "max_speed_m_per_s": "DOUBLE",
            "average_cadence": "DOUBLE",
            "max_cadence": "DOUBLE",
            "average_heart_rate": "DOUBLE",
            "max_heart_rate": "DOUBLE",
            "min_heart_rate": "DOUBLE",
            "elevation_gain_m": "DOUBLE",
            "max_elevation_m": "DOUBLE",
            "min_elevation_m": "DOUBLE",
            "workout_template_step_index": "BIGINT",
            "_extra": "VARCHAR",
            "source_path": "VARCHAR",
            "extracted_at": "TIMESTAMP",
        }
    ),
    identity=("activity_id", "lap_index"),
    append_only=False,
)

RUNNA_WORKOUT_STEPS = Dataset(
    key="raw_runna/workout_steps",
    description=(
        "One row per flattened workout step of an accepted activity file (repeats are written out); "
        "`step_index` counts 0, 1, 2, … in the order in which the laps perform them."
    ),
    columns=MappingProxyType(
        {
            "activity_id": "VARCHAR",
            "workout_id": "VARCHAR",
            "step_index": "BIGINT",
            "step_type": "VARCHAR",
            "intensity": "VARCHAR",
            "duration_type": "VARCHAR",
            "duration_value": "DOUBLE",
            "duration_value_type": "VARCHAR",
            "target_type": "VARCHAR",
            "step_order": "BIGINT",
            "repeat_number": "BIGINT",
            "pace_slow_m_per_s": "DOUBLE",
            "pace_average_m_per_s": "DOUBLE",
            "pace_fast_m_per_s": "DOUBLE",
            "paces_json": "VARCHAR",
            "_extra": "VARCHAR",
            "source_path": "VARCHAR",
            "extracted_at": "TIMESTAMP",
        }
    ),
    identity=("activity_id", "step_index"),
    append_only=False,
)

LINGOKIDS_EVENTS = Dataset(
    key="raw_lingokids/events",
    description="One row per activity exit of the learning app; the day is the UTC day of `occurred_at`.",
    columns=MappingProxyType(
        {
            "event_id": "VARCHAR",
            "event_name": "VARCHAR",
            "occurred_at": "TIMESTAMP",
            "user_id": "VARCHAR",
            "child_id": "VARCHAR",
            "activity_id": "VARCHAR",
            "source": "VARCHAR",
            "duration_ms": "BIGINT",
            "is_completed": "BOOLEAN",
            "collection_id": "VARCHAR",
            "loading_time_ms": "BIGINT",
            "device_id": "VARCHAR",
            "device_brand": "VARCHAR",
            "device_model": "VARCHAR",
            "os_name": "VARCHAR",
            "os_version": "VARCHAR",
            "app_version": "VARCHAR",
            "app_build": "VARCHAR",
            "_extra": "VARCHAR",
            "source_path": "VARCHAR",
            "extracted_at": "TIMESTAMP",
        }
    ),
    identity=("event_id",),
    append_only=True,
)

LINGOKIDS_USERS = Dataset(
    key="raw_lingokids/users",
    description="One row per user of the learning app, from full snapshots; the newest snapshot wins per user.",
    columns=MappingProxyType(
        {
            "user_id": "VARCHAR",
            "children_count": "BIGINT",
            "country_code": "VARCHAR",
            "registration_at": "TIMESTAMP",
            "trial_start_at": "TIMESTAMP",
            "trial_end_at": "TIMESTAMP",
            "subscription_start_at": "TIMESTAMP",
            "subscription_expire_at": "TIMESTAMP",
            "_extra": "VARCHAR",
            "source_path": "VARCHAR",
            "extracted_at": "TIMESTAMP",
        }
    ),
    identity=("user_id",),
    append_only=True,
    partitioned=False,
)

LINGOKIDS_ACTIVITIES = Dataset(
    key="raw_lingokids/activities",
    description="One row per activity of the learning app, from full snapshots; the newest snapshot wins per activity.",
    columns=MappingProxyType(
        {
            "activity_id": "VARCHAR",
            "activity_name": "VARCHAR",
            "activity_type": "VARCHAR",
            "activity_subtype": "VARCHAR",
            "_extra": "VARCHAR",
            "source_path": "VARCHAR",
            "extracted_at": "TIMESTAMP",
        }
    ),
    identity=("activity_id",),
    append_only=True,
    partitioned=False,
)

RAW_DATASETS: tuple[Dataset, ...] = (
    RUNNA_ACTIVITIES,
    RUNNA_ACTIVITY_LAPS,
    RUNNA_WORKOUT_STEPS,
    LINGOKIDS_EVENTS,
    LINGOKIDS_USERS,
    LINGOKIDS_ACTIVITIES,
)

# What one rejected record looks like in the quarantine; `day` is the partition it is counted in.
QUARANTINE_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "source": "VARCHAR",
        "dataset": "VARCHAR",
        "source_path": "VARCHAR",
        "position": "BIGINT",
        "raw_text": "VARCHAR",
        "reason_code": "VARCHAR",
        "message": "VARCHAR",
        "run_id": "VARCHAR",
        "quarantined_at": "TIMESTAMP",
    }
)

# The record of one load: one row per load, dataset and day; `partition_date` is NULL for a dataset without days.
LOAD_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "load_id": "VARCHAR",
        "run_id": "VARCHAR",
        "source": "VARCHAR",
        "dataset": "VARCHAR",
        "partition_date": "DATE",
        "status": "VARCHAR",
        "failed_checks": "VARCHAR",
        "unknown_fields": "VARCHAR",
        "files": "BIGINT",
        "bytes": "BIGINT",
        "records_read": "BIGINT",
        "accepted": "BIGINT",
        "quarantined": "BIGINT",
        "duplicates": "BIGINT",
        "rows_in_day": "BIGINT",
        "seconds": "DOUBLE",
        "loaded_at": "TIMESTAMP",
    }
)

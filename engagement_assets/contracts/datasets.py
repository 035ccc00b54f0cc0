"""The raw datasets of the lake: their keys, columns and types.

Belongs here: what each Parquet file under `raw_<source>/<dataset>/` holds. Not here: what the records of loads hold
(see `lake/record_columns.py`), how a source is read (see `extract/`) or how a day is written (see `lake/lake.py`).

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

    @property
    def load_name(self) -> str:
        """What it is loaded as: services and Runna bring their datasets together, others come each by itself."""
        together = self.source in {"runna", "strava", "user_events"}
        return self.source if together else f"{self.source}_{self.name}"


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
    description=(
        "One row per user of the learning app, from full snapshots; per user the one with the last file name wins, "
        "also when that file has gone."
    ),
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
    description=(
        "One row per activity of the learning app, from full snapshots; per activity the one with the last file name "
        "wins, also when that file has gone."
    ),
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

STRAVA_ACTIVITIES = Dataset(
    key="raw_strava/activities",
    description=(
        "One row per activity of the athlete, as the API gave it last; the day is the UTC day of `started_at`. "
        "An activity that is missing from a completely read window stays, marked as deleted."
    ),
    columns=MappingProxyType(
        {
            "activity_id": "BIGINT",
            "activity_name": "VARCHAR",
            "distance_m": "DOUBLE",
            "moving_time_s": "BIGINT",
            "elapsed_time_s": "BIGINT",
            "total_elevation_gain_m": "DOUBLE",
            "activity_type": "VARCHAR",
            "sport_type": "VARCHAR",
            "workout_type": "BIGINT",
            "location_country": "VARCHAR",
            "achievement_count": "BIGINT",
            "kudos_count": "BIGINT",
            "comment_count": "BIGINT",
            "athlete_count": "BIGINT",
            "average_speed_m_per_s": "DOUBLE",
            "max_speed_m_per_s": "DOUBLE",
            "average_cadence": "DOUBLE",
            "average_temperature_c": "DOUBLE",
            "average_heart_rate": "DOUBLE",
            "max_heart_rate": "DOUBLE",
            "suffer_score": "DOUBLE",
            "started_at": "TIMESTAMP",
            "time_zone": "VARCHAR",
            "start_latitude": "DOUBLE",
            "start_longitude": "DOUBLE",
            "deleted_at": "TIMESTAMP",
            "_extra": "VARCHAR",
            "source_path": "VARCHAR",
            "extracted_at": "TIMESTAMP",
        }
    ),
    identity=("activity_id",),
    append_only=False,
    personal_columns=("activity_name", "start_latitude", "start_longitude", "_extra", "source_path"),
)

STRAVA_ACTIVITY_KUDOS = Dataset(
    key="raw_strava/activity_kudos",
    description=(
        "One row per activity and day of observation: how many kudos it had when it was read last on that day. "
        "The day is the UTC day of the activity's start."
    ),
    columns=MappingProxyType(
        {
            "activity_id": "BIGINT",
            "observed_on": "DATE",
            "kudos_count": "BIGINT",
            "source_path": "VARCHAR",
            "extracted_at": "TIMESTAMP",
        }
    ),
    identity=("activity_id", "observed_on"),
    append_only=True,
    personal_columns=("source_path",),
)

USER_EVENTS = Dataset(
    key="raw_user_events/events",
    description=(
        "One row per event of the product's users; the day is the date under which the service lists the event. "
        "A day without events has a file without rows, a day that was never read has none."
    ),
    columns=MappingProxyType(
        {
            "event_id": "VARCHAR",
            "event_type": "VARCHAR",
            "event_time": "TIMESTAMP",
            "country": "VARCHAR",
            "city": "VARCHAR",
            "region": "VARCHAR",
            "language": "VARCHAR",
            "device_id": "VARCHAR",
            "user_id": "VARCHAR",
            "amp_id": "VARCHAR",
            "client_event_time": "TIMESTAMP",
            "client_upload_time": "TIMESTAMP",
            "server_received_time": "TIMESTAMP",
            "server_upload_time": "TIMESTAMP",
            "processed_time": "TIMESTAMP",
            "data_type": "VARCHAR",
            "path": "VARCHAR",
            "group_first_event": "VARCHAR",
            "group_ids": "VARCHAR",
            "is_user_properties_updated": "BOOLEAN",
            "initial_li_fat_id": "VARCHAR",
            "initial_rtd_cid": "VARCHAR",
            "user_corporate_id": "VARCHAR",
            "is_user_corporate_demo": "BOOLEAN",
            "user_corporate_status": "VARCHAR",
            "user_role": "VARCHAR",
            "user_signup_date": "DATE",
            "user_status": "VARCHAR",
            "_extra": "VARCHAR",
            "source_path": "VARCHAR",
            "extracted_at": "TIMESTAMP",
        }
    ),
    identity=("event_id",),
    append_only=False,
    personal_columns=(
        "user_id",
        "device_id",
        "amp_id",
        "city",
        "initial_li_fat_id",
        "initial_rtd_cid",
        "path",
        "_extra",
        "source_path",
    ),
)

MOBILE_EVENTS = Dataset(
    key="raw_mobile/events",
    description=(
        "One row per event of the scooter app; the day is the UTC day of `created_at`. "
        "Rows with the same values are one event, in whatever files they are."
    ),
    columns=MappingProxyType(
        {
            "event_id": "VARCHAR",
            "anonymous_id": "VARCHAR",
            "business_zone": "VARCHAR",
            "app_version": "VARCHAR",
            "device_id": "VARCHAR",
            "os_name": "VARCHAR",
            "event_name": "VARCHAR",
            "received_at": "TIMESTAMP",
            "created_at": "TIMESTAMP",
            "_extra": "VARCHAR",
            "source_path": "VARCHAR",
            "extracted_at": "TIMESTAMP",
        }
    ),
    identity=("event_id",),
    append_only=True,
    personal_columns=("anonymous_id", "device_id", "_extra", "source_path"),
)

RAW_DATASETS: tuple[Dataset, ...] = (
    RUNNA_ACTIVITIES,
    RUNNA_ACTIVITY_LAPS,
    RUNNA_WORKOUT_STEPS,
    LINGOKIDS_EVENTS,
    LINGOKIDS_USERS,
    LINGOKIDS_ACTIVITIES,
    STRAVA_ACTIVITIES,
    STRAVA_ACTIVITY_KUDOS,
    USER_EVENTS,
    MOBILE_EVENTS,
)

"""Lingokids: app events by day, users and activities from full snapshots.

Belongs here: what the lines of the three datasets hold and where the files lie. Not here: how lines are read
(`extract/lines/`), how days are written (`lake/`).

An event's identity is its id on its UTC day: what a day holds then depends on the files alone, not on which other days
are read with it, so days can be loaded in any order and grouping. The same id on two days is two rows in the lake, of
which the dbt models count one.
"""

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.contracts.source import Source
from engagement_assets.extract.lines.json_records import Field, Kind, RecordShape
from engagement_assets.extract.lines.readers import EventLog, Snapshots, raw_columns

EVENT = RecordShape(
    fields=(
        Field("event_id", "event_id", required=True),
        Field("name", "event_name"),
        Field("occurred_at", "occurred_at", Kind.INSTANT, required=True),
        Field("user_id", "user_id", required=True),
        Field("child_id", "child_id"),
        Field("data.activity_id", "activity_id", required=True),
        Field("data.source", "source"),
        Field("data.duration", "duration_ms", Kind.SECONDS),
        Field("data.completed", "is_completed", Kind.FLAG),
        Field("data.collection_id", "collection_id"),
        Field("data.loading_time", "loading_time_ms", Kind.SECONDS),
        Field("context.device.device_id", "device_id"),
        Field("context.device.brand", "device_brand"),
        Field("context.device.model", "device_model"),
        Field("context.os.name", "os_name"),
        Field("context.os.version", "os_version"),
        Field("context.app.version", "app_version"),
        Field("context.app.build", "app_build"),
    ),
    moment="occurred_at",
)
USER = RecordShape(
    fields=(
        Field("user_id", "user_id", required=True),
        # Only their number is kept: no table needs the ids.
        Field("children_ids", "children_count", Kind.LIST),
        Field("country_code", "country_code"),
        Field("registration_at", "registration_at", Kind.BOUND),
        Field("trial_start_at", "trial_start_at", Kind.BOUND),
        Field("trial_end_at", "trial_end_at", Kind.BOUND),
        Field("subscription_start_at", "subscription_start_at", Kind.BOUND),
        Field("subscription_expire_at", "subscription_expire_at", Kind.BOUND),
    )
)
ACTIVITY = RecordShape(
    fields=(
        Field("activity_id", "activity_id", required=True),
        Field("name", "activity_name"),
        Field("type", "activity_type"),
        Field("subtype", "activity_subtype"),
    )
)

LINGOKIDS_EVENTS = Dataset(
    key="raw_lingokids/events",
    description="One row per activity exit of the learning app; the day is the UTC day of `occurred_at`.",
    columns=raw_columns(EVENT),
    identity=("event_id",),
    append_only=True,
    personal={"user_id": PersonalKind.USER, "child_id": PersonalKind.CHILD, "device_id": PersonalKind.DEVICE},
    impersonal="""
        event_id, event_name, occurred_at, activity_id, source, duration_ms, is_completed, collection_id,
        loading_time_ms, device_brand, device_model, os_name, os_version, app_version, app_build
    """,
    unneeded=frozenset({"child_id", "device_id"}),
)

LINGOKIDS_USERS = Dataset(
    key="raw_lingokids/users",
    description=(
        "One row per user of the learning app, from full snapshots; for each user the last file name wins, "
        "even if that file is gone."
    ),
    columns=raw_columns(USER),
    identity=("user_id",),
    append_only=True,
    partitioned=False,
    personal={"user_id": PersonalKind.USER},
    impersonal="""
        children_count, country_code, registration_at, trial_start_at, trial_end_at, subscription_start_at,
        subscription_expire_at
    """,
)

LINGOKIDS_ACTIVITIES = Dataset(
    key="raw_lingokids/activities",
    description=(
        "One row per activity of the learning app, from full snapshots; for each activity the last file name "
        "wins, even if that file is gone."
    ),
    columns=raw_columns(ACTIVITY),
    identity=("activity_id",),
    append_only=True,
    partitioned=False,
    impersonal="activity_id, activity_name, activity_type, activity_subtype",
)

EVENT_FILES = EventLog(dataset=LINGOKIDS_EVENTS, prefix="lingokids/events", shape=EVENT)
USER_FILES = Snapshots(dataset=LINGOKIDS_USERS, prefix="lingokids/users", shape=USER)
ACTIVITY_FILES = Snapshots(dataset=LINGOKIDS_ACTIVITIES, prefix="lingokids/activities", shape=ACTIVITY)

LINGOKIDS = Source(
    name="lingokids",
    title="Lingokids app",
    area="learning",
    datasets=(LINGOKIDS_EVENTS, LINGOKIDS_USERS, LINGOKIDS_ACTIVITIES),
    readers=(EVENT_FILES, USER_FILES, ACTIVITY_FILES),
    sample="engagement_assets.sandbox.lingokids_sample:lingokids_files",
)

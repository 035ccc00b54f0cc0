"""Lingokids: app events by day, users and activities from full snapshots.

Belongs here: what the lines of the three datasets hold and where the files lie. Not here: how lines are read
(`extract/lines/`), how days are written (`lake/`).

An event's identity is its id on its UTC day: what a day holds then depends on the files alone, not on which other days
are read with it, so days can be loaded in any order and grouping. The same id on two days is two rows in the lake, of
which the dbt models count one.
"""

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.field_notes import Note
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.contracts.source import Source
from engagement_assets.extract.lines.json_fields import Field, Kind
from engagement_assets.extract.lines.json_records import RecordShape
from engagement_assets.extract.lines.readers import EventLog, Snapshots, raw_columns

EVENT = RecordShape(
    fields=(
        Field("event_id", "event_id", required=True, note=Note("Tells the events of a day apart", "e-1")),
        Field("name", "event_name", note=Note("Kind of the event", "activity_exit")),
        Field(
            "occurred_at",
            "occurred_at",
            Kind.INSTANT,
            required=True,
            note=Note("When the child left the activity; it dates the event", "2024-01-05T10:00:00.000Z", "UTC"),
        ),
        Field("user_id", "user_id", required=True, note=Note("The account", "user-1")),
        Field("child_id", "child_id", note=Note("The child; not kept unless LAND_UNNEEDED_IDS asks for it", "child-1")),
        Field(
            "data.activity_id", "activity_id", required=True, note=Note("The activity that was played", "activity-1")
        ),
        Field("data.source", "source", note=Note("Where in the app the activity was started", "home")),
        Field("data.duration", "duration_ms", Kind.SECONDS, note=Note("How long it was played", 125.5, "s")),
        Field("data.completed", "is_completed", Kind.FLAG, note=Note("Whether it was played to its end", True)),
        Field("data.collection_id", "collection_id", note=Note("The collection it was started from", "collection-1")),
        Field("data.loading_time", "loading_time_ms", Kind.SECONDS, note=Note("How long it took to load", 1.25, "s")),
        Field(
            "context.device.device_id",
            "device_id",
            note=Note("The device; not kept unless LAND_UNNEEDED_IDS asks for it", "device-1"),
        ),
        Field("context.device.brand", "device_brand", note=Note("Brand of the device", "Apple")),
        Field("context.device.model", "device_model", note=Note("Model of the device", "iPad8,1")),
        Field("context.os.name", "os_name", note=Note("Operating system", "iOS")),
        Field("context.os.version", "os_version", note=Note("Its version", "17.2")),
        Field("context.app.version", "app_version", note=Note("Version of the app", "8.4.0")),
        Field("context.app.build", "app_build", note=Note("Build of the app", "840")),
    ),
    moment="occurred_at",
)
USER = RecordShape(
    fields=(
        Field("user_id", "user_id", required=True, note=Note("The account", "user-1")),
        # Only their number is kept: no table needs the ids.
        Field(
            "children_ids",
            "children_count",
            Kind.LIST,
            note=Note("Ids of the account's children; only their number is kept", ["child-1"]),
        ),
        Field("country_code", "country_code", note=Note("Country of the account", "ES")),
        Field(
            "registration_at",
            "registration_at",
            Kind.BOUND,
            note=Note("When the account was made", "2023-05-01 08:30:00", "UTC"),
        ),
        Field(
            "trial_start_at", "trial_start_at", Kind.BOUND, note=Note("From when the trial holds", "2023-05-01", "UTC")
        ),
        Field("trial_end_at", "trial_end_at", Kind.BOUND, note=Note("Until when the trial holds", "2023-05-08", "UTC")),
        Field(
            "subscription_start_at",
            "subscription_start_at",
            Kind.BOUND,
            note=Note("From when the subscription holds", "2023-05-08 00:00:00", "UTC"),
        ),
        Field(
            "subscription_expire_at",
            "subscription_expire_at",
            Kind.BOUND,
            note=Note("Until when the subscription holds; an open end is 9999-12-31", "9999-12-31", "UTC"),
        ),
    )
)
ACTIVITY = RecordShape(
    fields=(
        Field("activity_id", "activity_id", required=True, note=Note("The activity", "activity-1")),
        Field("name", "activity_name", note=Note("Its name", "Count to ten")),
        Field("type", "activity_type", note=Note("Its kind", "game")),
        Field("subtype", "activity_subtype", note=Note("Its finer kind", "numbers")),
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

"""The source of user events: its dataset, and the fields of an event.

Belongs here: the description, and one event as the service sends it. Not here: how the service is read
(`extract/user_events/extraction.py`).
"""

from engagement_assets.contracts.datasets import Dataset, sql_columns
from engagement_assets.contracts.field_notes import Exchange, Note
from engagement_assets.contracts.personal import NO_ID, PersonalKind
from engagement_assets.contracts.source import Source
from engagement_assets.extract.services.records import (
    ApiField,
    ApiRecordShape,
    day,
    flag,
    instant,
    json_object,
    text,
)


def _place(value: object) -> str | None:
    """A place; the service writes the text `null` if it found none."""
    found = text(value)
    return None if found.strip().lower() == "null" else found


def _lower_case(value: object) -> str:
    """A text, whose case says nothing."""
    return text(value).strip().lower()


EVENT = ApiRecordShape(
    fields=(
        ApiField(
            "date",
            "date",
            day,
            required=True,
            note=Note("The date under which the service lists the event; that of the request", "2024-01-05"),
        ),
        ApiField("event_type", "event_type", text, required=True, note=Note("What happened", "page_view")),
        ApiField(
            "event_time",
            "event_time",
            instant,
            required=True,
            note=Note("When it happened", "2024-01-05T10:00:00.250Z", "UTC"),
        ),
        ApiField(
            "device_id",
            "device_id",
            text,
            required=True,
            note=Note("The device; at most USER_EVENTS_DEVICE_ID_MAX_LENGTH characters", "device-1"),
        ),
        ApiField("user_id", "user_id", text, required=True, note=Note("The user", "user-1")),
        ApiField(
            "insert_id",
            "insert_id",
            text,
            note=Note("Tells events apart; without it `$insert_id`, `uuid`, or device, time, type and path do", "i-1"),
        ),
        # Its name in Amplitude's exports.
        ApiField(
            "$insert_id", "exported_insert_id", text, note=Note("`insert_id`, as Amplitude's exports name it", "i-1")
        ),
        ApiField("uuid", "uuid", text, note=Note("Tells events apart where no `insert_id` is sent", "9b2d")),
        ApiField("country", "country", _place, note=Note("Country; the text `null` is none", "Spain")),
        ApiField("city", "city", _place, note=Note("City; the text `null` is none", "Madrid")),
        ApiField("region", "region", text, note=Note("Region", "Madrid")),
        ApiField("language", "language", text, note=Note("Language", "Spanish")),
        ApiField("amp_id", "amp_id", text, note=Note("The analytics tool's own id of the user", "amp-1")),
        ApiField(
            "client_event_time",
            "client_event_time",
            instant,
            note=Note("Clock of the device at the event", 1704448800, "UTC"),
        ),
        ApiField(
            "client_upload_time",
            "client_upload_time",
            instant,
            note=Note("Clock of the device at the upload", 1704448805000, "UTC"),
        ),
        ApiField(
            "server_received_time",
            "server_received_time",
            instant,
            note=Note("When the server received it", "2024-01-05 10:00:05", "UTC"),
        ),
        ApiField(
            "server_upload_time",
            "server_upload_time",
            instant,
            note=Note("When it was stored; the newest upload of an event counts", "2024-01-05 10:00:06", "UTC"),
        ),
        ApiField(
            "processed_time",
            "processed_time",
            instant,
            note=Note("When it was processed", "2024-01-05 10:00:07", "UTC"),
        ),
        ApiField("data_type", "data_type", text, note=Note("Kind of the data", "event")),
        ApiField("data.path", "path", text, note=Note("Path of the page", "/home")),
        ApiField(
            "data.group_first_event",
            "group_first_event",
            json_object,
            absent="{}",
            note=Note("First events of groups", {}),
        ),
        ApiField("data.group_ids", "group_ids", json_object, absent="{}", note=Note("Ids of groups", {})),
        ApiField(
            "data.user_properties_updated",
            "is_user_properties_updated",
            flag,
            note=Note("Whether the event changed the user's properties", False),
        ),
        ApiField(
            "user_properties.initial_li_fat_id",
            "initial_li_fat_id",
            text,
            absent=NO_ID,
            note=Note("Id of an advertisement's click", "EMPTY"),
        ),
        ApiField(
            "user_properties.initial_rtd_cid",
            "initial_rtd_cid",
            text,
            absent=NO_ID,
            note=Note("Id of an advertisement's click", "EMPTY"),
        ),
        ApiField(
            "user_properties.user_corporate_id",
            "user_corporate_id",
            text,
            note=Note("The corporation", "corporation-1"),
        ),
        ApiField(
            "user_properties.user_corporate_is_demo",
            "is_user_corporate_demo",
            flag,
            note=Note("Whether the corporation is a demo", False),
        ),
        ApiField(
            "user_properties.user_corporate_status",
            "user_corporate_status",
            _lower_case,
            note=Note("Status of the corporation; `active` ones are counted", "active"),
        ),
        ApiField("user_properties.user_role", "user_role", text, note=Note("Role of the user", "admin")),
        ApiField(
            "user_properties.user_signup_date",
            "user_signup_date",
            day,
            note=Note("When the user signed up", "2023-05-01"),
        ),
        ApiField("user_properties.user_status", "user_status", text, note=Note("Status of the user", "active")),
    )
)

USER_EVENTS = Dataset(
    key="raw_user_events/events",
    description=(
        "One row per event of the product's users; the day is the date under which the service lists the event. "
        "A day without events has a file without rows, a day that was never read has none."
    ),
    columns=sql_columns(
        """
        event_id VARCHAR, event_type VARCHAR, event_time TIMESTAMP, country VARCHAR, city VARCHAR, region VARCHAR,
        language VARCHAR, device_id VARCHAR, user_id VARCHAR, amp_id VARCHAR, client_event_time TIMESTAMP,
        client_upload_time TIMESTAMP, server_received_time TIMESTAMP, server_upload_time TIMESTAMP,
        processed_time TIMESTAMP, data_type VARCHAR, path VARCHAR, group_first_event VARCHAR, group_ids VARCHAR,
        is_user_properties_updated BOOLEAN, initial_li_fat_id VARCHAR, initial_rtd_cid VARCHAR,
        user_corporate_id VARCHAR, is_user_corporate_demo BOOLEAN, user_corporate_status VARCHAR, user_role VARCHAR,
        user_signup_date DATE, user_status VARCHAR, _extra VARCHAR, source_path VARCHAR, extracted_at TIMESTAMP
        """
    ),
    identity=("event_id",),
    loaded_together=True,
    append_only=False,
    personal={
        "city": PersonalKind.PLACE,
        "device_id": PersonalKind.DEVICE,
        "user_id": PersonalKind.USER,
        "amp_id": PersonalKind.USER,
        "path": PersonalKind.FREE_TEXT,
        "group_first_event": PersonalKind.FREE_TEXT,
        "group_ids": PersonalKind.FREE_TEXT,
        "initial_li_fat_id": PersonalKind.DEVICE,
        "initial_rtd_cid": PersonalKind.DEVICE,
        "user_corporate_id": PersonalKind.CORPORATION,
    },
    impersonal="""
        event_id, event_type, event_time, country, region, language, client_event_time, client_upload_time,
        server_received_time, server_upload_time, processed_time, data_type, is_user_properties_updated,
        is_user_corporate_demo, user_corporate_status, user_role, user_signup_date, user_status
    """,
    made_of_ids={"event_id": frozenset({PersonalKind.DEVICE})},
)

USER_EVENTS_SOURCE = Source(
    name="user_events",
    title="Product events",
    area="product",
    datasets=(USER_EVENTS,),
    required_settings=("USER_EVENTS_API_URL", "USER_EVENTS_API_TOKEN"),
    trailing_days_setting="USER_EVENTS_TRAILING_DAYS",
    sent={USER_EVENTS.key: EVENT.sent},
)

# What `user_events/api.py` asks, for people who put another service in its place.
EXCHANGES = (
    Exchange(
        "`GET <USER_EVENTS_API_URL>?date=2024-01-31` with the header `api-token: <USER_EVENTS_API_TOKEN>`",
        (
            ("200 and a list of events", "all events of the date; each names the same `date`"),
            (
                "404, 500 or another status and an object whose `detail` begins with `No event found for date`",
                "a date without events",
            ),
            ("401 or 403", "the token is refused: the run stops with a sentence"),
            (
                "429, perhaps with the header `Retry-After`",
                "the run waits for so long, or half a minute; it stops if that is more than a quarter of an hour",
            ),
            ("any other status from 500 on, or no answer", "asked again, then the run stops; complete dates are kept"),
        ),
    ),
)

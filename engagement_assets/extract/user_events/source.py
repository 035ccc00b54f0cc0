"""The source of user events: its dataset, and the fields of an event.

Belongs here: the description, and one event as the service sends it. Not here: how the service is read
(`extract/user_events/extraction.py`).
"""

from engagement_assets.contracts.datasets import Dataset, sql_columns
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
    return text(value).strip().lower()


EVENT = ApiRecordShape(
    fields=(
        ApiField("date", "date", day, required=True),
        ApiField("event_type", "event_type", text, required=True),
        ApiField("event_time", "event_time", instant, required=True),
        ApiField("device_id", "device_id", text, required=True),
        ApiField("user_id", "user_id", text, required=True),
        ApiField("insert_id", "insert_id", text),
        # Its name in Amplitude's exports.
        ApiField("$insert_id", "exported_insert_id", text),
        ApiField("uuid", "uuid", text),
        ApiField("country", "country", _place),
        ApiField("city", "city", _place),
        ApiField("region", "region", text),
        ApiField("language", "language", text),
        ApiField("amp_id", "amp_id", text),
        ApiField("client_event_time", "client_event_time", instant),
        ApiField("client_upload_time", "client_upload_time", instant),
        ApiField("server_received_time", "server_received_time", instant),
        ApiField("server_upload_time", "server_upload_time", instant),
        ApiField("processed_time", "processed_time", instant),
        ApiField("data_type", "data_type", text),
        ApiField("data.path", "path", text),
        ApiField("data.group_first_event", "group_first_event", json_object, absent="{}"),
        ApiField("data.group_ids", "group_ids", json_object, absent="{}"),
        ApiField("data.user_properties_updated", "is_user_properties_updated", flag),
        ApiField("user_properties.initial_li_fat_id", "initial_li_fat_id", text, absent=NO_ID),
        ApiField("user_properties.initial_rtd_cid", "initial_rtd_cid", text, absent=NO_ID),
        ApiField("user_properties.user_corporate_id", "user_corporate_id", text),
        ApiField("user_properties.user_corporate_is_demo", "is_user_corporate_demo", flag),
        ApiField("user_properties.user_corporate_status", "user_corporate_status", _lower_case),
        ApiField("user_properties.user_role", "user_role", text),
        ApiField("user_properties.user_signup_date", "user_signup_date", day),
        ApiField("user_properties.user_status", "user_status", text),
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

"""Mobile events of the scooter app, from CSV files.

Belongs here: what a row holds and where the files lie. Not here: how rows are read (`extract/lines/`), how days are
written (`lake/`).

An event's identity is the md5 of its values as they land, instants in UTC: the same row is one event, whatever its
file, the order of its columns and the format of its times. The day comes from one of these values, so an event is on
one day only.
"""

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.field_notes import Note
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.contracts.source import Source
from engagement_assets.extract.lines.csv_shape import CsvColumn, CsvKind, CsvShape
from engagement_assets.extract.lines.readers import EventLog, raw_columns

EVENT = CsvShape(
    # The md5 takes the values in this order: another order would give all events new ids.
    columns=(
        CsvColumn("anonymous_id", required=True, note=Note("The app's id of the user, compared without case", "u-1")),
        CsvColumn("business_zone", sent_as="business_zoned", note=Note("The zone in which the app is used", "Centro")),
        CsvColumn("app_version", sent_as="context_app_version", note=Note("Version of the app", "3.1.0")),
        CsvColumn(
            "device_id",
            required=True,
            sent_as="context_device_id",
            note=Note("The device's id, compared without case", "d-1"),
        ),
        CsvColumn("os_name", sent_as="context_os_name", note=Note("Operating system", "ios")),
        CsvColumn(
            "event_name",
            required=True,
            note=Note(
                "What happened; names that say a ride began or a scooter was sought are settings",
                "Ride Started - Successful",
            ),
        ),
        CsvColumn(
            "received_at",
            CsvKind.INSTANT,
            note=Note("When the server received the event", "2024-01-05 10:00:03.250", "UTC"),
        ),
        CsvColumn(
            "created_at",
            CsvKind.INSTANT,
            required=True,
            note=Note("When the event happened; it dates the event", "2024-01-05 10:00:01.500", "UTC"),
        ),
    ),
    moment="created_at",
    delimiter=";",
)

MOBILE_EVENTS = Dataset(
    key="raw_mobile/events",
    description=(
        "One row per event of the scooter app; the day is the UTC day of `created_at`. "
        "Rows with the same values are one event, in whatever files they are."
    ),
    columns=raw_columns(EVENT, md5="event_id"),
    identity=("event_id",),
    append_only=True,
    personal={"anonymous_id": PersonalKind.USER, "device_id": PersonalKind.DEVICE},
    impersonal="event_id, business_zone, app_version, os_name, event_name, received_at, created_at",
    made_of_ids={"event_id": frozenset({PersonalKind.USER, PersonalKind.DEVICE})},
    ids_ignore_case=True,
)

EVENT_FILES = EventLog(
    dataset=MOBILE_EVENTS,
    prefix="mobile_events",
    shape=EVENT,
    # An event has about two hundred bytes; a line a thousand times as long is not an event.
    max_line_bytes=256 * 1024,
)

MOBILE = Source(
    name="mobile",
    title="Scooter app",
    area="mobility",
    datasets=(MOBILE_EVENTS,),
    readers=(EVENT_FILES,),
    sample="engagement_assets.sandbox.mobile_sample:mobile_files",
)

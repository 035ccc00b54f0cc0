"""User events: what the service lists under each date of a window.

Belongs here: what an event means, which of two events with one identity wins, how many dates are asked for at once. Not
here: the request (`user_events/api.py`), how rows reach the lake (`services/extraction.py`, `lake/`).
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from engagement_assets.contracts.datasets import USER_EVENTS
from engagement_assets.contracts.event_identity import EventIdentity
from engagement_assets.contracts.extraction import OUTSIDE_CALENDAR, Calendar, DayWindow, Extraction
from engagement_assets.extract.services.extraction import ApiRows
from engagement_assets.extract.services.pages import Page, PageStore
from engagement_assets.extract.services.records import (
    ApiField,
    ApiRecordShape,
    BadValueError,
    ReadRecord,
    Value,
    day,
    flag,
    instant,
    json_object,
    text,
)
from engagement_assets.extract.user_events.api import UserEventsApi

REQUESTS_AT_A_TIME = 4

_DAYS_PER_PROGRESS_LINE = 10
_NO_INITIAL_ID = "EMPTY"


def _place(value: object) -> str | None:
    """The service writes `null` as a text where it found no place."""
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
        # How Amplitude's exports name it.
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
        ApiField("user_properties.initial_li_fat_id", "initial_li_fat_id", text, absent=_NO_INITIAL_ID),
        ApiField("user_properties.initial_rtd_cid", "initial_rtd_cid", text, absent=_NO_INITIAL_ID),
        ApiField("user_properties.user_corporate_id", "user_corporate_id", text),
        ApiField("user_properties.user_corporate_is_demo", "is_user_corporate_demo", flag),
        ApiField("user_properties.user_corporate_status", "user_corporate_status", _lower_case),
        ApiField("user_properties.user_role", "user_role", text),
        ApiField("user_properties.user_signup_date", "user_signup_date", day),
        ApiField("user_properties.user_status", "user_status", text),
    )
)


def read_pages(api: UserEventsApi, pages: PageStore, window: DayWindow) -> Iterator[tuple[date, Page]]:
    """The events of each date in order; dates that an earlier try of this run has kept are not asked for again.

    No more than a few dates are read ahead of the one that is handed on: memory does not grow with the window.

    Raises:
        ApiError: the service refuses or does not answer; the dates that were complete are kept for another try.
    """

    def read(wanted: date) -> tuple[date, Page]:
        name = f"events-{wanted}"
        return wanted, pages.find(name) or pages.keep(name, api.events(wanted))

    ahead: deque[Future[tuple[date, Page]]] = deque()
    with ThreadPoolExecutor(REQUESTS_AT_A_TIME) as requests:
        try:
            for wanted in window.days():
                ahead.append(requests.submit(read, wanted))
                if len(ahead) > REQUESTS_AT_A_TIME:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            requests.shutdown(cancel_futures=True)


def extract(  # noqa: PLR0913 - the signature of every extractor, and two settings
    connection: duckdb.DuckDBPyConnection,
    pages: Iterable[tuple[date, Page]],
    window: DayWindow,
    workdir: Path,
    *,
    identity: EventIdentity,
    device_id_max_length: int,
    calendar: Calendar,
    extracted_at: datetime,
    progress: Callable[[str], None],
) -> Extraction:
    """Turn the pages of a window's dates into events; of two with one identity the newest upload wins.

    Args:
        connection: Holds the tables that the returned queries read.
        pages: Each date of the window with its events (see `read_pages`).
        window: The dates.
        workdir: An existing folder for rows.
        identity: What tells two events apart.
        device_id_max_length: The characters that a device's id has at most.
        calendar: Events whose own time lies elsewhere are quarantined, on the date that lists them.
        extracted_at: The time of the load.
        progress: Told every ten days how far the reading is.
    """
    rows = ApiRows(connection, USER_EVENTS, workdir, extracted_at)
    days = window.days()
    for number, (listed_on, page) in enumerate(pages, 1):
        for position, record in enumerate(page.records):
            try:
                event = _read_event(record, listed_on, identity, device_id_max_length)
                _refuse_other_times(event, calendar)
            except BadValueError as error:
                rows.reject(page.name, position, listed_on, record, error)
                continue
            rows.accept(page.name, position, listed_on, event)
        rows.end_page(page.name, [listed_on], page.size)
        if number % _DAYS_PER_PROGRESS_LINE == 0 or number == len(days):
            progress(f"{USER_EVENTS.key}: {number:,} of {len(days):,} days read")
    rows.finish(
        days,
        "server_upload_time desc nulls last, client_upload_time desc nulls last, processed_time desc nulls last",
        unique_within_day=True,
    )
    return rows.extraction()


def rows_sharing_device_and_time(connection: duckdb.DuckDBPyConnection) -> int:
    """How many of the accepted events are not told from another one of their day by device and time alone."""
    ((shared,),) = connection.execute(
        f"""
        select count(*) - count(distinct (day, device_id, event_time))
        from {USER_EVENTS.key.replace("/", "_")}_accepted
        """
    ).fetchall()
    return int(shared)


def _read_event(record: Any, listed_on: date, identity: EventIdentity, device_id_max_length: int) -> ReadRecord:
    """The event, with `event_id` in place of the ids that the service gives.

    Of two insert ids `insert_id` counts: a service that begins to send the other one, too, then makes no event anew.
    """
    event = EVENT.read(record)
    columns = event.columns
    if (own_date := columns.pop("date")) != listed_on:
        raise BadValueError("wrong_date", f"{listed_on}, the date under which it is listed", own_date)
    device_id = columns["device_id"]
    if len(str(device_id)) > device_id_max_length:
        raise BadValueError("too_long", f"device_id of at most {device_id_max_length:,} characters", device_id)
    given = [columns.pop(name) for name in ("insert_id", "exported_insert_id", "uuid")]
    own_id = next((found for found in given if found is not None), None)
    if identity is EventIdentity.DEVICE_AND_TIME:
        columns["event_id"] = _digest(columns["device_id"], columns["event_time"])
    else:
        parts = (columns[name] for name in ("device_id", "event_time", "event_type", "path"))
        columns["event_id"] = own_id or _digest(*parts)
    return event


def _refuse_other_times(event: ReadRecord, calendar: Calendar) -> None:
    """Raise BadValueError for a time of 1970 or 2099; a date of the service may begin before that of UTC."""
    at = event.columns["event_time"]
    day_before = calendar.first.toordinal() - 1
    if not (isinstance(at, datetime) and day_before <= at.toordinal() and at.date() <= calendar.last):
        raise BadValueError(OUTSIDE_CALENDAR, f"event_time on a day from {calendar}", at)


def _digest(*parts: Value) -> str:
    """One text for several values; it keeps them apart, and NULL apart from an empty text."""
    return hashlib.md5(msgspec.json.encode(parts), usedforsecurity=False).hexdigest()

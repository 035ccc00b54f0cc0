"""User events: what the service lists under each date of a window.

Belongs here: what an event means, which of two events with one identity wins, how many dates are asked for at once. Not
here: the request (`user_events_api.py`), how rows reach the lake (`api_extraction.py`, `lake/`).
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from engagement_assets.extract.api_extraction import ApiRows
from engagement_assets.extract.api_records import (
    ApiField,
    ApiRecordShape,
    BadValueError,
    Value,
    day,
    flag,
    instant,
    json_object,
    text,
)
from engagement_assets.extract.extraction import DayWindow, Extraction
from engagement_assets.extract.page_store import Page, PageStore
from engagement_assets.extract.user_events_api import UserEventsApi
from engagement_assets.lake.datasets import USER_EVENTS

MAX_DEVICE_ID = 36
REQUESTS_AT_A_TIME = 4

_DAYS_PER_PROGRESS_LINE = 10
_NO_INITIAL_ID = "EMPTY"


class EventIdentity(StrEnum):
    """What tells two events apart.

    `event`: the id that the service gives, else device, time, type and path. `device_and_time`: only these two, as
    older pipelines had it; two events of one moment are then one.
    """

    EVENT = "event"
    DEVICE_AND_TIME = "device_and_time"


def _place(value: object) -> str | None:
    """The service writes `null` as a text where it found no place."""
    found = _text_or_null(value)
    return None if found and found.strip().lower() == "null" else found


def _text_or_null(value: object) -> str | None:
    """A text of blanks says nothing: else events without a corporation would be those of a corporation."""
    found = text(value)
    return found if found.strip() else None


def _lower_case(value: object) -> str | None:
    found = _text_or_null(value)
    return found and found.strip().lower()


def _device_id(value: object) -> str:
    found = text(value)
    if len(found) > MAX_DEVICE_ID:
        raise BadValueError("too_long", f"at most {MAX_DEVICE_ID} characters", value)
    return found


EVENT = ApiRecordShape(
    fields=(
        ApiField("date", "date", day, required=True),
        ApiField("event_type", "event_type", text, required=True),
        ApiField("event_time", "event_time", instant, required=True),
        ApiField("device_id", "device_id", _device_id, required=True),
        ApiField("user_id", "user_id", text, required=True),
        ApiField("insert_id", "insert_id", text),
        ApiField("uuid", "uuid", text),
        ApiField("country", "country", _place),
        ApiField("city", "city", _place),
        ApiField("region", "region", _text_or_null),
        ApiField("language", "language", _text_or_null),
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
        ApiField("user_properties.initial_li_fat_id", "initial_li_fat_id", _text_or_null, absent=_NO_INITIAL_ID),
        ApiField("user_properties.initial_rtd_cid", "initial_rtd_cid", _text_or_null, absent=_NO_INITIAL_ID),
        ApiField("user_properties.user_corporate_id", "user_corporate_id", _text_or_null),
        ApiField("user_properties.user_corporate_is_demo", "is_user_corporate_demo", flag),
        ApiField("user_properties.user_corporate_status", "user_corporate_status", _lower_case),
        ApiField("user_properties.user_role", "user_role", _text_or_null),
        ApiField("user_properties.user_signup_date", "user_signup_date", day),
        ApiField("user_properties.user_status", "user_status", _text_or_null),
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


def extract(  # noqa: PLR0913 - the signature of every extractor, and the identity
    connection: duckdb.DuckDBPyConnection,
    pages: Iterable[tuple[date, Page]],
    window: DayWindow,
    workdir: Path,
    *,
    identity: EventIdentity,
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
        extracted_at: The time of the load.
        progress: Told every ten days how far the reading is.
    """
    rows = ApiRows(connection, USER_EVENTS, workdir, extracted_at)
    days = window.days()
    for number, (listed_on, page) in enumerate(pages, 1):
        for position, record in enumerate(page.records):
            try:
                columns, extra = _read_event(record, listed_on, identity)
            except BadValueError as error:
                rows.reject(page.name, position, listed_on, record, error)
                continue
            rows.accept(page.name, position, listed_on, columns, extra)
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


def _read_event(record: Any, listed_on: date, identity: EventIdentity) -> tuple[dict[str, Value], dict[str, Any]]:
    """The columns, with `event_id` in place of the ids that the service gives, and what no contract names."""
    columns, extra = EVENT.read(record)
    if (own_date := columns.pop("date")) != listed_on:
        raise BadValueError("wrong_date", f"{listed_on}, the date under which it is listed", own_date)
    given = columns.pop("insert_id"), columns.pop("uuid")
    if identity is EventIdentity.DEVICE_AND_TIME:
        columns["event_id"] = _digest(columns["device_id"], columns["event_time"])
    else:
        parts = (columns[name] for name in ("device_id", "event_time", "event_type", "path"))
        columns["event_id"] = given[0] or given[1] or _digest(*parts)
    return columns, extra


def _digest(*parts: Value) -> str:
    """One text for several values; it keeps them apart, and NULL apart from an empty text."""
    return hashlib.md5(msgspec.json.encode(parts), usedforsecurity=False).hexdigest()

"""User events: what the service lists under each date of a window.

Belongs here: what an event means, which of two events with one identity wins, how many dates are requested at once.
Not here: the request (`user_events/api.py`), how rows reach the lake (`services/extraction.py`, `lake/`).
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb
import msgspec

from engagement_assets.contracts.event_identity import EventIdentity
from engagement_assets.contracts.extraction import OUTSIDE_CALENDAR, Calendar, DayWindow, Extraction
from engagement_assets.extract.places import without_places
from engagement_assets.extract.services.extraction import ApiRows, ServiceReading
from engagement_assets.extract.services.pages import Page, PageStore
from engagement_assets.extract.services.records import BadValueError, ReadRecord, Value
from engagement_assets.extract.user_events.api import UserEventsApi
from engagement_assets.extract.user_events.source import EVENT, USER_EVENTS

REQUESTS_AT_A_TIME = 4

_DAYS_PER_PROGRESS_LINE = 10


def read_pages(api: UserEventsApi, pages: PageStore, window: DayWindow) -> Iterator[tuple[date, Page]]:
    """The events of each date in order; dates that an earlier try of this run has kept are not requested again.

    A few dates are read ahead. Raises ApiError if the service refuses or does not answer; complete dates are kept.
    """

    def read(wanted: date) -> tuple[date, Page]:
        name = f"events-{wanted}"
        kept = pages.find(name)
        return wanted, kept or pages.keep(name, [without_places(event) for event in api.events(wanted)])

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


@dataclass(frozen=True)
class EventRules:
    """What makes an event usable: the length of its device's id, and a time of its own that lies in `calendar`.

    `identity` says what distinguishes two events.
    """

    identity: EventIdentity
    device_id_max_length: int
    calendar: Calendar

    def read(self, record: Any, listed_on: date) -> ReadRecord:
        """The event, with `event_id` in place of the ids that the service gives.

        `insert_id` comes before `$insert_id`: no event gets a new id when the service begins to send both.
        Raises BadValueError if the event cannot be used.
        """
        event = EVENT.read(record)
        columns = event.columns
        if (own_date := columns.pop("date")) != listed_on:
            raise BadValueError("wrong_date", f"{listed_on}, the date under which it is listed", own_date)
        if len(str(columns["device_id"])) > self.device_id_max_length:
            expected = f"device_id of at most {self.device_id_max_length:,} characters"
            raise BadValueError("too_long", expected, columns["device_id"])
        # A date of the service may begin on the day before, in UTC.
        at, day_before = columns["event_time"], self.calendar.first.toordinal() - 1
        if not (isinstance(at, datetime) and day_before <= at.toordinal() and at.date() <= self.calendar.last):
            raise BadValueError(OUTSIDE_CALENDAR, f"event_time on a day from {self.calendar}", at)
        own_ids = [columns.pop(name) for name in ("insert_id", "exported_insert_id", "uuid")]
        own_id = next((found for found in own_ids if found is not None), None)
        if self.identity is EventIdentity.DEVICE_AND_TIME:
            columns["event_id"] = _digest(columns["device_id"], at)
        else:
            columns["event_id"] = own_id or _digest(columns["device_id"], at, columns["event_type"], columns["path"])
        return event


def extract(reading: ServiceReading, pages: Iterable[tuple[date, Page]], rules: EventRules) -> Extraction:
    """Turn the pages of a window's dates into events; of two with one identity the newest upload wins.

    `pages` has each date of the window with its events (see `read_pages`).
    """
    rows = ApiRows(reading, USER_EVENTS)
    days = reading.window.days()
    for number, (listed_on, page) in enumerate(pages, 1):
        for position, record in enumerate(page.records):
            try:
                event = rules.read(record, listed_on)
            except BadValueError as error:
                rows.reject(page.name, position, listed_on, record, error)
                continue
            rows.accept(page.name, position, listed_on, event)
        rows.end_page(page.name, [listed_on], page.size)
        if number % _DAYS_PER_PROGRESS_LINE == 0 or number == len(days):
            reading.progress(f"{USER_EVENTS.key}: {number:,} of {len(days):,} days read")
    return rows.finish(
        days,
        "server_upload_time desc nulls last, client_upload_time desc nulls last, processed_time desc nulls last",
        unique_within_day=True,
    )


def rows_sharing_device_and_time(connection: duckdb.DuckDBPyConnection) -> int:
    """How many accepted events share device and time with another event of their day."""
    shared = "count(*) - count(distinct (day, device_id, event_time))"
    found = connection.execute(f"select {shared} from {USER_EVENTS.key.replace('/', '_')}_accepted").fetchall()
    return int(found[0][0])


def _digest(*parts: Value) -> str:
    """One text for several values; NULL differs from an empty text."""
    return hashlib.md5(msgspec.json.encode(parts), usedforsecurity=False).hexdigest()

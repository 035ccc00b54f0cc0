"""Events of the sandbox's B2B product: what happened on a date, and when the service learns of it.

Belongs here: the events from a seed, and what is wrong with some of them. Not here: the service that returns them
(`user_events_service.py`).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from random import Random
from typing import Any

from engagement_assets.sandbox.lingokids_catalog import drawn_uuid
from engagement_assets.sandbox.sample_draws import broken_due, due, happens

# Rates in 100,000 events.
BROKEN_RATE = 500
DUPLICATE_RATE = 1_000  # Exact ones, and as many again with a newer upload.
SAME_MOMENT_RATE = 1_000
LATE_RATE = 2_000
LATEST_DAYS = 3
DEFECTS = (
    "long_device_id",
    "missing_date",
    "missing_event_type",
    "missing_device_id",
    "missing_user_id",
    "missing_event_time",
)
EMPTY_DAY_EVERY = 11
DAY_WITH_EXTRA_FIELD = 17
FIRST_SATURDAY = 5
WEEKEND_PERCENT = 35
CORPORATIONS = 12
CORPORATIONS_WITH_DEMO = 2
USERS_PER_CORPORATION = 15
STATUSES = ("active", "Active", "ACTIVE", "trial", "Churned", None)
CITIES = ("London", "Madrid", "München", "null", " NULL ", None)
COUNTRIES = ("United Kingdom", "Spain", "Germany", "null", "Null ", None)
PLACE_WEIGHTS = (45, 25, 15, 8, 4, 3)
EVENT_TYPES = ("page_viewed", "report_opened", "report_exported", "user_invited", "signed_in")
PATHS = ("/home", "/reports", "/reports/42", "/settings/team", None)
MS_PER_DAY = 86_400_000


@dataclass(frozen=True)
class ProductUser:
    """One user of a corporation, as they appear in each of their events."""

    user_id: str
    amp_id: int
    device_ids: tuple[str, ...]
    language: str
    properties: dict[str, Any]


@dataclass(frozen=True)
class KnownEvent:
    """An event's document, and the instant from which the service knows it."""

    known_from: datetime
    document: dict[str, Any]


class EventHistory:
    """Events of `days` days from `start`, each day drawn on its own."""

    def __init__(self, seed: int, start: date, days: int, events_per_day: int) -> None:
        """Draw the users; a day's events are drawn when they are requested."""
        self._seed = seed
        self._start = start
        self._days = days
        self._per_day = events_per_day
        self._users = _users(Random(f"{seed}:user-events:users"), start)
        self._drawn = lru_cache(maxsize=64)(self._draw)

    def events(self, day: date, now: datetime) -> list[dict[str, Any]]:
        """The events of `day` that the service knows at `now`."""
        index = (day - self._start).days
        if not 0 <= index < self._days:
            return []
        return [event.document for event in self._drawn(index) if event.known_from <= now]

    def _draw(self, index: int) -> list[KnownEvent]:
        if index % EMPTY_DAY_EVERY == EMPTY_DAY_EVERY // 2:
            return []
        day = self._start + timedelta(days=index)
        draw = Random(f"{self._seed}:user-events:{day}")
        percent = WEEKEND_PERCENT if day.weekday() >= FIRST_SATURDAY else 100
        events = [self._event(draw, day, 0) for _ in range(max(1, self._per_day * percent // 100))]
        events += [
            self._event(draw, day, draw.randrange(1, LATEST_DAYS + 1)) for _ in due(index, self._per_day, LATE_RATE)
        ]
        for serial in due(index, self._per_day, SAME_MOMENT_RATE):
            events.append(_at_the_same_moment(draw, events[serial * 7 % len(events)], serial))
        for serial in due(index, self._per_day, DUPLICATE_RATE):
            events.append(events[serial * 11 % len(events)])
            events.append(_uploaded_again(draw, events[serial * 13 % len(events)]))
        if index == DAY_WITH_EXTRA_FIELD:
            events = [KnownEvent(event.known_from, event.document | {"session_id": 17}) for event in events]
        for serial in broken_due(index, self._per_day, BROKEN_RATE):
            events.insert(
                serial * 37 % len(events), _damaged(self._event(draw, day, 0), DEFECTS[serial % len(DEFECTS)])
            )
        return events

    def _event(self, draw: Random, day: date, days_late: int) -> KnownEvent:
        user = draw.choice(self._users)
        at_ms = int(datetime.combine(day, time(), UTC).timestamp()) * 1_000 + draw.randrange(MS_PER_DAY)
        uploaded_ms = at_ms + draw.randrange(200, 30_000) + days_late * MS_PER_DAY
        properties = dict(user.properties)
        for name in ("initial_li_fat_id", "initial_rtd_cid"):
            if happens(draw, 0.6):
                del properties[name]
        document: dict[str, Any] = {
            "date": day.isoformat(),
            "country": draw.choices(COUNTRIES, PLACE_WEIGHTS)[0],
            "city": draw.choices(CITIES, PLACE_WEIGHTS)[0],
            "region": draw.choice(("England", "Comunidad de Madrid", None)),
            "language": user.language,
            "event_type": draw.choice(EVENT_TYPES),
            "device_id": draw.choice(user.device_ids),
            "user_id": user.user_id,
            "amp_id": user.amp_id,
            "event_time": _stamp(draw, at_ms),
            "client_event_time": _stamp(draw, at_ms),
            "client_upload_time": _stamp(draw, uploaded_ms - 150),
            "server_received_time": _stamp(draw, uploaded_ms - 40),
            "server_upload_time": _stamp(draw, uploaded_ms),
            "processed_time": _stamp(draw, uploaded_ms + 900),
            "data_type": "event",
            "data": {
                "path": draw.choice(PATHS),
                "group_first_event": draw.choice((None, {}, {"team": "2023-11-02"})),
                "group_ids": draw.choice((None, {}, {"team": [7, 12]})),
                "user_properties_updated": happens(draw, 0.3),
            },
            "user_properties": properties,
        }
        identity = draw.choices(("insert_id", "uuid", None), (80, 12, 8))[0]
        if identity is not None:
            document[identity] = drawn_uuid(draw)
        return KnownEvent(_instant(uploaded_ms), document)


def _users(draw: Random, start: date) -> tuple[ProductUser, ...]:
    users = []
    for number in range(CORPORATIONS * USERS_PER_CORPORATION):
        corporation = number % CORPORATIONS
        properties = {
            "initial_li_fat_id": drawn_uuid(draw),
            "initial_rtd_cid": drawn_uuid(draw),
            "user_corporate_id": str(500 + corporation),
            "user_corporate_is_demo": corporation < CORPORATIONS_WITH_DEMO,
            "user_corporate_status": STATUSES[corporation % len(STATUSES)],
            "user_role": draw.choice(("admin", "editor", "viewer")),
            "user_signup_date": (start - timedelta(days=draw.randrange(1, 900))).isoformat(),
            "user_status": draw.choice(("active", "invited")),
        }
        devices = tuple(drawn_uuid(draw) for _ in range(draw.randrange(1, 3)))
        users.append(
            ProductUser(f"u-{number:05d}", 700_000 + number, devices, draw.choice(("en", "es", "de")), properties)
        )
    return tuple(users)


def _at_the_same_moment(draw: Random, event: KnownEvent, serial: int) -> KnownEvent:
    """Another event of the same device at the same time, with another type or only another path."""
    document = dict(event.document)
    for name in ("insert_id", "uuid"):
        if name in document:
            document[name] = drawn_uuid(draw)
    if serial % 2:
        document["event_type"] = "popup_shown"
    else:
        document["data"] = document["data"] | {"path": "/popup"}
    return KnownEvent(event.known_from, document)


def _uploaded_again(draw: Random, event: KnownEvent) -> KnownEvent:
    """The same event, uploaded again some hours later with a newer status of its user."""
    known_from = event.known_from + timedelta(milliseconds=draw.randrange(1_000, 20_000_000))
    properties = event.document["user_properties"] | {"user_status": "suspended"}
    server_upload_time = _stamp(draw, int(known_from.timestamp() * 1_000))
    return KnownEvent(
        known_from, event.document | {"server_upload_time": server_upload_time, "user_properties": properties}
    )


def _damaged(event: KnownEvent, defect: str) -> KnownEvent:
    document = dict(event.document)
    if defect == "long_device_id":
        document["device_id"] += "-copy" * 6
    else:
        del document[defect.removeprefix("missing_")]
    return KnownEvent(event.known_from, document)


def _stamp(draw: Random, at_ms: int) -> int:
    """Epoch seconds or milliseconds; clients differ."""
    return at_ms // 1_000 if happens(draw, 0.3) else at_ms


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1_000, UTC) + timedelta(milliseconds=at_ms % 1_000)

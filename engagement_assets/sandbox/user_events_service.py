"""The sandbox's user-events service: one answer with all events of a date, or the reason why there is none.

Belongs here: what the service answers. Not here: the events (`user_events_sample.py`), faults on the wire
(`api_faults.py`, `api_answers.py`).
"""

import re
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from engagement_assets.sandbox.api_answers import Answer, Call, Endpoint, RequestRecord
from engagement_assets.sandbox.api_faults import FaultKind, Faults
from engagement_assets.sandbox.user_events_sample import EventHistory

if TYPE_CHECKING:
    from starlette.requests import Request

EVENTS_PATH = "/user-events/v1/events"
API_TOKEN = "sandbox-api-token"  # noqa: S105 - opens nothing but the sandbox
NO_EVENT = "No event found for date"
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class UserEventsService:
    """Answers as the real service does; its public attributes may be set at any time."""

    def __init__(self, history: EventHistory, clock: Callable[[], datetime], faults: Faults) -> None:
        """A service without a limit on requests."""
        self.history = history
        self.faults = faults
        self.requests_per_minute: int | None = None
        self.requests: list[RequestRecord] = []
        self._clock = clock
        self._used: Counter[datetime] = Counter()
        self._served: dict[date, list[dict[str, Any]]] = {}

    def endpoints(self) -> dict[str, Endpoint]:
        """The one endpoint, by its path."""
        endpoint = Endpoint("GET", self._events, _impossible_faults, self.faults, self._clock, self.requests)
        return {EVENTS_PATH: endpoint}

    def served_events(self) -> dict[date, list[dict[str, Any]]]:
        """The documents of each date as they were last sent in full; an empty list for a date without events."""
        return dict(self._served)

    def _events(self, call: Call) -> Answer:
        if call.request.headers.get("api-token") != API_TOKEN:
            return Answer(401, {"detail": "Invalid api token"})
        now = self._clock()
        minute = now.replace(second=0, microsecond=0)
        self._used[minute] += 1
        if call.fault is FaultKind.TOO_MANY_REQUESTS:
            return _too_many_requests(1)
        if self.requests_per_minute is not None and self._used[minute] > self.requests_per_minute:
            return _too_many_requests(60 - now.second)
        day = _requested_date(call.request)
        if day is None:
            problem = {"loc": ["query", "date"], "msg": "invalid date format", "type": "value_error.date"}
            return Answer(422, {"detail": [problem]})
        events = self.history.events(day, now)

        def keep() -> None:
            self._served[day] = events

        return Answer(200, events, on_sent=keep) if events else Answer(404, {"detail": NO_EVENT}, on_sent=keep)


def _too_many_requests(retry_after_s: int) -> Answer:
    return Answer(429, {"detail": "Too many requests"}, {"Retry-After": str(retry_after_s)})


def _requested_date(request: "Request") -> date | None:
    text = request.query_params.get("date", "")
    try:
        return date.fromisoformat(text) if ISO_DATE.fullmatch(text) else None
    except ValueError:
        return None


def _impossible_faults(_: "Request") -> tuple[FaultKind, ...]:
    """This service has no pages, so no page can repeat an id."""
    return (FaultKind.REPEATED_ID,)

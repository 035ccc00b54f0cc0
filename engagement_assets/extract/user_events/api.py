"""The user-events service: one request returns the events of one date.

Belongs here: the request, and what the service's refusals mean. Not here: what an event means
(`user_events/extraction.py`), what all services share (`services/client.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from engagement_assets.extract.services.client import (
    Answer,
    ApiLimitReachedError,
    ApiRefusedError,
    ApiUnavailableError,
    Clock,
    HttpApi,
    Request,
)
from engagement_assets.retry_after import retry_after

LONGEST_WAIT = timedelta(minutes=15)

_NOTHING_FOUND = "No event found for date"
_USUAL_WAIT, _SHORTEST_WAIT = timedelta(seconds=30), timedelta(seconds=1)
_OK, _EMPTY = 200, 404
_UNAUTHORIZED = frozenset({401, 403})


@dataclass
class UserEventsApi:
    """The events that the service lists under a date."""

    url: str
    token: str
    http: HttpApi

    def __repr__(self) -> str:
        """Without the token."""
        return f"UserEventsApi({self.url!r})"

    def events(self, day: date) -> list[Any]:
        """All events of a date, which may be none.

        Raises:
            ApiLimitReachedError: the service wants no requests for longer than a quarter of an hour.
            ApiRefusedError: the service refuses the token or the request.
            ApiUnavailableError: the service does not answer, or its answer is not a list.
        """
        query, headers = {"date": day.isoformat()}, {"api-token": self.token}
        # That nothing was found also comes with status 500, which otherwise is a failure.
        answer = self.http.send(
            Request(self.url, query, headers, expected=(_OK, _EMPTY), is_final=_says_that_nothing_was_found)
        )
        if answer.status == _OK and isinstance(answer.document, list):
            return answer.document
        if _says_that_nothing_was_found(answer):
            return []
        if answer.status in _UNAUTHORIZED:
            raise ApiRefusedError(
                f"the user-events service refuses the token (status {answer.status}); set a new USER_EVENTS_API_TOKEN"
            )
        if answer.status == _OK:
            raise ApiUnavailableError(
                f"the user-events service answers {day} with {type(answer.document).__name__}, expected a list of "
                "events; run this again later"
            )
        raise ApiRefusedError(
            f"the user-events service refuses {day} (status {answer.status}: {answer.shown_without(self.token)}); "
            "check USER_EVENTS_API_URL"
        )


def waiting_as_requested(clock: Clock, progress: Callable[[str], None]) -> Callable[[Answer], None]:
    """What to do about status 429: wait as long as `Retry-After` says, by default half a minute, at least a second.

    It raises ApiLimitReachedError instead of waiting for more than a quarter of an hour.
    """

    def too_many_requests(answer: Answer) -> None:
        now = clock.now()
        requested = retry_after(answer.headers.get("retry-after", ""), now)
        wait = _USUAL_WAIT if requested is None else max(requested, _SHORTEST_WAIT)
        if wait > LONGEST_WAIT:
            raise ApiLimitReachedError(
                f"the user-events service takes no requests until {now + wait:%Y-%m-%d %H:%M} UTC; run this again then",
                now + wait,
            )
        clock.wait_until(now + wait, "the user-events service answers 429, too many requests", progress)

    return too_many_requests


def _says_that_nothing_was_found(answer: Answer) -> bool:
    detail = answer.document.get("detail") if isinstance(answer.document, dict) else None
    return isinstance(detail, str) and detail.startswith(_NOTHING_FOUND)

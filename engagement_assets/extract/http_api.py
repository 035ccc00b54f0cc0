"""One HTTP client for every source that is a service.

Belongs here: timeouts, which failures are worth another try, how large an answer may be, where a token may go. Not
here: what a service's answers mean (`strava_api.py`, `user_events_api.py`).
"""

import json
import math
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import tenacity

MAX_ANSWER_BYTES = 64 * 1024 * 1024
ATTEMPTS = 5
REFUSALS = 10
TIMEOUT = httpx.Timeout(60, connect=10)

_COUNTDOWN_STEP_S = 60
_TOO_MANY_REQUESTS = 429
_WORTH_ANOTHER_TRY = frozenset({408, 425, 500, 502, 503, 504})
_SHOWN_CHARACTERS = 200
_LOOKED_AT_BYTES = 100_000
_MAX_DIGITS = 4_000


class ApiError(RuntimeError):
    """A service did not give what was asked for; the message says what to do."""


class ApiUnavailableError(ApiError):
    """The service failed again and again; a later try may succeed."""


class ApiRefusedError(ApiError):
    """The service refuses, and will refuse again until somebody changes something."""


class ApiLimitReachedError(ApiError):
    """The service's limit is used up for longer than a run waits.

    `go_on_at` is when the service takes requests again (UTC).
    """

    def __init__(self, message: str, go_on_at: datetime) -> None:
        """Keep the moment beside the message."""
        super().__init__(message)
        self.go_on_at = go_on_at


@dataclass(frozen=True)
class Clock:
    """What time it is (UTC) and how to wait; tests put a clock of their own in its place."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep

    def wait_until(self, moment: datetime, why: str, progress: Callable[[str], None]) -> None:
        """Wait, and say every minute how long it still takes."""
        while (left := (moment - self.now()).total_seconds()) > 0:
            minutes, seconds = divmod(round(left), 60)
            progress(f"{why}; going on in {minutes}:{seconds:02} at {moment:%H:%M:%S} UTC")
            self.sleep(min(left, _COUNTDOWN_STEP_S))


@dataclass(frozen=True)
class Answer:
    """What came back: the status, the headers, and the body as far as JSON can be read from it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    document: Any

    def shown_without(self, secret: str) -> str:
        """The beginning of the body, for a message: a service may repeat what was sent to it."""
        return self.body[:_LOOKED_AT_BYTES].decode("utf-8", "replace").replace(secret, "…")[:_SHOWN_CHARACTERS]


class _WorthAnotherTryError(Exception):
    """Something that heals: the connection, the server, an answer that is no JSON."""


@dataclass
class HttpApi:
    """Requests to one service.

    `too_many_requests` is asked what to do about an answer with status 429: it waits or raises. Redirects are not
    followed: they would carry the token to another host.
    """

    service: str
    clock: Clock
    progress: Callable[[str], None]
    too_many_requests: Callable[[Answer], None]
    max_answer_bytes: int = MAX_ANSWER_BYTES
    requests_made: int = 0
    _client: httpx.Client = field(
        default_factory=lambda: httpx.Client(timeout=TIMEOUT, follow_redirects=False), init=False
    )
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def request(  # noqa: PLR0913 - what a request consists of
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        expected: Collection[int] = (200,),
    ) -> Answer:
        """The answer to a request, of any status that is not worth another try; JSON where it is `expected`.

        Args:
            method: `GET` or `POST`.
            url: Without what `params` holds.
            params: The query. No secret belongs into it: servers log it.
            headers: Tokens go here.
            form: The body of a `POST`.
            expected: The statuses whose body has to be JSON; another body is taken for a failure on the way.

        Raises:
            ApiUnavailableError: five attempts failed, or ten waits after status 429 did not help.
            ApiRefusedError: the service redirects elsewhere, or an answer is too large.
        """
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_exponential_jitter(initial=1, max=30),
            retry=tenacity.retry_if_exception_type(_WorthAnotherTryError),
            sleep=self.clock.sleep,
            before_sleep=lambda state: self.progress(
                f"{self.service}: {state.outcome.exception() if state.outcome else ''}; trying again"
            ),
            reraise=True,
        )
        try:
            for _ in range(REFUSALS):
                answer: Answer = retrying(self._send, method, url, params, headers, form, expected)
                if answer.status != _TOO_MANY_REQUESTS:
                    return answer
                self.too_many_requests(answer)
            raise ApiUnavailableError(
                f"{self.service} answers {urlsplit(url).path} with status 429, also after {REFUSALS} waits; run this "
                "again later"
            )
        except _WorthAnotherTryError as error:
            raise ApiUnavailableError(
                f"{self.service} did not answer {urlsplit(url).path} in {ATTEMPTS} attempts: {error}. It may be down: "
                "run this again later"
            ) from error

    def _send(  # noqa: PLR0913, PLR0917 - as `request`
        self,
        method: str,
        url: str,
        params: Mapping[str, str | int] | None,
        headers: Mapping[str, str] | None,
        form: Mapping[str, str] | None,
        expected: Collection[int],
    ) -> Answer:
        with self._lock:
            self.requests_made += 1
        try:
            # A query that the setting holds stays.
            with self._client.stream(
                method,
                httpx.URL(url).copy_merge_params(params or {}),
                headers={**(headers or {}), "Accept": "application/json"},
                data=form,
            ) as response:
                body = self._read(response)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise ApiRefusedError(f"{self.service}: {url!r} is no URL ({error}); mend the setting") from None
        except (httpx.LocalProtocolError, UnicodeEncodeError):
            # Its words are the header that cannot be sent: the token.
            raise ApiRefusedError(
                f"{self.service}: the token cannot stand in a header; see whether its setting has a line break, a "
                "space around it or a character that is not ASCII"
            ) from None
        except httpx.RequestError as error:
            # The error knows the request, with its headers: only its words go on.
            raise _WorthAnotherTryError(f"{type(error).__name__}: {error}") from None
        status = response.status_code
        if response.is_redirect:
            host = urlsplit(response.headers.get("location", "")).netloc or "another path"
            raise ApiRefusedError(
                f"{self.service} redirects to {host}, where the token must not go; set its base URL to where it is now"
            )
        answer = Answer(status, response.headers, body, _document(body))
        if status in _WORTH_ANOTHER_TRY:
            raise _WorthAnotherTryError(f"status {status}")
        if answer.document is None and status in expected:
            kind = response.headers.get("content-type", "no content type")
            raise _WorthAnotherTryError(f"expected JSON, found {len(body):,} bytes of {kind}")
        return answer

    def _read(self, response: httpx.Response) -> bytes:
        chunks, size = [], 0
        for chunk in response.iter_bytes():
            size += len(chunk)
            if size > self.max_answer_bytes:
                raise ApiRefusedError(
                    f"{self.service} answers {response.url.path} with more than {self.max_answer_bytes:,} bytes; "
                    "nothing of it was kept"
                )
            chunks.append(chunk)
        return b"".join(chunks)


def _document(body: bytes) -> Any:
    """The JSON value of a body; None where it is none.

    What msgspec refuses may be one value on a page of good ones, and must not cost the page: a number that no float
    holds becomes a text, which no field of numbers takes, and half a character a question mark.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        found = json.loads(body, parse_float=_finite_or_text, parse_int=_short_or_text, parse_constant=str)
        return msgspec.json.decode(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _finite_or_text(digits: str) -> float | str:
    return found if math.isfinite(found := float(digits)) else digits


def _short_or_text(digits: str) -> int | str:
    return int(digits) if len(digits) < _MAX_DIGITS else digits


def next_quarter_hour(moment: datetime) -> datetime:
    """The next :00, :15, :30 or :45 after `moment`."""
    return moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0) + timedelta(minutes=15)


def next_midnight(moment: datetime) -> datetime:
    """The next 00:00 UTC after `moment`."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)

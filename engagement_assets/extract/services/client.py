"""One HTTP client for every source that is a service.

Belongs here: timeouts, which failures are worth another try, how large an answer may be, where a token may go. Not
here: the JSON of an answer (`services/documents.py`), what a service's answers mean (`strava/api.py`,
`user_events/api.py`).
"""

import threading
import time
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import tenacity

from engagement_assets.extract.services.documents import MAX_VALUES, answer_document, values_at_most

# Of a body once it is unpacked: a few bytes of gzip can stand for a thousand times as many.
MAX_ANSWER_BYTES = 64 * 1024 * 1024
ATTEMPTS = 5
REFUSALS = 10
TIMEOUT = httpx.Timeout(60, connect=10)
# From a request to the last byte of its answer: one that comes byte by byte stays within every timeout for ever.
LONGEST_ANSWER = timedelta(minutes=5)

_COUNTDOWN_STEP_S = 60
_TOO_MANY_REQUESTS = 429
_WORTH_ANOTHER_TRY = frozenset({408, 425, 500, 502, 503, 504})
_SHOWN_CHARACTERS = 200
_LOOKED_AT_BYTES = 100_000
_NOT_PACKED, _GZIP = frozenset({"", "identity"}), frozenset({"gzip", "x-gzip"})
_ZLIB_READS_GZIP = zlib.MAX_WBITS | 16


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


def _never_final(_: Answer) -> bool:
    return False


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
    longest_answer: timedelta = LONGEST_ANSWER
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
        is_final: Callable[[Answer], bool] = _never_final,
    ) -> Answer:
        """The answer to a request, of any status that is not worth another try; JSON where it is `expected`.

        Args:
            method: `GET` or `POST`.
            url: Without what `params` holds.
            params: The query. No secret belongs into it: servers log it.
            headers: Tokens go here.
            form: The body of a `POST`.
            expected: The statuses whose body has to be JSON; another body is taken for a failure on the way.
            is_final: Tells an answer whose body says all that there is to say, whatever its status.

        Raises:
            ApiUnavailableError: five attempts failed, or ten waits after status 429 did not help.
            ApiRefusedError: the service redirects elsewhere, or an answer is too large or packed otherwise than asked.
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
                answer: Answer = retrying(self._send, method, url, params, headers, form, expected, is_final)
                if answer.status != _TOO_MANY_REQUESTS or is_final(answer):
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
        is_final: Callable[[Answer], bool],
    ) -> Answer:
        with self._lock:
            self.requests_made += 1
        asked_at = self.clock.now()
        try:
            # A query that the setting holds stays.
            with self._client.stream(
                method,
                httpx.URL(url).copy_merge_params(params or {}),
                headers={**(headers or {}), "Accept": "application/json", "Accept-Encoding": "gzip"},
                data=form,
            ) as response:
                self._refuse_redirect(response)
                body = self._read(response, asked_at)
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
        except zlib.error as error:
            raise _WorthAnotherTryError(f"expected gzip, found something else ({error})") from None
        status = response.status_code
        if values_at_most(body) > MAX_VALUES:
            raise self._too_large(response, f"{MAX_VALUES:,} values")
        answer = Answer(status, response.headers, body, answer_document(body))
        if is_final(answer):
            return answer
        if status in _WORTH_ANOTHER_TRY:
            raise _WorthAnotherTryError(f"status {status}")
        if answer.document is None and status in expected:
            kind = response.headers.get("content-type", "no content type")
            raise _WorthAnotherTryError(f"expected JSON, found {len(body):,} bytes of {kind}")
        return answer

    def _refuse_redirect(self, response: httpx.Response) -> None:
        if response.is_redirect:
            host = urlsplit(response.headers.get("location", "")).netloc or "another path"
            raise ApiRefusedError(
                f"{self.service} redirects to {host}, where the token must not go; set its base URL to where it is now"
            )

    def _read(self, response: httpx.Response, asked_at: datetime) -> bytes:
        """The body, unpacked no further than an answer may be large."""
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding not in _NOT_PACKED | _GZIP:
            if response.status_code in _WORTH_ANOTHER_TRY:
                raise _WorthAnotherTryError(f"status {response.status_code}")
            raise ApiRefusedError(
                f"{self.service} answers {response.url.path} in the content encoding {encoding[:_SHOWN_CHARACTERS]!r}, "
                "expected gzip alone or none, as was asked for; nothing of it was read. See what stands between this "
                "machine and the service"
            )
        unpacking = zlib.decompressobj(_ZLIB_READS_GZIP) if encoding in _GZIP else None
        body = bytearray()
        for received in response.iter_raw():
            if self.clock.now() - asked_at > self.longest_answer:
                raise _WorthAnotherTryError(f"no whole answer in {self.longest_answer.total_seconds():.0f} s")
            # One byte more than is allowed: with 0 as the limit there would be none.
            most = self.max_answer_bytes + 1 - len(body)
            body += unpacking.decompress(received, most) if unpacking else received
            if len(body) > self.max_answer_bytes:
                raise self._too_large(response, f"{self.max_answer_bytes:,} bytes")
            if unpacking and unpacking.unused_data:
                raise _WorthAnotherTryError("the answer goes on after its gzip has ended")
        if unpacking and response.num_bytes_downloaded and not unpacking.eof:
            raise _WorthAnotherTryError("the answer's gzip is cut off")
        return bytes(body)

    def _too_large(self, response: httpx.Response, limit: str) -> ApiRefusedError:
        return ApiRefusedError(
            f"{self.service} answers {response.url.path} with more than {limit}; nothing of it was kept"
        )


def next_quarter_hour(moment: datetime) -> datetime:
    """The next :00, :15, :30 or :45 after `moment`."""
    return moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0) + timedelta(minutes=15)


def next_midnight(moment: datetime) -> datetime:
    """The next 00:00 UTC after `moment`."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)

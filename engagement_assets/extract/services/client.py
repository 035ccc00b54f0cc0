"""One HTTP client for every source that is a service.

Belongs here: timeouts, which failures are retried, how large an answer may be, where a token may go. Not here: the JSON
of an answer (`services/documents.py`), what a service's answers mean (`strava/api.py`, `user_events/api.py`).
"""

import re
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

# Of a body after decompression: a few bytes of gzip can stand for a thousand times as many.
MAX_ANSWER_BYTES = 64 * 1024 * 1024
ATTEMPTS = 5
REFUSALS = 10
TIMEOUT = httpx.Timeout(60, connect=10)
# From a request to the last byte of its answer: an answer that trickles never exceeds a timeout of httpx.
LONGEST_ANSWER = timedelta(minutes=5)

_COUNTDOWN_STEP_S = 60
_TOO_MANY_REQUESTS = 429
_RECOVERABLE = frozenset({408, 425, 500, 502, 503, 504})
_SHOWN_CHARACTERS = 200
_LOOKED_AT_BYTES = 100_000
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip"}
_NOT_COMPRESSED, _GZIP = frozenset({"", "identity"}), frozenset({"gzip", "x-gzip"})
_ZLIB_READS_GZIP = zlib.MAX_WBITS | 16


class ApiError(RuntimeError):
    """A service did not give what was requested; the message says what to do."""


class ApiUnavailableError(ApiError):
    """The service failed several times; a later try may succeed."""


class ApiRefusedError(ApiError):
    """The service refuses, and will refuse until somebody changes something."""


class ApiLimitReachedError(ApiError):
    """The service's limit is used up for longer than a run waits; from `go_on_at` (UTC) on it takes requests again."""

    def __init__(self, message: str, go_on_at: datetime) -> None:
        """Keep the moment beside the message."""
        super().__init__(message)
        self.go_on_at = go_on_at


@dataclass(frozen=True)
class Clock:
    """What time it is (UTC) and how to wait; tests use a clock of their own."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep

    def wait_until(self, moment: datetime, why: str, progress: Callable[[str], None]) -> None:
        """Wait, and report every minute how long it will still take."""
        while (left := (moment - self.now()).total_seconds()) > 0:
            minutes, seconds = divmod(round(left), 60)
            progress(f"{why}; going on in {minutes}:{seconds:02} at {moment:%H:%M:%S} UTC")
            self.sleep(min(left, _COUNTDOWN_STEP_S))


@dataclass(frozen=True)
class Answer:
    """What came back; `document` is the JSON value of the body, or None if there is none."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    document: Any

    def shown_without(self, secret: str) -> str:
        """The beginning of the body, for a message. A service may repeat what was sent to it, hence the `secret`."""
        text = self.body[:_LOOKED_AT_BYTES].decode("utf-8", "replace").replace(secret, "…")
        # It may also repeat it escaped (%2F, \/, &#47;), but nobody escapes letters and digits.
        if max(re.findall("[a-z0-9]+", secret.lower()), key=len, default="") in text.lower():
            return "an answer that may repeat the token, so it is not shown"
        return text[:_SHOWN_CHARACTERS]


class _RecoverableError(Exception):
    """A failure that another attempt may get past: the connection, the server, an answer that is not JSON."""


@dataclass(frozen=True)
class Request:
    """A request: `GET`, or with a `form` `POST`.

    `params` is the query; no secret belongs there, because servers log it. Tokens go into `headers`. The body has to be
    JSON if the status is one of `expected`; any other body is then a failure on the way. `is_final` recognises an
    answer whose body says everything, whatever its status.
    """

    url: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = None
    expected: Collection[int] = (200,)
    is_final: Callable[[Answer], bool] = lambda _: False


@dataclass
class HttpApi:
    """Requests to one service; after status 429 `too_many_requests` waits or raises.

    Redirects are not followed, because they would carry the token to another host.
    """

    service: str
    clock: Clock
    progress: Callable[[str], None]
    too_many_requests: Callable[[Answer], None]
    max_answer_bytes: int = MAX_ANSWER_BYTES
    longest_answer: timedelta = LONGEST_ANSWER
    requests_made: int = 0
    _client: httpx.Client = field(
        default_factory=lambda: httpx.Client(timeout=TIMEOUT, headers=_HEADERS, follow_redirects=False), init=False
    )
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def send(self, request: Request) -> Answer:
        """The answer to a request, of any status that another attempt would not change.

        Raises:
            ApiUnavailableError: five attempts failed, or ten waits after status 429 did not help.
            ApiRefusedError: the service redirects elsewhere, or an answer is too large or in another encoding than
                requested.
        """
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_exponential_jitter(initial=1, max=30),
            retry=tenacity.retry_if_exception_type(_RecoverableError),
            sleep=self.clock.sleep,
            before_sleep=lambda state: self.progress(
                f"{self.service}: {state.outcome.exception() if state.outcome else ''}; trying again"
            ),
            reraise=True,
        )
        try:
            for _ in range(REFUSALS):
                answer: Answer = retrying(self._send_once, request)
                if answer.status != _TOO_MANY_REQUESTS or request.is_final(answer):
                    return answer
                self.too_many_requests(answer)
        except _RecoverableError as error:
            raise ApiUnavailableError(
                f"{self.service} did not answer {urlsplit(request.url).path} in {ATTEMPTS} attempts: {error}. "
                "It may be down: run this again later"
            ) from error
        raise ApiUnavailableError(
            f"{self.service} answers {urlsplit(request.url).path} with status 429, even after {REFUSALS} waits; "
            "run this again later"
        )

    def _send_once(self, request: Request) -> Answer:
        with self._lock:
            self.requests_made += 1
        sent_at = self.clock.now()
        try:
            with self._client.stream(
                "GET" if request.form is None else "POST",
                # Merged, so that a query in the setting stays.
                httpx.URL(request.url).copy_merge_params(request.params),
                headers=request.headers,
                data=request.form,
            ) as response:
                body = self._read(response, sent_at)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise ApiRefusedError(f"{self.service}: {request.url!r} is not a URL ({error}); fix the setting") from None
        except (httpx.LocalProtocolError, UnicodeEncodeError):
            # The error's own text quotes the header that cannot be sent: the token.
            raise ApiRefusedError(
                f"{self.service}: the token cannot be sent in a header; check whether its setting has a line break, a "
                "space around it or a character that is not ASCII"
            ) from None
        except httpx.RequestError as error:
            # The error holds the request with its headers: only its text is passed on.
            raise _RecoverableError(f"{type(error).__name__}: {error}") from None
        except zlib.error as error:
            raise _RecoverableError(f"expected gzip, found something else ({error})") from None
        if values_at_most(body) > MAX_VALUES:
            raise self._too_large(response, f"{MAX_VALUES:,} values")
        answer = Answer(response.status_code, response.headers, body, answer_document(body))
        if request.is_final(answer):
            return answer
        if answer.status in _RECOVERABLE:
            raise _RecoverableError(f"status {answer.status}")
        if answer.document is None and answer.status in request.expected:
            kind = response.headers.get("content-type", "no content type")
            raise _RecoverableError(f"expected JSON, found {len(body):,} bytes of {kind}")
        return answer

    def _read(self, response: httpx.Response, sent_at: datetime) -> bytes:
        """The body, decompressed no further than an answer may be large; that of a redirect is refused."""
        if response.is_redirect:
            host = urlsplit(response.headers.get("location", "")).netloc or "another path"
            raise ApiRefusedError(
                f"{self.service} redirects to {host}, where the token must not go; set its base URL to where it is now"
            )
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding not in _NOT_COMPRESSED | _GZIP:
            if response.status_code in _RECOVERABLE:
                raise _RecoverableError(f"status {response.status_code}")
            raise ApiRefusedError(
                f"{self.service} answers {response.url.path} in the content encoding {encoding[:_SHOWN_CHARACTERS]!r}, "
                "expected gzip or none, as requested; nothing of it was read. Check what stands between this machine "
                "and the service"
            )
        gzip = zlib.decompressobj(_ZLIB_READS_GZIP) if encoding in _GZIP else None
        body = bytearray()
        for received in response.iter_raw():
            if self.clock.now() - sent_at > self.longest_answer:
                raise _RecoverableError(f"no whole answer in {self.longest_answer.total_seconds():.0f} s")
            # One byte more than allowed: zlib takes 0 for no limit.
            most = self.max_answer_bytes + 1 - len(body)
            body += gzip.decompress(received, most) if gzip else received
            if len(body) > self.max_answer_bytes:
                raise self._too_large(response, f"{self.max_answer_bytes:,} bytes")
            if gzip and gzip.unused_data:
                raise _RecoverableError("the answer goes on after its gzip has ended")
        if gzip and response.num_bytes_downloaded and not gzip.eof:
            raise _RecoverableError("the answer's gzip is cut off")
        return bytes(body)

    def _too_large(self, response: httpx.Response, limit: str) -> ApiRefusedError:
        return ApiRefusedError(
            f"{self.service} answers {response.url.path} with more than {limit}; nothing of it was kept"
        )

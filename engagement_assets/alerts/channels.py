"""Where messages go: console and file always, Slack, webhooks and whatever Apprise knows by `ALERT_URLS`.

Belongs here: taking a message to its place, and telling a place that is down from one that refuses. Not here: what it
looks like there (`rendering.py`), when it is tried again (`delivery.py`).

A channel's URL is a secret: it is in no name, error, log or repr.
"""

import asyncio
import hashlib
import hmac
import logging
import os
import re
import sys
from concurrent.futures import Future, wait
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Protocol

import apprise
import httpx
import msgspec

from engagement_assets.alerts.caught import Caught, kind_and_place
from engagement_assets.alerts.incidents import Severity
from engagement_assets.alerts.messages import Message
from engagement_assets.alerts.rendering import as_slack, as_text
from engagement_assets.retry_after import retry_after
from engagement_assets.settings import Settings

# For all of a delivery: a receiver that sends a byte now and then is down, too.
DEADLINE_S = 10
KEY_HEADER = "Idempotency-Key"
TIMESTAMP_HEADER = "X-Alert-Timestamp"
SIGNATURE_HEADER = "X-Alert-Signature"

_BETWEEN_URLS = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_TOO_MANY_REQUESTS = 429
# What a server says of one message, and not of all that come.
_MESSAGE_REFUSED = frozenset({400, 413, 422})
_APPRISE_TYPES = {Severity.WARN: apprise.NotifyType.WARNING, Severity.ERROR: apprise.NotifyType.FAILURE}
_LONGEST_RETRY_AFTER = timedelta(hours=6)


class ChannelError(RuntimeError):
    """A channel has not taken a message; the text names no URL. `retry_after` is how long it wants to be left alone."""

    def __init__(self, message: str, retry_after: timedelta = timedelta()) -> None:
        """Keep the wait beside the message."""
        super().__init__(message)
        self.retry_after = retry_after


class MessageRefusedError(ChannelError):
    """The channel refuses this message; it may take others."""


class _NoChannelError(ValueError):
    """No channel understands a URL; the text does not show it."""


class Channel(Protocol):
    """One place; its name tells channels apart, also after a restart, and no secret."""

    @property
    def name(self) -> str:
        """What names the channel in the store and in errors."""

    def send(self, message: Message) -> None:
        """Take a message to its place.

        Raises:
            ChannelError: the place has not taken it.
        """


def channels_of(settings: Settings, folder: Path) -> tuple[list[Channel], list[str]]:
    """Console and file, and one channel per URL of `ALERT_URLS`; a sentence for each URL that no channel understands.

    A sentence says which URL by its place, not by its text.
    """
    channels: list[Channel] = [ConsoleChannel(), FileChannel(folder / "alerts.jsonl")]
    troubles = []
    text = settings.alert_urls.get_secret_value() if settings.alert_urls else ""
    named = [url.strip(" ,\t\n") for url in _BETWEEN_URLS.split(text.strip())] if text.strip() else []
    secret = settings.alert_webhook_secret.get_secret_value() if settings.alert_webhook_secret else ""
    for place, url in enumerate(dict.fromkeys(named), start=1):
        with Caught() as caught:
            channels.append(_channel(url, secret))
        if caught.error:
            told = str(caught.error) if isinstance(caught.error, _NoChannelError) else kind_and_place(caught.error)
            troubles.append(f"URL number {place} of ALERT_URLS gets no alert: {told}")
    return channels, troubles


def _channel(url: str, webhook_secret: str) -> Channel:
    if re.search(r"\s", url):
        raise _NoChannelError("it has a blank in it; each URL begins with its scheme")
    scheme, _, rest = url.partition("://")
    if scheme in {"webhook+https", "webhook+http"}:
        if not webhook_secret:
            raise _NoChannelError("it is a webhook, and ALERT_WEBHOOK_SECRET, which signs for it, is not set")
        return WebhookChannel(f"{scheme.removeprefix('webhook+')}://{rest}", webhook_secret)
    if scheme in {"slack+https", "slack+http"}:
        return SlackChannel(f"{scheme.removeprefix('slack+')}://{rest}")
    if scheme == "https" and rest.startswith("hooks.slack.com/"):
        return SlackChannel(url)
    return AppriseChannel(url)


class ConsoleChannel:
    """Standard output: the terminal of a command, or the log of the daemon."""

    name = "console"

    def send(self, message: Message) -> None:
        """Write the message as text."""
        try:
            sys.stdout.write(f"\n{as_text(message)}\n\n")
            sys.stdout.flush()
        except (OSError, ValueError) as error:
            # Closed, full, or of an encoding without these signs: no reason for the other channels to wait.
            raise ChannelError(f"standard output has not taken the message: {error}") from error


class FileChannel:
    """A file with one JSON line per message."""

    name = "file"

    def __init__(self, path: Path) -> None:
        """Write to `path`."""
        self._path = path

    def send(self, message: Message) -> None:
        """Append the message, and have it on the disk."""
        try:
            with self._path.open("ab+") as file:
                if file.tell():
                    file.seek(-1, os.SEEK_END)
                    if file.read(1) != b"\n":
                        file.write(b"\n")  # a full disk has cut the last line off: it spoils no other
                file.write(msgspec.json.encode(message) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ChannelError(f"{self._path} cannot be written: {error}") from error


class _HttpChannel:
    """A POST of JSON to a URL that nobody may see; `deadline_s` is for the whole exchange."""

    kind = "http"

    def __init__(self, url: str, deadline_s: float = DEADLINE_S) -> None:
        try:
            self._url = httpx.URL(url)
        except httpx.InvalidURL:
            raise _NoChannelError(f"a URL for {self.kind} that is not well-formed") from None
        if not self._url.host:
            raise _NoChannelError(f"a URL for {self.kind} that names no host")
        self._deadline_s = deadline_s
        self._secrets = [str(self._url), self._url.path.strip("/") or str(self._url)]
        self.name = f"{self.kind}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"
        # httpx logs each request with its URL.
        logging.getLogger("httpx").addFilter(self._is_harmless)

    def _is_harmless(self, record: logging.LogRecord) -> bool:
        return not any(secret in record.getMessage() for secret in self._secrets)

    def _post(self, body: bytes, headers: dict[str, str]) -> None:
        try:
            status, told_to_wait = asyncio.run(self._exchange(body, headers))
        except (httpx.HTTPError, TimeoutError) as error:
            # From None: the original holds the request, and with it the URL.
            raise ChannelError(f"{self.name} did not answer: {type(error).__name__}") from None
        if httpx.codes.is_success(status):
            return
        told = f"{self.name} answered with status {status}"
        if status in _MESSAGE_REFUSED:
            raise MessageRefusedError(told)
        wanted = retry_after(told_to_wait, datetime.now(UTC)) or timedelta()
        raise ChannelError(told, min(wanted, _LONGEST_RETRY_AFTER))

    async def _exchange(self, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        """Status and `Retry-After` of the answer, of which the body is never read.

        httpx limits each wait for a byte, and nothing that it offers the sum of them: what asyncio cancels ends.
        """
        async with (
            asyncio.timeout(self._deadline_s),
            httpx.AsyncClient(timeout=self._deadline_s, follow_redirects=False) as client,
            client.stream(
                "POST", self._url, content=body, headers={"Content-Type": "application/json", **headers}
            ) as answer,
        ):
            return answer.status_code, answer.headers.get("Retry-After", "")


class SlackChannel(_HttpChannel):
    """A Slack incoming webhook."""

    kind = "slack"

    def send(self, message: Message) -> None:
        """Post the message as blocks."""
        self._post(msgspec.json.encode(as_slack(message)), {KEY_HEADER: message.key})


class WebhookChannel(_HttpChannel):
    """Any receiver of JSON: the message as it is in the store, signed.

    The signature is the HMAC-SHA256 of `<timestamp>.<body>` with the shared secret; a receiver refuses old timestamps
    and remembers keys.
    """

    kind = "webhook"

    def __init__(self, url: str, secret: str, deadline_s: float = DEADLINE_S) -> None:
        """Sign with `secret`."""
        super().__init__(url, deadline_s)
        self._secret = secret.encode()

    def send(self, message: Message) -> None:
        """Post the message with timestamp and signature."""
        body = msgspec.json.encode(message)
        timestamp = str(int(datetime.now(UTC).timestamp()))
        signature = hmac.new(self._secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        headers = {KEY_HEADER: message.key, TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: f"sha256={signature}"}
        self._post(body, headers)


class AppriseChannel:
    """A service that Apprise knows: Teams, e-mail, PagerDuty, ntfy and a hundred more, by its URL."""

    def __init__(self, url: str, deadline_s: float = DEADLINE_S) -> None:
        """Let Apprise read the URL.

        Raises:
            ValueError: Apprise does not know what it is.
        """
        scheme = url.partition("://")[0]
        self.name = f"{scheme}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"
        self._deadline_s = deadline_s
        self._under_way: tuple[str, Future[bool]] | None = None
        self._service = apprise.Apprise()
        # What Apprise and the library under it log holds the URL.
        logging.getLogger("apprise").disabled = True
        logging.getLogger("urllib3").setLevel(logging.INFO)
        if not self._service.add(url):
            raise _NoChannelError(
                "no channel is known for it; expected https://hooks.slack.com/…, webhook+https://…, or a URL as in "
                "https://appriseit.com/services/"
            )

    def send(self, message: Message) -> None:
        """Hand the message to Apprise as plain text.

        Nothing ends a plugin that hangs. Its thread is left alone then, and the next try of the message asks what has
        become of it, in place of sending it twice.
        """
        key, sending = self._under_way or (message.key, self._begin(message))
        self._under_way = key, sending
        if not wait([sending], self._deadline_s).done:
            raise ChannelError(f"{self.name} has not taken a message within {self._deadline_s:g} s")
        self._under_way = None
        if key != message.key:
            self.send(message)
        elif not sending.result():
            raise ChannelError(f"{self.name} has not taken the message; Apprise does not say why")

    def _begin(self, message: Message) -> Future[bool]:
        ended: Future[bool] = Future()

        def notify() -> None:
            with Caught() as caught:
                ended.set_result(
                    bool(
                        self._service.notify(
                            title=message.title,
                            body=as_text(message),
                            body_format=apprise.NotifyFormat.TEXT,
                            notify_type=_APPRISE_TYPES[message.severity],
                        )
                    )
                )
            if caught.error:
                ended.set_exception(caught.error)

        # A daemon: a process that has nothing else to do ends without it.
        Thread(target=notify, daemon=True, name=self.name).start()
        return ended

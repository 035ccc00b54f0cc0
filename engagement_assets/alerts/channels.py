"""Where messages go: console and file always, Slack, webhooks and whatever Apprise knows by `ALERT_URLS`.

Belongs here: taking a message to its place, and telling a place that is down from one that refuses. Not here: what it
looks like there (`rendering.py`), when it is tried again (`delivery.py`).

A channel's URL is a secret: it is in no name, error, log or repr.
"""

import hashlib
import hmac
import logging
import os
import re
import sys
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Protocol

import apprise
import httpx
import msgspec

from engagement_assets.alerts.incidents import Severity
from engagement_assets.alerts.messages import Message
from engagement_assets.alerts.rendering import as_slack, as_text
from engagement_assets.settings import Settings

TIMEOUT_S = 10
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


def channels_of(settings: Settings, folder: Path) -> list[Channel]:
    """Console and file, and one channel per URL of `ALERT_URLS`.

    Raises:
        ValueError: no channel understands a URL; the message says which one by its place, not by its text.
    """
    channels: list[Channel] = [ConsoleChannel(), FileChannel(folder / "alerts.jsonl")]
    text = settings.alert_urls.get_secret_value() if settings.alert_urls else ""
    named = [url.strip(" ,\t\n") for url in _BETWEEN_URLS.split(text.strip())] if text.strip() else []
    urls = list(dict.fromkeys(named))
    for place, url in enumerate(urls, start=1):
        if re.search(r"\s", url):
            raise ValueError(f"URL number {place} of ALERT_URLS has a blank in it; each URL begins with its scheme")
    secret = settings.alert_webhook_secret.get_secret_value() if settings.alert_webhook_secret else ""
    channels += [_channel(url, place, secret) for place, url in enumerate(urls, start=1)]
    return channels


def _channel(url: str, place: int, webhook_secret: str) -> Channel:
    scheme, _, rest = url.partition("://")
    if scheme in {"webhook+https", "webhook+http"}:
        if not webhook_secret:
            raise ValueError("ALERT_URLS names a webhook, and ALERT_WEBHOOK_SECRET, which signs for it, is not set")
        return WebhookChannel(f"{scheme.removeprefix('webhook+')}://{rest}", webhook_secret)
    if scheme in {"slack+https", "slack+http"}:
        return SlackChannel(f"{scheme.removeprefix('slack+')}://{rest}")
    if scheme == "https" and rest.startswith("hooks.slack.com/"):
        return SlackChannel(url)
    return AppriseChannel(url, place)


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
    """A POST of JSON to a URL that nobody may see."""

    kind = "http"

    def __init__(self, url: str) -> None:
        try:
            self._url = httpx.URL(url)
        except httpx.InvalidURL:
            raise ValueError(f"a URL of ALERT_URLS for {self.kind} is not well-formed") from None
        if not self._url.host:
            raise ValueError(f"a URL of ALERT_URLS for {self.kind} names no host")
        self._secrets = [str(self._url), self._url.path.strip("/") or str(self._url)]
        self.name = f"{self.kind}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"
        # httpx logs each request with its URL.
        logging.getLogger("httpx").addFilter(self._is_harmless)

    def _is_harmless(self, record: logging.LogRecord) -> bool:
        return not any(secret in record.getMessage() for secret in self._secrets)

    def _post(self, body: bytes, headers: dict[str, str]) -> None:
        try:
            with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False) as client:
                answer = client.post(self._url, content=body, headers={"Content-Type": "application/json", **headers})
        except httpx.HTTPError as error:
            # From None: the original holds the request, and with it the URL.
            raise ChannelError(f"{self.name} did not answer: {type(error).__name__}") from None
        if answer.is_success:
            return
        told = f"{self.name} answered with status {answer.status_code}"
        if answer.status_code in _MESSAGE_REFUSED:
            raise MessageRefusedError(told)
        raise ChannelError(told, _retry_after(answer))


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

    def __init__(self, url: str, secret: str) -> None:
        """Sign with `secret`."""
        super().__init__(url)
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

    def __init__(self, url: str, place: int) -> None:
        """Let Apprise read the URL.

        Raises:
            ValueError: Apprise does not know what it is.
        """
        scheme = url.partition("://")[0]
        self.name = f"{scheme}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"
        self._service = apprise.Apprise()
        # What Apprise and the library under it log holds the URL.
        logging.getLogger("apprise").disabled = True
        logging.getLogger("urllib3").setLevel(logging.INFO)
        if not self._service.add(url):
            raise ValueError(
                f"URL number {place} of ALERT_URLS is for no channel; expected https://hooks.slack.com/…, "
                "webhook+https://…, or a URL as in https://appriseit.com/services/"
            )

    def send(self, message: Message) -> None:
        """Hand the message to Apprise as plain text."""
        taken = self._service.notify(
            title=message.title,
            body=as_text(message),
            body_format=apprise.NotifyFormat.TEXT,
            notify_type=_APPRISE_TYPES[message.severity],
        )
        if not taken:
            raise ChannelError(f"{self.name} has not taken the message; Apprise does not say why")


def _retry_after(answer: httpx.Response) -> timedelta:
    """How long the server wants to be left alone, in seconds or until a date; nothing when it does not say."""
    told = answer.headers.get("Retry-After", "").strip()
    if told.isdigit():
        return min(timedelta(seconds=int(told[:9])), _LONGEST_RETRY_AFTER)
    try:
        until = parsedate_to_datetime(told)
    except ValueError:
        return timedelta()
    left: timedelta = until - datetime.now(UTC)
    return min(max(left, timedelta()), _LONGEST_RETRY_AFTER)

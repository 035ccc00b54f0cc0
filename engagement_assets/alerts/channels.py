"""Where messages go: always to console and file, and to the webhooks and Apprise services that `ALERT_URLS` names.

Belongs here: sending one message to one place, and telling a place that is down from one that refuses a message. Not
here: what a message looks like (`messages.py`), when it is sent again (`delivery.py`).

A channel's URL is a secret. No name, error, log or repr shows it.
"""

import asyncio
import hashlib
import hmac
import logging
import os
import re
import sys
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Protocol

import apprise
import httpx
import msgspec

from engagement_assets.alerts.caught import Caught, kind_and_place
from engagement_assets.alerts.incidents import Severity
from engagement_assets.alerts.messages import Message, as_text
from engagement_assets.retry_after import retry_after
from engagement_assets.settings import Settings

MESSAGES_FILE = "alerts.jsonl"
# For a whole delivery. A receiver that sends one byte now and then counts as down, too.
DEADLINE_S = 10
KEY_HEADER = "Idempotency-Key"
TIMESTAMP_HEADER = "X-Alert-Timestamp"
SIGNATURE_HEADER = "X-Alert-Signature"

_BETWEEN_URLS = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
# A server uses these to refuse one message; all others say that the channel is down.
_MESSAGE_REFUSED = frozenset({400, 413, 422})
_APPRISE_TYPES = {Severity.WARN: apprise.NotifyType.WARNING, Severity.ERROR: apprise.NotifyType.FAILURE}
# How Apprise's plugins log the status of an answer.
_APPRISE_STATUS = re.compile(r"\berror=(\d{3})\b")
LONGEST_RETRY_AFTER = timedelta(hours=6)


class ChannelError(RuntimeError):
    """A channel has not taken a message. The text shows no URL; `retry_after` is the wait that the channel asks for."""

    def __init__(self, message: str, retry_after: timedelta = timedelta()) -> None:
        """Keep the wait next to the message."""
        super().__init__(message)
        self.retry_after = retry_after


class MessageRefusedError(ChannelError):
    """The channel refuses this message; it may take others."""


class _NoChannelError(ValueError):
    """No channel understands a URL. The text does not show it."""


class Channel(Protocol):
    """One place that messages go to."""

    @property
    def name(self) -> str:
        """Identifies the channel in the store and in errors; the same after a restart, and no secret."""

    def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            ChannelError: the channel has not taken it.
        """


def channels_of(settings: Settings, folder: Path) -> tuple[list[Channel], list[str]]:
    """Console, file, a channel per URL of `ALERT_URLS`; and a sentence, without the URL, for each wrong one."""
    channels: list[Channel] = [ConsoleChannel(), FileChannel(folder / MESSAGES_FILE)]
    troubles = []
    text = settings.alert_urls.get_secret_value().strip() if settings.alert_urls else ""
    urls = [url.strip(" ,\t\n") for url in _BETWEEN_URLS.split(text)] if text else []
    secret = settings.alert_webhook_secret.get_secret_value() if settings.alert_webhook_secret else ""
    for position, url in enumerate(dict.fromkeys(urls), start=1):
        with Caught() as caught:
            channels.append(_channel(url, secret))
        if caught.error:
            reason = str(caught.error) if isinstance(caught.error, _NoChannelError) else kind_and_place(caught.error)
            troubles.append(f"URL number {position} of ALERT_URLS gets no alert: {reason}")
    return channels, troubles


def _channel(url: str, webhook_secret: str) -> Channel:
    if re.search(r"\s", url):
        raise _NoChannelError("it contains a blank; each URL must begin with its scheme")
    if not url.startswith(("webhook+https://", "webhook+http://")):
        return AppriseChannel(url)
    if not webhook_secret:
        raise _NoChannelError("it is a webhook, and ALERT_WEBHOOK_SECRET, which signs its messages, is not set")
    return WebhookChannel(url.removeprefix("webhook+"), webhook_secret)


def _name(kind: str, url: str) -> str:
    return f"{kind}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"


def _not_taken(channel: str, status: int, wait_for: timedelta = timedelta()) -> ChannelError:
    kind = MessageRefusedError if status in _MESSAGE_REFUSED else ChannelError
    return kind(f"{channel} answered with status {status}", wait_for)


_BOLD_AND_REVERSED, _PLAIN = "\033[1;7m", "\033[0m"


class ConsoleChannel:
    """Standard output: the terminal of a command, or the log of the daemon. On a terminal the first line stands out.

    Where standard output is passed on to a terminal, FORCE_COLOR says so.
    """

    name = "console"

    def send(self, message: Message) -> None:
        """Print the message as text."""
        try:
            first, _, rest = as_text(message).partition("\n")
            if sys.stdout.isatty() or os.environ.get("FORCE_COLOR"):
                first = f"{_BOLD_AND_REVERSED}{first}{_PLAIN}"
            sys.stdout.write(f"\n{first}\n{rest}\n\n")
            sys.stdout.flush()
        except (OSError, ValueError) as error:
            # Closed, full, or in an encoding without these characters: the other channels go on.
            raise ChannelError(f"standard output has not taken the message: {error}") from error


@dataclass(frozen=True)
class FileChannel:
    """A file with one JSON line per message."""

    path: Path
    name = "file"

    def send(self, message: Message) -> None:
        """Append the message and flush it to the disk."""
        try:
            with self.path.open("ab+") as file:
                if file.tell():
                    file.seek(-1, os.SEEK_END)
                    if file.read(1) != b"\n":
                        file.write(b"\n")  # a full disk cut off the last line; keep the new one apart from it
                file.write(msgspec.json.encode(message) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ChannelError(f"{self.path} cannot be written: {error}") from error


class WebhookChannel:
    """Any receiver of JSON: a signed POST of the message as the store has it.

    The signature is the HMAC-SHA256 of `<timestamp>.<body>` with the shared secret. A receiver refuses old timestamps
    and remembers keys.
    """

    def __init__(self, url: str, secret: str, deadline_s: float = DEADLINE_S) -> None:
        """Sign with `secret`; `deadline_s` is for the whole exchange."""
        try:
            self._url = httpx.URL(url)
        except httpx.InvalidURL:
            raise _NoChannelError("it is a webhook whose URL is not well-formed") from None
        if not self._url.host:
            raise _NoChannelError("it is a webhook whose URL names no host")
        self.name = _name("webhook", url)
        self._secret = secret.encode()
        self._deadline_s = deadline_s
        hidden = (str(self._url), self._url.path.strip("/") or str(self._url))
        # httpx logs each request with its URL.
        logging.getLogger("httpx").addFilter(lambda record: not any(text in record.getMessage() for text in hidden))

    def send(self, message: Message) -> None:
        """Post the message with its key, a timestamp and the signature."""
        body = msgspec.json.encode(message)
        timestamp = str(int(datetime.now(UTC).timestamp()))
        signature = hmac.new(self._secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            KEY_HEADER: message.key,
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: f"sha256={signature}",
        }
        try:
            status, asked_wait = asyncio.run(self._exchange(body, headers))
        except (httpx.HTTPError, TimeoutError) as error:
            # From None: the original holds the request, and with it the URL.
            raise ChannelError(f"{self.name} did not answer: {type(error).__name__}") from None
        if not httpx.codes.is_success(status):
            wait_for = retry_after(asked_wait, datetime.now(UTC)) or timedelta()
            raise _not_taken(self.name, status, min(wait_for, LONGEST_RETRY_AFTER))

    async def _exchange(self, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        """Status and `Retry-After` of the answer. httpx limits each wait for a byte, asyncio limits their sum."""
        async with (
            asyncio.timeout(self._deadline_s),
            httpx.AsyncClient(timeout=self._deadline_s, follow_redirects=False) as client,
            client.stream("POST", self._url, content=body, headers=headers) as answer,
        ):
            return answer.status_code, answer.headers.get("Retry-After", "")


class AppriseChannel:
    """A service that Apprise knows by its URL: Slack, Teams, e-mail, PagerDuty, ntfy and a hundred more."""

    def __init__(self, url: str, deadline_s: float = DEADLINE_S) -> None:
        """Let Apprise read the URL.

        Raises:
            ValueError: Apprise does not know what it is.
        """
        kind = "slack" if url.startswith("https://hooks.slack.com/") else url.partition("://")[0]
        self.name = _name(kind, url)
        self._deadline_s = deadline_s
        self._pending: tuple[str, Future[apprise.AppriseResult]] | None = None
        self._service = apprise.Apprise()
        # What Apprise and the library under it log contains the URL. Without any handler Python would print it.
        log = logging.getLogger("apprise")
        log.propagate = False
        log.addHandler(logging.NullHandler())
        logging.getLogger("urllib3").setLevel(logging.INFO)
        if not self._service.add(url):
            raise _NoChannelError(
                "no channel is known for it; expected https://hooks.slack.com/…, webhook+https://…, or a URL as in "
                "https://appriseit.com/services/"
            )
        if "overflow=" not in url:
            for plugin in self._service:
                # A service would refuse a message that is too long for it every time, and with it all later ones.
                plugin.overflow_mode = apprise.OverflowMode.SPLIT

    def send(self, message: Message) -> None:
        """Hand the message to Apprise as plain text, which Apprise escapes for the service.

        Nothing can end a plugin that hangs. Its thread is left running, and the next attempt asks what became of the
        message instead of sending it twice.
        """
        key, sending = self._pending or (message.key, self._begin(message))
        self._pending = key, sending
        if not wait([sending], self._deadline_s).done:
            raise ChannelError(f"{self.name} has not taken a message within {self._deadline_s:g} s")
        self._pending = None
        if key != message.key:
            self.send(message)
        elif not (result := sending.result()):
            for entry in result.logs():
                if answer := _APPRISE_STATUS.search(entry.message):
                    raise _not_taken(self.name, int(answer[1]))
            raise ChannelError(f"{self.name} has not taken the message; Apprise does not say why")

    def _begin(self, message: Message) -> "Future[apprise.AppriseResult]":
        sending: Future[apprise.AppriseResult] = Future()

        def notify() -> None:
            kind, layout = _APPRISE_TYPES[message.severity], apprise.NotifyFormat.TEXT
            with Caught() as caught:
                taken = self._service.notify(as_text(message), message.title, notify_type=kind, body_format=layout)
                sending.set_result(taken)
            if caught.error:
                sending.set_exception(caught.error)

        Thread(target=notify, daemon=True, name=self.name).start()
        return sending

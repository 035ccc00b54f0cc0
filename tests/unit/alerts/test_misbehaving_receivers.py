"""Whatever a receiver answers, and whatever a channel raises: a message is delivered, or it is tried again."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from apprise import AppriseResult, AppriseResultStatus

from engagement_assets.alerts.channels import AppriseChannel, Channel, ChannelError, WebhookChannel
from engagement_assets.alerts.delivery import Backoff, deliver
from engagement_assets.alerts.messages import Message, compose
from engagement_assets.alerts.store import AlertStore
from tests.integration.alert_receiver import WEBHOOK_SECRET
from tests.integration.misbehaving_receiver import (
    OK,
    RETRY_AFTER,
    answers,
    dripping,
    misbehaving_receiver,
    silent,
    status,
)
from tests.unit.alerts.alert_outcomes import START, lineage, message, transition

PATIENCE_S = 30
# No answer comes before it, however fast the machine is.
DEADLINE_S = 0.1
SECRET = "a-very-secret-token"
SENT = AppriseResultStatus.SUCCESS
FIRST_WAIT_S, LONGEST_WAIT_S = 10, 21_600
# In which of the ways a message counts as taken: the status says it, of a body nothing is read.
TAKEN = {
    OK: status("204 No Content"),
    "200 and 100 MB that never come": status("200 OK", "Content-Length: 100000000", body="{}"),
    "200 and a body that drips": dripping("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n", "x"),
    "200 and a body that is not packed as it says": status(
        "200 OK", "Content-Encoding: gzip", "Content-Length: 3", body="abc"
    ),
}
NOT_TAKEN = {
    **{name: answer for name, answer in answers() if name != OK},
    "500 and a body that drips": dripping("HTTP/1.1 500 Oh\r\nContent-Length: 100000000\r\n\r\n", "x"),
    "no answer": silent,
}
ENDLESS = {"headers that drip", "no answer"}
WAITS_S = {
    "503, Retry-After is seconds": 120,
    "503, Retry-After is a date without a zone": LONGEST_WAIT_S,
    "503, Retry-After is the last date there is": LONGEST_WAIT_S,
    "503, Retry-After is a number of a thousand digits": LONGEST_WAIT_S,
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AlertStore]:
    with closing(AlertStore(tmp_path / "alerts.sqlite")) as store:
        yield store


def _deliver(store: AlertStore, channel: Channel) -> tuple[tuple[int, int], list[tuple[float, str]]]:
    """Deliver one message: taken and not, and the seconds until the next try and why, of what is left."""
    store.record(compose([transition()], lineage(), START, lambda: "key-1"), [channel.name])
    counts = deliver(store.path, [channel], Backoff(draw=lambda: 1.0), lambda: START)
    (reported,) = [error for _, _, error in store.undelivered([channel.name])] or [""]
    left = store.outbox(channel.name)
    return counts, [((delivery.next_at - START).total_seconds(), reported) for delivery in left]


def test_every_irregular_retry_after_is_tried() -> None:
    assert {f"503, Retry-After is {name}" for name in RETRY_AFTER} < NOT_TAKEN.keys()
    assert WAITS_S.keys() < NOT_TAKEN.keys()


@pytest.mark.parametrize("name", TAKEN)
def test_a_message_is_taken_by_whoever_says_so(name: str, store: AlertStore) -> None:
    with misbehaving_receiver([(name, TAKEN[name])]) as there:
        channel = WebhookChannel(f"http://127.0.0.1:{there.port}/{SECRET}", WEBHOOK_SECRET, PATIENCE_S)
        assert _deliver(store, channel) == ((1, 0), [])


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_a_message_is_kept_for_whoever_misbehaves(name: str, store: AlertStore) -> None:
    with misbehaving_receiver([(name, NOT_TAKEN[name])]) as there:
        deadline_s = DEADLINE_S if name in ENDLESS else PATIENCE_S
        channel = WebhookChannel(f"http://127.0.0.1:{there.port}/{SECRET}", WEBHOOK_SECRET, deadline_s)
        counts, ((wait_s, reported),) = _deliver(store, channel)
    assert counts == (0, 1)
    assert wait_s == WAITS_S.get(name, FIRST_WAIT_S)
    assert reported.startswith(channel.name)
    assert SECRET not in reported


@pytest.mark.parametrize("name", ["closed without an answer", "500", "no HTTP"])
def test_apprise_keeps_a_message_for_whoever_misbehaves(name: str, store: AlertStore) -> None:
    with misbehaving_receiver([(name, NOT_TAKEN[name])]) as there:
        counts, ((wait_s, reported),) = _deliver(store, AppriseChannel(f"json://127.0.0.1:{there.port}/{SECRET}"))
    assert (counts, wait_s, SECRET in reported) == ((0, 1), FIRST_WAIT_S, False)


def test_a_receiver_without_tls_is_one_that_does_not_answer(store: AlertStore) -> None:
    with misbehaving_receiver([("no HTTP", NOT_TAKEN["no HTTP"])]) as there:
        channel = WebhookChannel(f"https://127.0.0.1:{there.port}/{SECRET}", WEBHOOK_SECRET, PATIENCE_S)
        counts, ((_, reported),) = _deliver(store, channel)
    assert (counts, reported) == ((0, 1), f"{channel.name} did not answer: ConnectError")


@pytest.mark.parametrize(
    "raised",
    [
        TypeError(f"can't compare offset-naive and offset-aware datetimes at {SECRET}"),
        httpx.InvalidURL(SECRET),
        OSError(28, "No space left on device", SECRET),
        UnicodeEncodeError("utf-8", "\ud800", 0, 1, SECRET),
        RecursionError(SECRET),
    ],
)
def test_whatever_a_channel_raises_is_a_delivery_that_failed(raised: Exception, store: AlertStore) -> None:
    class Broken:
        name = "broken"

        def send(self, _message: Message) -> None:
            raise raised

    counts, ((wait_s, reported),) = _deliver(store, Broken())
    assert (counts, wait_s) == ((0, 1), FIRST_WAIT_S)
    assert reported.startswith(
        f"broken has not taken the message: {type(raised).__name__} in {Path(__file__).name}, line "
    )
    assert SECRET not in reported


def test_an_interruption_is_no_delivery_that_failed(store: AlertStore) -> None:
    class Interrupted:
        name = "interrupted"

        def send(self, _message: Message) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _deliver(store, Interrupted())


class Plugin:
    """A stand-in for Apprise's service: hangs until it may end, then raises or says whether it has sent."""

    def __init__(self, outcome: AppriseResultStatus | Exception) -> None:
        self.may_end = Event()
        self.titles: list[str] = []
        self._outcome = outcome

    def notify(self, _body: str, title: str, **_: Any) -> AppriseResult:
        self.titles.append(title)
        self.may_end.wait()
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return AppriseResult(self._outcome)


@pytest.mark.parametrize("outcome", [SENT, AppriseResultStatus.FAILURE, RuntimeError(SECRET)])
def test_a_plugin_that_hangs_is_left_alone_and_asked_later_what_became_of_the_message(
    outcome: AppriseResultStatus | Exception,
) -> None:
    channel = AppriseChannel(f"ntfy://{SECRET}", deadline_s=0.02)
    plugin = Plugin(outcome)
    channel._service = plugin  # type: ignore[assignment]
    for _ in range(2):
        with pytest.raises(ChannelError, match=r"ntfy-\w+ has not taken a message within 0.02 s"):
            channel.send(message())
    plugin.may_end.set()
    channel._deadline_s = 5
    if outcome is SENT:
        channel.send(message())
    else:
        with pytest.raises(type(outcome) if isinstance(outcome, Exception) else ChannelError):
            channel.send(message())
    assert len(plugin.titles) == 1
    if outcome is SENT:
        channel.send(message())
        assert len(plugin.titles) == 2


def test_the_longest_wait_is_counted_from_now() -> None:
    in_a_minute = datetime.now(UTC) + timedelta(seconds=60)
    soon = status("503 Oh", f"Retry-After: {in_a_minute:%a, %d %b %Y %H:%M:%S} GMT")
    with misbehaving_receiver([("soon", soon)]) as there, pytest.raises(ChannelError) as failed:
        WebhookChannel(f"http://127.0.0.1:{there.port}/", WEBHOOK_SECRET, PATIENCE_S).send(message())
    assert 50 <= failed.value.retry_after.total_seconds() <= 60

"""The outbox: what waits for a channel that is down, what does not wait for a message that is refused."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from engagement_assets.alerts.channels import ChannelError, MessageRefusedError
from engagement_assets.alerts.delivery import Backoff, deliver
from engagement_assets.alerts.messages import compose
from engagement_assets.alerts.store import ABANDONED_AFTER, DELIVERED_KEPT, AlertStore
from tests.unit.alerts.alert_outcomes import START, after, lineage, transition


class Place:
    """A channel that fails with the errors it was given."""

    name = "place"

    def __init__(self) -> None:
        self.errors: dict[str, ChannelError] = {}
        self.taken: list[str] = []

    def send(self, message: object) -> None:
        key = message.key  # type: ignore[attr-defined]
        if error := self.errors.get(key, self.errors.get("all")):
            raise error
        self.taken.append(key)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AlertStore]:
    with closing(AlertStore(tmp_path / "alerts.sqlite")) as store:
        for key in ("a", "b", "c"):
            store.record(compose([transition()], lineage(), START, partial(str, key)), ["place"])
        yield store


def _deliver(store: AlertStore, place: Place, at: datetime) -> tuple[int, int]:
    return deliver(store.path, [place], Backoff(draw=lambda: 1.0), lambda: at)


def test_messages_go_in_order_and_once(store: AlertStore) -> None:
    place = Place()
    assert _deliver(store, place, START) == (3, 0)
    assert _deliver(store, place, after(days=1)) == (0, 0)
    assert place.taken == ["a", "b", "c"]


def test_a_channel_that_is_down_is_tried_once_a_while_and_then_gets_all_in_order(store: AlertStore) -> None:
    place = Place()
    place.errors["all"] = ChannelError("down")
    assert _deliver(store, place, START) == (0, 1)
    assert _deliver(store, place, after(seconds=9)) == (0, 0)
    assert _deliver(store, place, after(seconds=10)) == (0, 1)
    assert store.undelivered(["place"]) == [("place", START, "down"), ("place", START, ""), ("place", START, "")]
    place.errors.clear()
    assert _deliver(store, place, after(seconds=29)) == (0, 0)
    assert _deliver(store, place, after(seconds=30)) == (3, 0)
    assert place.taken == ["a", "b", "c"]


@pytest.mark.parametrize("is_down", [False, True])
def test_what_was_recorded_or_tried_while_the_clock_was_ahead_waits_for_no_such_time(
    tmp_path: Path, *, is_down: bool
) -> None:
    place = Place()
    with closing(AlertStore(tmp_path / "ahead.sqlite")) as store:
        store.record(compose([transition()], lineage(), after(days=3), lambda: "early"), ["place"])
        if is_down:
            place.errors["all"] = ChannelError("down")
            assert _deliver(store, place, after(days=3)) == (0, 1)
            place.errors.clear()
        assert _deliver(store, place, START) == (1, 0)
    assert place.taken == ["early"]


def test_a_message_that_is_refused_does_not_keep_the_others_from_going(store: AlertStore) -> None:
    place = Place()
    place.errors["a"] = MessageRefusedError("too large")
    assert _deliver(store, place, START) == (2, 1)
    place.errors.clear()
    assert _deliver(store, place, after(seconds=10)) == (1, 0)
    assert place.taken == ["b", "c", "a"]


def test_what_a_channel_asks_for_is_waited_for(store: AlertStore) -> None:
    place = Place()
    place.errors["all"] = ChannelError("slow down", timedelta(minutes=30))
    assert _deliver(store, place, START) == (0, 1)
    place.errors.clear()
    assert _deliver(store, place, after(minutes=29)) == (0, 0)
    assert _deliver(store, place, after(minutes=30)) == (3, 0)


def test_delivered_messages_are_kept_for_a_while_and_undelivered_ones_while_their_channel_is_named(
    store: AlertStore,
) -> None:
    store.prune(START + DELIVERED_KEPT, 0, ["place"])
    assert len(store.undelivered(["place"])) == 3
    store.prune(START + ABANDONED_AFTER + timedelta(seconds=1), 0, ["another"])
    assert store.undelivered(["place"]) == []


def test_a_message_that_is_refused_for_a_week_is_given_up_and_one_that_waits_is_not(store: AlertStore) -> None:
    place = Place()
    place.errors = {"a": MessageRefusedError("status 400"), "b": ChannelError("down")}
    assert _deliver(store, place, START) == (0, 2)
    store.prune(START + ABANDONED_AFTER, 0, ["place"])
    assert [error for _, _, error in store.undelivered(["place"])] == ["status 400", "down", ""]
    store.prune(START + ABANDONED_AFTER + timedelta(seconds=1), 0, ["place"])
    assert [error for _, _, error in store.undelivered(["place"])] == ["down", ""]

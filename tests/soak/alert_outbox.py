"""The outbox of a soak's alerts, whose receiver misbehaves: what it must say after each run, and in the end.

Belongs here: looking at it, and letting the time pass for which a channel is left alone. Not here: the runs
(`soak.py`).
"""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import msgspec

from engagement_assets.alerts.alerting import Alerting
from engagement_assets.alerts.store import AlertStore
from engagement_assets.settings import Settings
from tests.integration.misbehaving_receiver import MisbehavingReceiver

LONGEST_WAIT = timedelta(hours=6)
SHORTEST_WAIT = timedelta(seconds=5)


def let_the_wait_pass(settings: Settings) -> None:
    """Days lie between two runs of a soak, and seconds in truth: what waits for its channel is due again."""
    path = Alerting.of(settings).store_path
    if path.exists():
        with closing(sqlite3.connect(path)) as store, store:
            store.execute("update deliveries set next_at = ? where delivered_at is null", (_text(datetime.now(UTC)),))


def assert_what_was_not_taken_waits(settings: Settings, since: datetime) -> None:
    """Every try since an instant that failed has left its message to wait, not shorter and not longer than is meant."""
    path = Alerting.of(settings).store_path
    if not path.exists():
        return  # killed before it began
    with closing(sqlite3.connect(path)) as store:
        waiting = store.execute(
            "select next_at, error from deliveries where delivered_at is null and attempts > 0 and next_at > ?",
            (_text(since),),
        ).fetchall()
    for next_at, error in waiting:
        assert datetime.fromisoformat(next_at) >= since + SHORTEST_WAIT, error
        assert datetime.fromisoformat(next_at) <= datetime.now(UTC) + LONGEST_WAIT, error
        assert error.startswith("webhook-"), error


def assert_every_alert_is_delivered_or_waits(settings: Settings, there: MisbehavingReceiver) -> None:
    """Console and file have taken all alerts, the receiver those that it said to have taken; the others wait for it."""
    alerting = Alerting.of(settings)
    console, file, webhook = (channel.name for channel in alerting.channels)
    with closing(AlertStore(alerting.store_path)) as store:
        told = {message.key for message in store.messages()}
        waiting = {delivery.message.key for delivery in store.outbox(webhook)}
        assert store.outbox(console) == store.outbox(file) == []
    lines = (alerting.folder / "alerts.jsonl").read_text(encoding="utf-8").splitlines()
    assert {msgspec.json.decode(line)["key"] for line in lines} == told
    # A message may be in both: a run that was killed has not noted what was taken.
    assert told <= waiting | set(there.taken)
    assert there.taken


def _text(moment: datetime) -> str:
    """As the store writes it."""
    return moment.isoformat(timespec="microseconds")

"""Alerts from a real daemon to a server that plays Slack and a webhook: each transition arrives, once."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from engagement_assets.commands.dagster_home import prepare_dagster_home
from engagement_assets.settings import PROJECT_ROOT, Settings
from tests.integration.alert_location import BREAKS_TAG, NOTES, Fails, environment, raw_notes, run
from tests.integration.alert_receiver import WEBHOOK_SECRET, Receiver, receiver

pytestmark = pytest.mark.integration

DAY = "2024-01-03"
ANOTHER_DAY = "2024-01-04"
BACKFILL_DAYS = [f"2024-02-{day:02}" for day in range(1, 29)] + ["2024-01-30", "2024-01-31"]
CHANNELS = ("slack", "webhook")
# Dagster's own command; it looks at its sensors once a second instead of every five.
IMPATIENT_DAEMON = """
from dagster._daemon import sensor
from dagster._daemon.cli import main

sensor.MIN_INTERVAL_LOOP_TIME = 1
main()
"""

# State, check or step, partitions.
Change = tuple[str, str, tuple[str, ...]]


@contextmanager
def daemon(settings: Settings) -> Iterator[Callable[[], None]]:
    """Dagster's daemon on the tests' code location; yields what kills it, with all its processes."""
    log = (settings.dagster_home / "daemon.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "-c", IMPATIENT_DAEMON, "run", "-m", "tests.integration.alert_location"],
        cwd=PROJECT_ROOT,
        env=environment(settings) | {"PYTHONPATH": str(PROJECT_ROOT)},
        stdout=log,
        stderr=log,
        start_new_session=True,
    )

    def kill() -> None:
        os.killpg(process.pid, signal.SIGKILL)

    try:
        yield kill
    finally:
        if process.poll() is None:
            kill()
        process.wait()
        log.close()


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as listening:
        yield listening


@pytest.fixture
def settings(there: Receiver, tmp_path: Path) -> Settings:
    settings = Settings(
        _env_file=None,
        landing_uri=str(tmp_path / "landing"),
        dagster_home=tmp_path / "dagster_home",
        alert_urls=there.urls,
        alert_webhook_secret=WEBHOOK_SECRET,
        alert_interval_s=1,
    )
    prepare_dagster_home(settings)
    return settings


@dataclass
class Story:
    """What has been told so far, and the cases that told it."""

    there: Receiver
    record_alert_case: Callable[..., None]
    messages: int = 0

    def tells(self, case: str, *expected: list[Change]) -> list[dict[str, Any]]:
        """Wait for the messages of a case, and see that both channels got exactly these."""
        self.messages += len(expected)
        for channel in CHANNELS:
            self.there.wait_until(partial(self._has_all, channel))
        new = list(self.there.by_key("webhook").values())[self.messages - len(expected) : self.messages]
        told = [[(item["state"], item["name"], tuple(item["partitions"])) for item in body["items"]] for body in new]
        assert told == list(expected)
        self.record_alert_case(
            case,
            transitions=sum(map(len, expected)),
            messages=len(expected),
            received={channel: self.there.deliveries(channel) for channel in CHANNELS},
            distinct={channel: len(self.there.by_key(channel)) for channel in CHANNELS},
        )
        return new

    def _has_all(self, channel: str) -> bool:
        return len(self.there.by_key(channel)) >= self.messages


def test_each_transition_arrives_once(
    settings: Settings, there: Receiver, record_alert_case: Callable[..., None]
) -> None:
    story = Story(there, record_alert_case)
    with dg.DagsterInstance.get() as instance:
        with daemon(settings) as kill:
            run(instance, DAY, holds_00=Fails("WARN", (DAY,)))
            story.tells("a check fails", [("opened", "holds_00", (DAY,))])
            run(instance, DAY, holds_00=Fails("WARN", (DAY,)))
            run(instance, DAY, holds_00=Fails("ERROR", (DAY,)))
            (escalated,) = story.tells("it fails again, then with an error", [("escalated", "holds_00", (DAY,))])
            assert escalated["items"][0]["times_failed"] == 3
            run(instance, ANOTHER_DAY)
            run(instance, DAY)
            run(instance, DAY, holds_01=Fails("ERROR", (DAY,)), adds_up=Fails())
            story.tells(
                "another day passes, the day is mended; two checks fail in one run",
                [("resolved", "holds_00", (DAY,))],
                [("opened", "holds_01", (DAY,)), ("opened", "adds_up", (DAY,))],
            )
            there.statuses["slack"] = 503
            run(instance, DAY)
            there.wait_until(lambda: "slack" in there.refused)
            kill()

        there.statuses.clear()
        there.before_answer = lambda channel, body: kill() if channel == "webhook" and b"toy_table" in body else None
        run(instance, DAY, tags={BREAKS_TAG: "no space left"})
        with daemon(settings) as kill:
            mended = [("resolved", "holds_01", (DAY,)), ("resolved", "adds_up", (DAY,))]
            there.wait_until(lambda: "opened" in {state for state, name, _ in there.changes() if name == "toy_table"})
        # Killed between sending and marking: it is sent again, with the same key.
        there.before_answer = lambda _channel, _body: None

        backfill = PartitionBackfill("thirty", BulkActionStatus.REQUESTED, False, {}, 0.0, asset_selection=[NOTES])
        instance.add_backfill(backfill)
        bad = BACKFILL_DAYS[4:28:2]
        for day in BACKFILL_DAYS:
            fails = {"are_legible": Fails("ERROR", (day,))} if day in bad else {}
            run(instance, day, assets=[raw_notes], tags={"dagster/backfill": "thirty"}, **fails)
        instance.update_backfill(backfill.with_status(BulkActionStatus.COMPLETED_FAILED))
        with daemon(settings):
            story.tells("Slack is down for a while, and the daemon killed meanwhile", mended)
            story.tells(
                "a step fails; the daemon is killed between sending and marking", [("opened", "toy_table", (DAY,))]
            )
            (digest,) = story.tells(
                "a backfill of 30 partitions with 12 failures", [("opened", "are_legible", tuple(sorted(bad)))]
            )
    assert [len(there.by_key(channel)) for channel in CHANNELS] == [story.messages, story.messages]
    assert (digest["is_digest"], digest["failures"], digest["counts"]["asset"]) == (True, 12, {"raw_toy/notes": 12})
    assert there.deliveries("webhook") > len(there.by_key("webhook"))

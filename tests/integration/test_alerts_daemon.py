"""Alerts from a real daemon to a webhook and to a service of Apprise: each transition arrives, once."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import AssetCheckEvaluation
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from engagement_assets.instance.home import prepare_dagster_home
from engagement_assets.settings import Settings
from tests.integration.alert_daemon import TICK_IS_OVER, daemon, hasty_dagster
from tests.integration.alert_location import BREAKS_TAG, EVENTS, NOTES, Fails, raw_notes, run, toy_table
from tests.integration.alert_receiver import WEBHOOK_SECRET, Receiver, receiver

pytestmark = pytest.mark.integration

DAY = "2024-01-03"
ANOTHER_DAY = "2024-01-04"
BACKFILL_DAYS = [f"2024-02-{day:02}" for day in range(1, 29)] + ["2024-01-30", "2024-01-31"]
BURST = 1_000
CHANNELS = ("json", "webhook")
FEWEST_KILLS = 10

# State, check or step, partitions.
Change = tuple[str, str, tuple[str, ...]]
RecordAlertCase = Callable[..., None]


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as listening:
        yield listening


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    prepare_dagster_home(settings)
    with hasty_dagster(), dg.DagsterInstance.get() as instance:
        yield instance


@pytest.fixture
def settings(there: Receiver, tmp_path: Path) -> Settings:
    return Settings(
        _env_file=None,
        landing_uri=str(tmp_path / "landing"),
        dagster_home=tmp_path / "dagster_home",
        alert_urls=there.urls,
        alert_webhook_secret=WEBHOOK_SECRET,
        alert_interval_s=1,
    )


@dataclass
class Story:
    """What has been reported so far, and by which cases."""

    there: Receiver
    record_alert_case: RecordAlertCase
    messages: int = 0

    def reports(self, case: str, *expected: list[Change]) -> list[dict[str, Any]]:
        """Wait for the messages of a case, and see that both channels got exactly these.

        That a case reports nothing shows when the next one does.
        """
        self.messages += len(expected)
        for channel in CHANNELS:
            self.there.wait_until(partial(self._has_all, channel))
        new = list(self.there.by_key("webhook").values())[self.messages - len(expected) : self.messages]
        reported = [
            [(item["state"], item["name"], tuple(item["partitions"])) for item in body["items"]] for body in new
        ]
        assert reported == list(expected)
        self.record(case, transitions=sum(map(len, expected)), messages=len(expected))
        return new

    def record(self, case: str, *, transitions: int, messages: int) -> None:
        """Put a case into the table."""
        self.record_alert_case(
            case,
            transitions=transitions,
            messages=messages,
            received={channel: self.there.deliveries(channel) for channel in CHANNELS},
            distinct={channel: len(self.there.by_key(channel)) for channel in CHANNELS},
        )

    def _has_all(self, channel: str) -> bool:
        return len(self.there.by_key(channel)) >= self.messages


def test_each_transition_arrives_once(
    settings: Settings, instance: dg.DagsterInstance, there: Receiver, record_alert_case: RecordAlertCase
) -> None:
    story = Story(there, record_alert_case)
    with daemon(settings):
        run(instance, DAY, holds_00=Fails("WARN", (DAY,)))
        story.reports("a check fails", [("opened", "holds_00", (DAY,))])
    with daemon(settings, clock_ahead=timedelta(hours=25)):
        story.reports("25 hours later, with a restarted daemon", [("still failing", "holds_00", (DAY,))])
    with daemon(settings) as at_work:
        run(instance, DAY, holds_00=Fails("WARN", (DAY,)))
        story.reports("it fails again")
        run(instance, DAY, holds_00=Fails("ERROR", (DAY,)))
        (escalated,) = story.reports("it fails with an error", [("escalated", "holds_00", (DAY,))])
        assert escalated["items"][0]["times_failed"] == 3
        run(instance, ANOTHER_DAY)
        story.reports("another day passes")
        run(instance, DAY)
        story.reports("the day is fixed", [("resolved", "holds_00", (DAY,))])
        run(instance, DAY, holds_01=Fails("ERROR", (DAY,)), adds_up=Fails())
        story.reports("two checks fail in one run", [("opened", "holds_01", (DAY,)), ("opened", "adds_up", (DAY,))])
        there.statuses["json"] = 503
        run(instance, DAY)
        there.wait_until(lambda: "json" in there.refused and there.changes()[-1][0] == "resolved")
        at_work.kill()

    there.statuses.clear()
    run(instance, DAY, tags={BREAKS_TAG: "no space left"})
    with daemon(settings):
        fixed: list[Change] = [("resolved", "holds_01", (DAY,)), ("resolved", "adds_up", (DAY,))]
        story.reports(
            "Apprise's service is down, the daemon killed meanwhile; then a step fails",
            fixed,
            [("opened", "toy_table", (DAY,))],
        )
        bad = sorted(BACKFILL_DAYS[4:28:2])
        _backfill(instance, bad)
        in_ranges = (*bad[:5], "and 7 more days")
        (reported,) = story.reports(
            "a backfill of 30 partitions with 12 failures", [("opened", "are_legible", in_ranges)]
        )
        assert (reported["is_digest"], reported["failures"]) == (False, 1)
        assert reported["counts"]["asset"] == {"raw_toy/notes": 1}
        _see_a_burst(instance, story)
    assert [len(there.by_key(channel)) for channel in CHANNELS] == [story.messages, story.messages]


def _backfill(instance: dg.DagsterInstance, bad: list[str]) -> None:
    """A backfill of one run per day, in which these days fail."""
    backfill = PartitionBackfill("thirty", BulkActionStatus.REQUESTED, False, {}, 0.0, asset_selection=[NOTES])
    instance.add_backfill(backfill)
    for day in BACKFILL_DAYS:
        fails = {"are_legible": Fails("ERROR", (day,))} if day in bad else {}
        run(instance, day, assets=[raw_notes], tags={"dagster/backfill": "thirty"}, **fails)
    instance.update_backfill(backfill._replace(status=BulkActionStatus.COMPLETED_FAILED))


def _see_a_burst(instance: dg.DagsterInstance, story: Story) -> None:
    """Every fourth of many results fails; the daemon reads while they come in, and reports each failure once."""
    there, before = story.there, story.messages

    def reported() -> list[int]:
        messages = list(there.by_key("webhook").values())[before:]
        return [body["counts"]["state"].get("opened", 0) for body in messages]

    failures = range(0, BURST, 4)
    for number in range(BURST):
        instance.report_runless_asset_event(
            AssetCheckEvaluation(asset_key=EVENTS, check_name=f"burst_{number}", passed=number not in failures)
        )
    there.wait_until(lambda: sum(reported()) >= len(failures))
    there.wait_until(lambda: len(there.by_key("json")) == len(there.by_key("webhook")))
    story.messages += len(reported())
    story.record(
        f"{BURST:,} check results in a burst, a quarter of them failures",
        transitions=sum(reported()),
        messages=len(reported()),
    )
    run(instance, DAY)
    story.reports("the step works again", [("resolved", "toy_table", (DAY,))])
    assert sum(reported()) == len(failures)


def test_a_daemon_that_is_killed_before_each_step_of_a_tick_loses_and_doubles_nothing(
    settings: Settings, instance: dg.DagsterInstance, there: Receiver, record_alert_case: RecordAlertCase
) -> None:
    survived: list[str] = []
    expected: list[Change] = []
    while TICK_IS_OVER not in survived:
        fails = {} if len(survived) % 2 else {"adds_up": Fails()}
        run(instance, DAY, assets=[toy_table], tags=None, **fails)
        expected.append(("opened" if fails else "resolved", "adds_up", (DAY,)))
        with daemon(settings, survived=survived) as at_work:
            survived.append(at_work.died_before())
    assert there.changes() == expected
    assert len(there.by_key("json")) == len(expected)
    assert len(survived) > FEWEST_KILLS
    for channel in CHANNELS:
        # Killed after it was sent and before it was marked: it is sent again, with its key.
        assert f"update deliveries set of {channel}" in survived
        marks = sum(step.startswith("update deliveries") for step in survived)
        assert len(expected) < there.deliveries(channel) <= len(expected) + marks
    deliveries = Counter((channel, key) for channel, key, _ in there.taken)
    keys_of_messages = zip(*(there.by_key(channel) for channel in CHANNELS), strict=True)
    for step, keys in zip(survived, keys_of_messages, strict=True):
        record_alert_case(
            "the daemon lives on" if step == TICK_IS_OVER else f"the daemon is killed before: {step}",
            transitions=1,
            messages=1,
            received={channel: deliveries[channel, key] for channel, key in zip(CHANNELS, keys, strict=True)},
            distinct=dict.fromkeys(CHANNELS, 1),
        )

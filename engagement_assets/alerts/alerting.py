"""One round of the alerts' work: read what ended, record what is new, send what is due.

Belongs here: the order of the steps, and what is written together. Not here: who calls it (`sensor.py` in the daemon,
`commands/range_run.py` in a shell), and what the steps do.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from filelock import FileLock, Timeout

from engagement_assets.alerts.channels import Channel, channels_of
from engagement_assets.alerts.delivery import Backoff, deliver
from engagement_assets.alerts.incidents import Kind, Outcome, Transition, follow, remind
from engagement_assets.alerts.lineage import Lineage, Links
from engagement_assets.alerts.messages import compose
from engagement_assets.alerts.run_results import Results, unread_results, watch_new_runs
from engagement_assets.alerts.store import FIX_THE_DISK, STORE_FILE, AlertStore, AlertStoreError, alert_store
from engagement_assets.settings import Settings

SENSOR = "sensor"
SHELL = "shell"
# After reading for this long, a round sends what it has found and leaves the rest to the next one. The daemon gives up
# on a sensor after 60 s, and sending has a limit of its own.
LONGEST_READING = timedelta(seconds=20)


class AlertsBusyError(RuntimeError):
    """Another process is doing this work now, and does all that there is to do."""


@dataclass(frozen=True)
class Round:
    """What one round did: runs read, messages recorded, messages that channels took and did not take."""

    runs_read: int
    recorded: int
    sent: int
    failed: int


@dataclass(frozen=True)
class Alerting:
    """The alerts of one deployment. `folder` holds everything that they remember.

    `troubles` are sentences about places in `ALERT_URLS` that get no alert.
    """

    folder: Path
    links: Links
    repeat_after: timedelta
    channels: Sequence[Channel]
    backoff: Backoff = field(default_factory=Backoff)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    troubles: Sequence[str] = ()

    @classmethod
    def of(cls, settings: Settings) -> "Alerting":
        """The alerts as the settings describe them. A mistake in one URL leaves all other places as they are."""
        folder = alerts_folder(settings)
        channels, troubles = channels_of(settings, folder)
        return cls(
            folder=folder,
            links=Links(settings.dagster_ui_url, settings.runbook_url),
            repeat_after=timedelta(hours=settings.alert_repeat_hours),
            channels=channels,
            troubles=troubles,
        )

    @property
    def store_path(self) -> Path:
        """The file of the store."""
        return self.folder / STORE_FILE

    def work(self, instance: dg.DagsterInstance, graph: AssetGraph, worker: str, wait_s: float = 0) -> Round:
        """Do one round for `worker`, after waiting up to `wait_s` seconds for another process that is at work.

        Raises:
            AlertsBusyError: another process was at work all this time.
            AlertStoreError: the store cannot be used.
        """
        with self._alone(wait_s), alert_store(self.store_path) as store:
            return self._work(store, instance, Lineage(graph, self.links), worker)

    def _alone(self, wait_s: float) -> AbstractContextManager[object]:
        """The lock of this work, held."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return FileLock(self.folder / "alerts.lock", timeout=wait_s).acquire()
        except Timeout as error:
            raise AlertsBusyError(f"another process holds {error.lock_file}") from error
        except (OSError, NotImplementedError) as error:
            # NotImplementedError where the file system has no locks.
            raise AlertStoreError(f"{self.folder} cannot be used: {error}. {FIX_THE_DISK}") from error

    def _work(self, store: AlertStore, instance: dg.DagsterInstance, lineage: Lineage, worker: str) -> Round:
        now = self.now()
        with store.transaction():
            newest_run = watch_new_runs(instance, store, now)
        runs_read = recorded = 0
        for results in unread_results(instance, store, lineage, now):
            recorded += self.record(store, results, lineage)
            runs_read += len(results.run_ids)
            if self.now() > now + LONGEST_READING:
                break
        recorded += self.record_reminders(store, lineage)
        sent, failed = deliver(store.path, self.channels, self.backoff, self.now)
        with store.transaction():
            store.prune(now, newest_run, [channel.name for channel in self.channels])
            store.beat(worker, self.now())
        return Round(runs_read, recorded, sent, failed)

    def record(self, store: AlertStore, results: Results, lineage: Lineage) -> int:
        """Follow results and put what is new into the outbox, in one transaction; how many messages were recorded."""
        now = self.now()
        with store.transaction():
            transitions = [transition for batch in results.batches for transition in _follow(store, batch, now)]
            store.mark_read(results.run_ids, now)
            store.mark_events_read(results.events)
            return self._enqueue(store, transitions, lineage, now)

    def record_reminders(self, store: AlertStore, lineage: Lineage) -> int:
        """Put a reminder of what still fails into the outbox when it is due; how many messages were recorded."""
        now = self.now()
        with store.transaction():
            reminders = [remind(incident, self.repeat_after, now) for incident in store.incidents().values()]
            due = [reminder for reminder in reminders if reminder]
            for reminder in due:
                store.keep_incident(reminder.incident)
            return self._enqueue(store, due, lineage, now)

    def _enqueue(self, store: AlertStore, transitions: Sequence[Transition], lineage: Lineage, now: datetime) -> int:
        if transitions:
            store.record(compose(transitions, lineage, now), [channel.name for channel in self.channels])
        return int(bool(transitions))


def alerts_folder(settings: Settings) -> Path:
    """Where the alerts keep their store, their lock and the file of messages."""
    return settings.dagster_home / "alerts"


def _follow(store: AlertStore, outcomes: Sequence[Outcome], now: datetime) -> list[Transition]:
    """Update each incident with these outcomes."""
    incidents = store.incidents()
    transitions = []
    by_subject = sorted(outcomes, key=lambda outcome: outcome.subject)
    for subject, group in groupby(by_subject, key=lambda outcome: outcome.subject):
        before = incidents.get(subject)
        after, transition = follow(before, list(group), store.is_superseded, now)
        if after is not None:
            store.keep_incident(after)
        elif before is not None:
            store.forget_incident(subject)
        if transition is not None:
            transitions.append(transition)
    store.keep_evaluations(outcome for outcome in outcomes if outcome.subject.kind == Kind.CHECK)
    return transitions

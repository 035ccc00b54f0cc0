"""One round of the alerts' work: read what ended, record what is new, send what is due.

Belongs here: the order of the steps and what is written together. Not here: who calls it (`sensor.py` in the daemon,
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
from engagement_assets.alerts.incidents import Change, Kind, Outcome, Severity, Transition, follow, remind
from engagement_assets.alerts.lineage import Lineage, Links
from engagement_assets.alerts.messages import compose, severity_of
from engagement_assets.alerts.run_results import Results, unread_results, watch_new_runs
from engagement_assets.alerts.store import MEND_THE_DISK, STORE_FILE, AlertStore, AlertStoreError, alert_store
from engagement_assets.alerts.timing import Timing
from engagement_assets.settings import Settings

SENSOR = "sensor"
SHELL = "shell"
# After so much reading of results what was found is sent; the rest is for the next round. The daemon gives up on a
# sensor after 60 s, and sending has its own limit.
LONGEST_READING = timedelta(seconds=20)


class AlertsBusyError(RuntimeError):
    """Another process is at this work now; what there is to do, it does."""


@dataclass(frozen=True)
class Round:
    """What one round did: runs read, messages recorded, messages that channels took and did not take."""

    runs_read: int
    recorded: int
    sent: int
    failed: int


@dataclass(frozen=True)
class Alerting:
    """The alerts of one deployment; `folder` holds all that they remember.

    `troubles` are sentences on places that `ALERT_URLS` names and that get no alert.
    """

    folder: Path
    links: Links
    timing: Timing
    channels: Sequence[Channel]
    backoff: Backoff = field(default_factory=Backoff)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    troubles: Sequence[str] = ()

    @classmethod
    def of(cls, settings: Settings) -> "Alerting":
        """The alerts as the settings describe them; a slip in a URL takes no other place away."""
        folder = alerts_folder(settings)
        channels, troubles = channels_of(settings, folder)
        return cls(
            folder=folder,
            links=Links(settings.dagster_ui_url, settings.runbook_url),
            timing=Timing.of(settings),
            channels=channels,
            troubles=troubles,
        )

    @property
    def store_path(self) -> Path:
        """The file of the store."""
        return self.folder / STORE_FILE

    def work(self, instance: dg.DagsterInstance, graph: AssetGraph, worker: str, wait_s: float = 0) -> Round:
        """Do one round; `worker` is who asks for it, `wait_s` how long to wait for another process.

        Raises:
            AlertsBusyError: another process was at it all this time.
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
            # The latter where a file system has no locks.
            raise AlertStoreError(f"{self.folder} cannot be used: {error}. {MEND_THE_DISK}") from error

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
        recorded += self.record_what_time_brings(store, lineage)
        sent, failed = deliver(store.path, self.channels, self.backoff, self.now)
        with store.transaction():
            store.prune(now, newest_run, [channel.name for channel in self.channels])
            store.beat(worker, self.now())
        return Round(runs_read, recorded, sent, failed)

    def record(self, store: AlertStore, results: Results, lineage: Lineage) -> int:
        """Follow results, and put what is new of them into the outbox, in one transaction; messages recorded."""
        now = self.now()
        with store.transaction():
            transitions = [transition for batch in results.batches for transition in _follow(store, batch, now)]
            store.mark_read(results.run_ids, now)
            store.mark_events_read(results.events)
            return self._enqueue(store, transitions, lineage, now)

    def record_what_time_brings(self, store: AlertStore, lineage: Lineage) -> int:
        """Remind of what goes on failing, and put the digest of warnings together when it is due."""
        now = self.now()
        with store.transaction():
            transitions = []
            for incident in store.incidents().values():
                if reminded := remind(incident, self.timing.repeat_after, now):
                    store.keep_incident(reminded[0])
                    transitions.append(reminded[1])
            recorded = self._enqueue(store, transitions, lineage, now)
            due = self.timing.last_digest(now)
            if due is not None and (waiting := store.take_waiting(due)):
                store.record(compose(waiting, lineage, now), self.timing.warnings_go_at(now), self._channel_names)
                recorded += 1
        return recorded

    @property
    def _channel_names(self) -> list[str]:
        return [channel.name for channel in self.channels]

    def _enqueue(self, store: AlertStore, transitions: Sequence[Transition], lineage: Lineage, now: datetime) -> int:
        """One message of all that goes out now, and one of what waits: warnings, and that they are over.

        A warning comes along with an error of its run. That one is over never does: it must not overtake the warning.
        """
        go_at = self.timing.warnings_go_at(now)
        by_digest = self.timing.last_digest(now) is not None
        if severity_of(transitions) == Severity.WARN:
            told, waiting = [], list(transitions)
        elif by_digest or go_at > now:
            told = [transition for transition in transitions if not _is_over_and_was_a_warning(transition)]
            waiting = [transition for transition in transitions if _is_over_and_was_a_warning(transition)]
        else:
            told, waiting = list(transitions), []
        if by_digest:
            store.wait_for_digest(waiting, now)
            waiting = []
        recorded = 0
        for part, not_before in ((told, now), (waiting, go_at)):
            if part:
                store.record(compose(part, lineage, now), not_before, self._channel_names)
                recorded += 1
        return recorded


def _is_over_and_was_a_warning(transition: Transition) -> bool:
    return transition.change == Change.RESOLVED and transition.incident.severity == Severity.WARN


def alerts_folder(settings: Settings) -> Path:
    """Where the alerts keep their store, their lock and the file of messages."""
    return settings.dagster_home / "alerts"


def _follow(store: AlertStore, outcomes: Sequence[Outcome], now: datetime) -> list[Transition]:
    """Take each incident on to what these outcomes make of it."""
    incidents = store.incidents()
    transitions = []
    by_subject = sorted(outcomes, key=lambda outcome: outcome.subject)
    for subject, group in groupby(by_subject, key=lambda outcome: outcome.subject):
        told = list(group)
        before = incidents.get(subject)
        after, transition = follow(before, told, store.is_superseded, now)
        if after is not None:
            store.keep_incident(after)
        elif before is not None:
            store.forget_incident(subject)
        if transition is not None:
            transitions.append(transition)
    store.keep_evaluations(outcome for outcome in outcomes if outcome.subject.kind == Kind.CHECK)
    return transitions

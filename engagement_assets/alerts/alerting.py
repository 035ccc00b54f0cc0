"""One round of the alerts' work: read what ended, record what is new, send what is due.

Belongs here: the order of the steps, what is written together, and the sensor that calls it in the daemon. Not here:
what calls it in a shell (`commands/range_run.py`), and what the steps do.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import groupby
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout

from engagement_assets.alerts.channels import Channel, channels_of
from engagement_assets.alerts.delivery import Backoff, deliver
from engagement_assets.alerts.incidents import Kind, Outcome, Transition, follow, remind
from engagement_assets.alerts.lineage import Lineage, Links
from engagement_assets.alerts.messages import compose
from engagement_assets.alerts.run_results import Results, outcomes_of_run, unread_results, watch_new_runs
from engagement_assets.alerts.store import FIX_THE_DISK, IN_MEMORY, STORE_FILE, AlertStore, AlertStoreError, alert_store
from engagement_assets.dagster_internals import AssetGraph
from engagement_assets.settings import Settings

ALERT_SENSOR = "alert_sensor"
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
    """The alerts of one deployment, which remember in `folder`; `troubles` say which of `ALERT_URLS` get no alert."""

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
        with alone(self.folder, wait_s), alert_store(self.store_path) as store:
            return self._work(store, instance, Lineage(graph, self.links), worker)

    def _work(self, store: AlertStore, instance: dg.DagsterInstance, lineage: Lineage, worker: str) -> Round:
        now = self.now()
        newest_run, runs_read, recorded = self._read(store, instance, lineage, now)
        recorded += self.record_reminders(store, lineage)
        sent, failed = deliver(store.path, self.channels, self.backoff, self.now)
        with store.transaction():
            store.prune(now, newest_run, [channel.name for channel in self.channels])
            store.beat(worker, self.now())
        return Round(runs_read, recorded, sent, failed)

    @contextmanager
    def foreseen(self, instance: dg.DagsterInstance, graph: AssetGraph, run_id: str) -> Iterator[AlertStore]:
        """A copy of the store that knows what the next round will read, and what a run in progress has found so far.

        Nothing is written or sent. Without a `run_id` there is no such run.

        Raises:
            AlertStoreError: the store cannot be used.
        """
        path = self.store_path if self.store_path.exists() else IN_MEMORY
        with alert_store(path) as kept, closing(kept.copy()) as store:
            lineage = Lineage(graph, self.links)
            self._read(store, instance, lineage, self.now())
            if record := instance.get_run_record_by_id(run_id):
                found = outcomes_of_run(instance, record, lineage)
                # Whether the run itself ends well is not known yet.
                self.record(store, Results([[each for each in found if each.subject.kind != Kind.RUN]]), lineage)
            yield store

    def _read(
        self, store: AlertStore, instance: dg.DagsterInstance, lineage: Lineage, now: datetime
    ) -> tuple[int, int, int]:
        """Follow what ended: the newest run, how many runs were read, how many messages were recorded."""
        with store.transaction():
            newest_run = watch_new_runs(instance, store, now)
        runs_read = recorded = 0
        for results in unread_results(instance, store, lineage, now):
            recorded += self.record(store, results, lineage)
            runs_read += len(results.run_ids)
            if self.now() > now + LONGEST_READING:
                break
        return newest_run, runs_read, recorded

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
            reminders = (remind(incident, self.repeat_after, now) for incident in store.incidents().values())
            due = [reminder for reminder in reminders if reminder]
            for reminder in due:
                store.keep_incident(reminder.incident)
            return self._enqueue(store, due, lineage, now)

    def _enqueue(self, store: AlertStore, transitions: Sequence[Transition], lineage: Lineage, now: datetime) -> int:
        if transitions:
            store.record(compose(transitions, lineage, now), [channel.name for channel in self.channels])
        return int(bool(transitions))


def alone(folder: Path, wait_s: float) -> AbstractContextManager[object]:
    """The lock of all work in the folder of the alerts, held; raises what `Alerting.work` does."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / "alerts.lock", timeout=wait_s).acquire()
    except Timeout as error:
        raise AlertsBusyError(f"another process holds {error.lock_file}") from error
    except (OSError, NotImplementedError) as error:
        # NotImplementedError where the file system has no locks.
        raise AlertStoreError(f"{folder} cannot be used: {error}. {FIX_THE_DISK}") from error


def alerts_folder(settings: Settings) -> Path:
    """Where the alerts keep their store, their lock and the file of messages."""
    return settings.dagster_home / "alerts"


def alert_sensor(settings: Settings) -> dg.SensorDefinition:
    """Reads the runs that ended and sends what is new, every `ALERT_INTERVAL_S` seconds; it is on from the start.

    What the work raises fails the tick, which shows the reason in the UI, and the next tick tries again; no run waits
    for either. This is a plain sensor that keeps its own record, because Dagster's `run_status_sensor` moves its cursor
    on even when its function raises, so an outage would lose the alert.
    """
    alerting = cache(lambda: Alerting.of(settings))

    @dg.sensor(
        name=ALERT_SENSOR,
        minimum_interval_seconds=settings.alert_interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reports checks that fail, keep failing, get worse and pass again, and runs that fail.",
    )
    def report(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        assert context.repository_def is not None  # noqa: S101 - the daemon always provides one
        try:
            done = alerting().work(context.instance, context.repository_def.asset_graph, SENSOR)
        except AlertsBusyError as busy:
            return dg.SkipReason(f"left to another process: {busy}")
        counts = (
            f"{done.runs_read} runs read, {done.recorded} messages recorded, {done.sent} sent, {done.failed} failed"
        )
        return dg.SkipReason("; ".join([counts, *alerting().troubles]))

    return report


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

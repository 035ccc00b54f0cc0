"""What Dagster's runs came to: every check that was evaluated, planned and not evaluated, every step that failed.

Belongs here: reading run records and events, and turning them into outcomes. Not here: what follows from an outcome
(`incidents.py`).

Runs are walked by their storage id and watched until they end: only then are their events complete. No clock is
involved, so a clock that is set back hides no run.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster import AssetCheckEvaluation, AssetCheckSeverity, DagsterEventType, DagsterRun, DagsterRunStatus
from dagster._core.event_api import EventLogCursor
from dagster._core.events.log import EventLogEntry
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES
from dagster._core.execution.plan.objects import ErrorSource
from dagster._core.instance import RUNLESS_RUN_ID
from dagster._core.storage.dagster_run import FINISHED_STATUSES, RunRecord
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    BACKFILL_ID_TAG,
    PARTITION_NAME_TAG,
)

from engagement_assets.alerts.incidents import EVERYTHING, WHOLE, Finding, Judged, Kind, Outcome, Severity, Subject
from engagement_assets.alerts.lineage import Lineage
from engagement_assets.alerts.store import RUN_OVERLAP, AlertStore
from engagement_assets.contracts import check_metadata
from engagement_assets.day_ranges import days_of_interval
from engagement_assets.shown_text import shown

# When the alerts begin their work somewhere, they look back this far.
FIRST_LOOK_BACK = timedelta(days=1)
# Events that belong to no run may become visible out of order for this long.
EVENTS_SETTLE_WITHIN = timedelta(minutes=5)
# The failures of a backfill are one message, unless it takes longer than this after its first run has ended.
BACKFILL_PATIENCE = timedelta(hours=1)
NEWEST_RUN = "newest_run"
NO_DESCRIPTION = "the check failed; it gives no description"

_READ = {
    DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
    DagsterEventType.ASSET_CHECK_EVALUATION,
    DagsterEventType.STEP_SUCCESS,
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.RUN_FAILURE,
}
_PAGE = 100


@dataclass(frozen=True)
class Results:
    """What is told together: of a run, of a backfill's runs, or of evaluations that belong to no run.

    `batches` are outcomes that are followed as one: of a run or backfill all, without a run each by itself.
    """

    batches: list[list[Outcome]]
    run_ids: list[str] = field(default_factory=list)
    events: list[tuple[int, datetime]] = field(default_factory=list)


def watch_new_runs(instance: dg.DagsterInstance, store: AlertStore, now: datetime) -> int:
    """Watch every run that has appeared since the last time; the storage id of the newest is returned."""
    known = store.fact(NEWEST_RUN)
    newest = 0
    cursor: str | None = None
    while True:
        page = instance.get_run_records(limit=_PAGE, cursor=cursor)
        newest = max([newest, *(record.storage_id for record in page)])
        runs = [
            record
            for record in page
            if known is not None or not _is_finished(record) or _ended_at(record) >= now - FIRST_LOOK_BACK
        ]
        store.watch(
            (record.dagster_run.run_id, record.storage_id, record.dagster_run.tags.get(BACKFILL_ID_TAG, ""))
            for record in runs
        )
        if len(page) < _PAGE or page[-1].storage_id <= int(known or 0) - RUN_OVERLAP:
            break
        cursor = page[-1].dagster_run.run_id
    store.remember(NEWEST_RUN, str(newest))
    return newest


def unread_results(
    instance: dg.DagsterInstance, store: AlertStore, lineage: Lineage, now: datetime
) -> Iterator[Results]:
    """The results of the runs that have ended and have not been read, as they ended; then those without a run."""
    backfill_of = {run.run_id: run.backfill_id for run in store.watched()}
    if backfill_of:
        found = instance.get_run_records(dg.RunsFilter(run_ids=list(backfill_of)))
        ended = sorted((record for record in found if _is_finished(record)), key=_ended_at)
        groups: dict[str, list[RunRecord]] = {}
        for record in ended:
            run_id = record.dagster_run.run_id
            groups.setdefault(backfill_of[run_id] or run_id, []).append(record)
        for group, records in groups.items():
            is_backfill = group != records[0].dagster_run.run_id
            if is_backfill and not _is_over(instance, group) and _ended_at(records[0]) > now - BACKFILL_PATIENCE:
                continue
            outcomes = [outcome for record in records for outcome in outcomes_of_run(instance, record, lineage)]
            yield Results([outcomes], [record.dagster_run.run_id for record in records])
        deleted = backfill_of.keys() - {record.dagster_run.run_id for record in found}
        if deleted:
            yield Results([], sorted(deleted))
    yield from _results_without_a_run(instance, store, lineage, now)


def ended_and_unread_since(instance: dg.DagsterInstance, store: AlertStore, before: datetime) -> list[str]:
    """Ids of the newest runs that ended before an instant, after the alerts began, and have not been read."""
    unread = {run.run_id for run in store.watched()}
    newest = int(store.fact(NEWEST_RUN) or 0)
    filters = dg.RunsFilter(statuses=FINISHED_STATUSES)
    return [
        record.dagster_run.run_id
        for record in instance.get_run_records(filters, limit=_PAGE)
        if (record.dagster_run.run_id in unread or record.storage_id > newest) and _ended_at(record) < before
    ]


def outcomes_of_run(instance: dg.DagsterInstance, record: RunRecord, lineage: Lineage) -> list[Outcome]:
    """What a run that has ended says of checks, of its steps and of itself."""
    run = record.dagster_run
    events = _check_and_step_events(instance, run.run_id)
    judged = _judged_by(run)
    evaluated: dict[dg.AssetCheckKey, Outcome] = {}
    planned: set[dg.AssetCheckKey] = set()
    not_judged: set[dg.AssetCheckKey] = set()
    steps: dict[str, EventLogEntry] = {}
    explained: set[str | None] = set()
    for entry in events:
        event = entry.get_dagster_event()
        if event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED:
            planned.add(event.asset_check_planned_data.asset_check_key)
        elif event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            # A step that is tried again evaluates its checks again: the last time counts.
            not_judged.discard(evaluation.asset_check_key)
            if (
                check_metadata.NOT_JUDGED in evaluation.metadata
                and evaluation.metadata[check_metadata.NOT_JUDGED].value
            ):
                not_judged.add(evaluation.asset_check_key)
            evaluated[evaluation.asset_check_key] = outcome_of(evaluation, _at(entry), judged, run.run_id, lineage)
            if not evaluation.passed and evaluation.severity == AssetCheckSeverity.ERROR:
                explained.add(event.step_key)
        elif event.step_key is not None:
            steps[event.step_key] = entry
    ended_at = _ended_at(record)
    outcomes = [evaluated[key] for key in evaluated if key not in not_judged]
    # What keeps a check from running in a run that failed or was interrupted has an incident of its own, or is no news.
    not_run = planned if run.status == DagsterRunStatus.SUCCESS else set()
    for key in sorted(not_run | evaluated.keys()):
        failing = () if key in evaluated else _days(judged, lineage.judges_the_whole(key))
        finding = Finding("planned by this run, and never evaluated", run.run_id, _named(judged))
        outcomes.append(Outcome(_subject(Kind.NOT_RUN, key), ended_at, judged, failing, Severity.WARN, finding))
    outcomes += _step_outcomes(run, steps, explained, lineage)
    return [*outcomes, *_run_outcomes(run, events, ended_at)]


def outcome_of(
    evaluation: AssetCheckEvaluation, at: datetime, judged: Judged, run_id: str, lineage: Lineage
) -> Outcome:
    """What one evaluation says; `judged` are the days of its run."""
    key = evaluation.asset_check_key
    run_days = _named(judged)
    metadata = {name: value.value for name, value in evaluation.metadata.items()}
    named = metadata.get(check_metadata.FAILING_DAYS)
    days: tuple[str, ...]
    if isinstance(named, Sequence) and not isinstance(named, str):
        days = tuple(day for text in named for day in _days_named(str(text))) or _days(EVERYTHING, whole=True)
        first, last = metadata.get(check_metadata.FIRST_DAY_JUDGED), metadata.get(check_metadata.LAST_DAY_JUDGED)
        if isinstance(first, str) and isinstance(last, str):
            judged = (first, last)
        judged = (min(judged[0], *days), max(judged[1], *days)) if named else judged
    else:
        whole = lineage.judges_the_whole(key)
        judged = EVERYTHING if whole else judged
        days = (evaluation.partition,) if evaluation.partition else _days(judged, whole)
    blocking = evaluation.blocking or (lineage.graph.has(key) and lineage.graph.get(key).blocking)
    is_error = evaluation.severity == AssetCheckSeverity.ERROR
    return Outcome(
        subject=_subject(Kind.CHECK, key),
        at=at,
        judged=judged,
        failing_days=() if evaluation.passed else days,
        severity=Severity.ERROR if is_error else Severity.WARN,
        finding=Finding(
            sentence=shown("; ".join((evaluation.description or NO_DESCRIPTION).splitlines())),
            run_id=run_id,
            run_days=run_days,
            observed=_short(metadata.get(check_metadata.OBSERVED)),
            expected=_short(metadata.get(check_metadata.EXPECTED)),
            failing_rows=_count(metadata.get(check_metadata.FAILING_ROWS)),
            blocked=bool(metadata.get(check_metadata.BLOCKED, blocking and is_error)),
            days_are_named=bool(named),
        ),
    )


def _step_outcomes(
    run: DagsterRun, steps: Mapping[str, EventLogEntry], explained: Collection[str | None], lineage: Lineage
) -> Iterator[Outcome]:
    """Steps that failed although no check of theirs did and nobody interrupted them, and those that went well."""
    for name, entry in steps.items():
        event = entry.get_dagster_event()
        judged = _judged_by(run) if lineage.step_is_partitioned(name) else EVERYTHING
        if _is_interrupted(event):
            continue  # whoever interrupts a run knows it, and of the step it says nothing
        failed = event.event_type == DagsterEventType.STEP_FAILURE and name not in explained
        yield Outcome(
            subject=Subject(Kind.STEP, "", name),
            at=_at(entry),
            judged=judged,
            failing_days=_days(judged, whole=False) if failed else (),
            severity=Severity.ERROR,
            finding=Finding(shown(_failure_text(event)), run.run_id, _named(_judged_by(run)), blocked=True)
            if failed
            else None,
        )


def _run_outcomes(run: DagsterRun, events: Sequence[EventLogEntry], ended_at: datetime) -> Iterator[Outcome]:
    """A run that failed though none of its steps did; one that came to its own end says that this is over."""
    if run.status == DagsterRunStatus.CANCELED:
        return
    told_by_steps = {event.event_type for entry in events if not _is_interrupted(event := entry.get_dagster_event())}
    failed = run.status == DagsterRunStatus.FAILURE and DagsterEventType.STEP_FAILURE not in told_by_steps
    judged = _judged_by(run)
    told = [entry.get_dagster_event().message for entry in events if entry.get_dagster_event().is_run_failure]
    sentence = " ".join(filter(None, told)) or "the run failed outside of its steps"
    yield Outcome(
        subject=Subject(Kind.RUN, "", run.job_name),
        at=ended_at,
        judged=judged,
        failing_days=_days(judged, whole=False) if failed else (),
        severity=Severity.ERROR,
        finding=Finding(shown(sentence), run.run_id, _named(judged), blocked=True) if failed else None,
    )


def _results_without_a_run(
    instance: dg.DagsterInstance, store: AlertStore, lineage: Lineage, now: datetime
) -> Iterator[Results]:
    """Evaluations that were reported from outside of any run, all that there are as one group."""
    settled = store.settled_event(now - EVENTS_SETTLE_WITHIN)
    first_time = settled == 0
    records = instance.get_records_for_run(
        RUNLESS_RUN_ID,
        cursor=EventLogCursor.from_storage_id(settled).to_string() if settled else None,
        of_type=DagsterEventType.ASSET_CHECK_EVALUATION,
    ).records
    unread = store.unread_events(record.storage_id for record in records)
    found = [record for record in records if record.storage_id in unread]
    batches = [
        [outcome_of(event.asset_check_evaluation_data, _at(record.event_log_entry), EVERYTHING, "", lineage)]
        for record in found
        if (event := record.event_log_entry.get_dagster_event())
        and not (first_time and _at(record.event_log_entry) < now - FIRST_LOOK_BACK)
    ]
    if found:
        yield Results(batches, events=[(record.storage_id, _at(record.event_log_entry)) for record in found])


def _check_and_step_events(instance: dg.DagsterInstance, run_id: str) -> list[EventLogEntry]:
    entries: list[EventLogEntry] = []
    cursor: str | None = None
    while True:
        page = instance.get_records_for_run(run_id, cursor=cursor, of_type=_READ)
        entries += [record.event_log_entry for record in page.records]
        if not page.has_more:
            return entries
        cursor = page.cursor


def _judged_by(run: DagsterRun) -> Judged:
    """The partitions of a run; one without any stands for everything."""
    if PARTITION_NAME_TAG in run.tags:
        return run.tags[PARTITION_NAME_TAG], run.tags[PARTITION_NAME_TAG]
    if ASSET_PARTITION_RANGE_START_TAG in run.tags:
        return run.tags[ASSET_PARTITION_RANGE_START_TAG], run.tags[ASSET_PARTITION_RANGE_END_TAG]
    return EVERYTHING


def _named(judged: Judged) -> Judged | None:
    """The partitions, where there are any."""
    return None if judged == EVERYTHING else judged


def _days(judged: Judged, whole: bool) -> tuple[str, ...]:
    """The days that fail when those judged do and none is named."""
    if whole or judged == EVERYTHING:
        return (WHOLE,)
    if judged[0] == judged[1]:
        return (judged[0],)
    return _days_named("/".join(judged))


def _days_named(text: str) -> tuple[str, ...]:
    """The days of an interval, or of one day; a partition that is no day is itself."""
    try:
        return tuple(day.isoformat() for day in days_of_interval(text))
    except ValueError:
        return (text,)


def _is_interrupted(event: dg.DagsterEvent) -> bool:
    return (
        event.event_type == DagsterEventType.STEP_FAILURE
        and event.step_failure_data.error_source == ErrorSource.INTERRUPT
    )


def _failure_text(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    error = data.error.cause if data.error and data.error.cause else data.error
    return error.message.strip() if error else "the step failed; it gives no message"


def _subject(kind: Kind, key: dg.AssetCheckKey) -> Subject:
    return Subject(kind, key.asset_key.to_user_string(), key.name)


def _is_over(instance: dg.DagsterInstance, backfill_id: str) -> bool:
    backfill = instance.get_backfill(backfill_id)
    return backfill is None or backfill.status in BULK_ACTION_TERMINAL_STATUSES


def _is_finished(record: RunRecord) -> bool:
    return record.dagster_run.status in FINISHED_STATUSES


def _ended_at(record: RunRecord) -> datetime:
    if record.end_time is None:
        return record.update_timestamp
    return datetime.fromtimestamp(record.end_time, UTC)


def _at(entry: EventLogEntry) -> datetime:
    return datetime.fromtimestamp(entry.timestamp, UTC)


def _short(value: Any) -> str | None:
    return None if value is None else shown(str(value))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) else None

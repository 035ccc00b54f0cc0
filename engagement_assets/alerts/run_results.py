"""What Dagster's runs came to: checks that were evaluated, checks that were planned and not evaluated, failed steps.

Belongs here: reading run records and events, and turning them into outcomes. Not here: what follows from an outcome
(`incidents.py`).

Runs are walked by their storage id and watched until they end; only then are their events complete. No clock is
involved, so a clock that is set back hides no run.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster import (
    AssetCheckEvaluation,
    AssetCheckSeverity,
    DagsterEventType,
    DagsterRun,
    DagsterRunStatus,
    EventLogEntry,
    RunRecord,
)

from engagement_assets.alerts.incidents import EVERYTHING, WHOLE, Finding, Judged, Kind, Outcome, Severity, Subject
from engagement_assets.alerts.lineage import Lineage
from engagement_assets.alerts.store import RUN_OVERLAP, AlertStore
from engagement_assets.contracts import check_metadata
from engagement_assets.dagster_internals import (
    BULK_ACTION_TERMINAL_STATUSES,
    FINISHED_STATUSES,
    RUNLESS_RUN_ID,
    ErrorSource,
    EventLogCursor,
)
from engagement_assets.day_ranges import days_of_interval
from engagement_assets.partitions import BACKFILL_TAG, PARTITION_TAG, RANGE_END_TAG, RANGE_START_TAG
from engagement_assets.shown_text import shown

# How far back the alerts look when they start for the first time.
FIRST_LOOK_BACK = timedelta(days=1)
# Events without a run may become visible out of order for this long.
EVENTS_SETTLE_WITHIN = timedelta(minutes=5)
# The failures of a backfill are one message, unless it goes on for longer than this after its first run has ended.
BACKFILL_PATIENCE = timedelta(hours=1)
NEWEST_RUN = "newest_run"
_MODELS = "_models"
NO_DESCRIPTION = "the check failed and gives no description"

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
    """What is reported together: the results of a run, of a backfill, or of evaluations without a run.

    Each of `batches` is followed as one: all outcomes of a run or backfill, or a single outcome without a run.
    """

    batches: list[list[Outcome]]
    run_ids: list[str] = field(default_factory=list)
    events: list[tuple[int, datetime]] = field(default_factory=list)


def watch_new_runs(instance: dg.DagsterInstance, store: AlertStore, now: datetime) -> int:
    """Watch every run that has appeared since the last time; returns the storage id of the newest one."""
    known = store.fact(NEWEST_RUN)
    newest = 0
    cursor: str | None = None
    while True:
        page = instance.get_run_records(limit=_PAGE, cursor=cursor)
        newest = max([newest, *(record.storage_id for record in page)])
        if known is not None and newest < int(known):
            # Dagster's records were made anew or restored, and their numbers begin below: it is a first time again.
            known = None
        store.watch(
            (record.dagster_run.run_id, record.storage_id, record.dagster_run.tags.get(BACKFILL_TAG, ""))
            for record in page
            if known is not None or not _is_finished(record) or _ended_at(record) >= now - FIRST_LOOK_BACK
        )
        if len(page) < _PAGE or page[-1].storage_id <= int(known or 0) - RUN_OVERLAP:
            break
        cursor = page[-1].dagster_run.run_id
    store.remember(NEWEST_RUN, str(newest))
    return newest


def unread_results(
    instance: dg.DagsterInstance, store: AlertStore, lineage: Lineage, now: datetime
) -> Iterator[Results]:
    """The results of runs that have ended and have not been read, in the order of their ends; then those without a run.

    A run that was deleted has no results, and is done with.
    """
    backfill_of = store.watched()
    if backfill_of:
        found = instance.get_run_records(dg.RunsFilter(run_ids=list(backfill_of)))
        groups: dict[str, list[RunRecord]] = {}
        for record in sorted(filter(_is_finished, found), key=_ended_at):
            run_id = record.dagster_run.run_id
            groups.setdefault(backfill_of[run_id] or run_id, []).append(record)
        for group, records in groups.items():
            is_backfill = group != records[0].dagster_run.run_id
            if is_backfill and not _is_over(instance, group) and _ended_at(records[0]) > now - BACKFILL_PATIENCE:
                continue
            outcomes = [outcome for record in records for outcome in outcomes_of_run(instance, record, lineage)]
            yield Results([outcomes], [record.dagster_run.run_id for record in records])
        if deleted := backfill_of.keys() - {record.dagster_run.run_id for record in found}:
            yield Results([], sorted(deleted))
    yield from _results_without_a_run(instance, store, lineage, now)


def ended_and_unread_since(instance: dg.DagsterInstance, store: AlertStore, before: datetime) -> list[str]:
    """Ids of the newest runs that ended before an instant, after the alerts began, and have not been read."""
    unread = store.watched()
    newest = int(store.fact(NEWEST_RUN) or 0)
    return [
        record.dagster_run.run_id
        for record in instance.get_run_records(dg.RunsFilter(statuses=FINISHED_STATUSES), limit=_PAGE)
        if (record.dagster_run.run_id in unread or record.storage_id > newest) and _ended_at(record) < before
    ]


def outcomes_of_run(instance: dg.DagsterInstance, record: RunRecord, lineage: Lineage) -> list[Outcome]:
    """What a run that has ended says about checks, its steps and itself."""
    run = record.dagster_run
    entries, judged = instance.all_logs(run.run_id, of_type=_READ), _judged_by(run)
    # A step that is retried evaluates its checks again; the last one counts. None: it judged nothing.
    evaluated: dict[dg.AssetCheckKey, Outcome | None] = {}
    planned: set[dg.AssetCheckKey] = set()
    steps: dict[str, EventLogEntry] = {}
    explained: set[str | None] = set()
    for entry in entries:
        event = entry.get_dagster_event()
        if event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED:
            planned.add(event.asset_check_planned_data.asset_check_key)
        elif event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            not_judged = evaluation.metadata.get(check_metadata.NOT_JUDGED)
            outcome = outcome_of(evaluation, _at(entry), judged, run.run_id, lineage)
            evaluated[evaluation.asset_check_key] = None if not_judged is not None and not_judged.value else outcome
            if not evaluation.passed and evaluation.severity == AssetCheckSeverity.ERROR:
                explained.add(event.step_key)
        elif event.step_key is not None:
            steps[event.step_key] = entry
    outcomes = [outcome for outcome in evaluated.values() if outcome]
    # Whatever keeps checks from running in a run that failed has its own incident; a cancelled run is no news.
    not_run = planned if run.status == DagsterRunStatus.SUCCESS else set()
    for key in sorted(not_run | evaluated.keys()):
        failing = () if key in evaluated else _days(judged, lineage.judges_the_whole(key))
        finding = Finding("planned by this run, but never evaluated", run.run_id, _partitions(judged))
        outcomes.append(Outcome(_subject(Kind.NOT_RUN, key), _ended_at(record), judged, failing, finding=finding))
    outcomes += _step_outcomes(run, steps, explained, lineage)
    return [*outcomes, *_run_outcomes(record, entries)]


def outcome_of(
    evaluation: AssetCheckEvaluation, at: datetime, judged: Judged, run_id: str, lineage: Lineage
) -> Outcome:
    """What one evaluation says; `judged` are the days of its run."""
    key = evaluation.asset_check_key
    run_days = _partitions(judged)
    metadata = {name: value.value for name, value in evaluation.metadata.items()}
    named = metadata.get(check_metadata.FAILING_DAYS)
    days: tuple[str, ...]
    if isinstance(named, Sequence) and not isinstance(named, str):
        days = tuple(day for text in named for day in _days_named(str(text))) or (WHOLE,)
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
    failing_rows = metadata.get(check_metadata.FAILING_ROWS)
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
            failing_rows=failing_rows if isinstance(failing_rows, int) else None,
            blocked=bool(metadata.get(check_metadata.BLOCKED, blocking and is_error)),
        ),
    )


def _step_outcomes(
    run: DagsterRun, steps: Mapping[str, EventLogEntry], explained: Collection[str | None], lineage: Lineage
) -> Iterator[Outcome]:
    """Steps that failed although no check of theirs did, and those that succeeded; interrupted ones say nothing."""
    for name, entry in steps.items():
        event = entry.get_dagster_event()
        if not _is_interrupted(event):
            failed = event.event_type == DagsterEventType.STEP_FAILURE and name not in explained
            sentence = failure_text(event) if failed else None
            judged = _judged_by(run) if lineage.step_is_partitioned(name) else EVERYTHING
            yield _code_outcome(Subject(Kind.STEP, "", name), run, _at(entry), judged, sentence)
            if name.endswith(_MODELS) and not failed:
                # Before 0.3.0 an area had three steps; the one that it has now resolves what they left open.
                for former in ("_staging", "_windowed", "_marts"):
                    subject = Subject(Kind.STEP, "", name.removesuffix(_MODELS) + former)
                    yield _code_outcome(subject, run, _at(entry), EVERYTHING, None)


def _run_outcomes(record: RunRecord, entries: Sequence[EventLogEntry]) -> Iterator[Outcome]:
    """A run that failed although none of its steps did, or one that came to its own end, which resolves that."""
    run = record.dagster_run
    if run.status == DagsterRunStatus.CANCELED:
        return
    events = [entry.get_dagster_event() for entry in entries]
    a_step_failed = any(event.is_step_failure and not _is_interrupted(event) for event in events)
    sentence = None
    if run.status == DagsterRunStatus.FAILURE and not a_step_failed:
        messages = [event.message for event in events if event.is_run_failure and event.message]
        sentence = " ".join(messages) or "the run failed outside of its steps"
    yield _code_outcome(Subject(Kind.RUN, "", run.job_name), run, _ended_at(record), _judged_by(run), sentence)


def _code_outcome(subject: Subject, run: DagsterRun, at: datetime, judged: Judged, sentence: str | None) -> Outcome:
    """The outcome of a step or run; it failed if there is a sentence about it."""
    if sentence is None:
        return Outcome(subject, at, judged, severity=Severity.ERROR)
    finding = Finding(shown(sentence), run.run_id, _partitions(_judged_by(run)), blocked=True)
    return Outcome(subject, at, judged, _days(judged, whole=False), Severity.ERROR, finding)


def _results_without_a_run(
    instance: dg.DagsterInstance, store: AlertStore, lineage: Lineage, now: datetime
) -> Iterator[Results]:
    """Evaluations that were reported outside of any run, all of them as one group."""
    settled = store.settled_event(now - EVENTS_SETTLE_WITHIN)
    if settled > (instance.event_log_storage.get_maximum_record_id() or 0):
        # Dagster's records were made anew or restored, and their numbers begin below: nothing would be read for long.
        store.forget_events()
        settled = 0
    records = instance.get_records_for_run(
        RUNLESS_RUN_ID,
        cursor=EventLogCursor.from_storage_id(settled).to_string() if settled else None,
        of_type=DagsterEventType.ASSET_CHECK_EVALUATION,
    ).records
    unread = store.unread_events(record.storage_id for record in records)
    found = [(record.storage_id, record.event_log_entry) for record in records if record.storage_id in unread]
    batches = [
        [outcome_of(entry.get_dagster_event().asset_check_evaluation_data, _at(entry), EVERYTHING, "", lineage)]
        for _, entry in found
        if settled or _at(entry) >= now - FIRST_LOOK_BACK
    ]
    if found:
        yield Results(batches, events=[(storage_id, _at(entry)) for storage_id, entry in found])


def _judged_by(run: DagsterRun) -> Judged:
    """The partitions of a run; a run without partitions stands for everything."""
    if day := run.tags.get(PARTITION_TAG):
        return day, day
    if first := run.tags.get(RANGE_START_TAG):
        return first, run.tags[RANGE_END_TAG]
    return EVERYTHING


def _partitions(judged: Judged) -> Judged | None:
    return None if judged == EVERYTHING else judged


def _days(judged: Judged, whole: bool) -> tuple[str, ...]:
    """The days that fail when an evaluation of these days fails and names none."""
    return (WHOLE,) if whole or judged == EVERYTHING else _days_named("/".join(dict.fromkeys(judged)))


def _days_named(text: str) -> tuple[str, ...]:
    """The days of an interval or of one day; a partition that is not a day stands for itself."""
    try:
        return tuple(day.isoformat() for day in days_of_interval(text))
    except ValueError:
        return (text,)


def _is_interrupted(event: dg.DagsterEvent) -> bool:
    return event.is_step_failure and event.step_failure_data.error_source == ErrorSource.INTERRUPT


def failure_text(event: dg.DagsterEvent) -> str:
    """What a failed step says: its own description, or the message of the exception that ended it."""
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    error = data.error.cause if data.error and data.error.cause else data.error
    return error.message.strip() if error else "the step failed and gives no message"


def _subject(kind: Kind, key: dg.AssetCheckKey) -> Subject:
    return Subject(kind, key.asset_key.to_user_string(), key.name)


def _is_over(instance: dg.DagsterInstance, backfill_id: str) -> bool:
    backfill = instance.get_backfill(backfill_id)
    return backfill is None or backfill.status in BULK_ACTION_TERMINAL_STATUSES


def _is_finished(record: RunRecord) -> bool:
    return record.dagster_run.is_finished


def _ended_at(record: RunRecord) -> datetime:
    return record.update_timestamp if record.end_time is None else datetime.fromtimestamp(record.end_time, UTC)


def _at(entry: EventLogEntry) -> datetime:
    return datetime.fromtimestamp(entry.timestamp, UTC)


def _short(value: Any) -> str | None:
    return None if value is None else shown(str(value))

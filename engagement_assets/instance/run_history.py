"""Dagster's own records of runs, and which of them can be deleted.

Belongs here: which runs and logs can go, and the tag of interrupted runs. Not here: when they go (see
`orchestration/retention.py`) or how events are stored (`instance/event_log.py`).
"""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import dagster as dg
from dagster import AssetRecordsFilter, DagsterEventType, RunsFilter

from engagement_assets.dagster_internals import FINISHED_STATUSES
from engagement_assets.lake.retention import Pruned, pruned

EVENTS_AT_A_TIME = 1_000
# Dagster's files of captured output.
_LOG_ENDINGS = (".out", ".err", ".out.partial", ".err.partial", ".complete")
# Marks a run that ended with an interrupted command. That is no failure, and the next run need not wait.
INTERRUPTED_TAG = "engagement/interrupted"


def prune_runs(
    instance: dg.DagsterInstance, check_keys: Iterable[dg.AssetCheckKey], before: datetime, *, dry_run: bool
) -> Pruned:
    """Delete runs that ended before `before`, with their events and logs, unless they are still needed.

    A run is needed if it was the last to materialize a partition or to evaluate a check. Without it the day would look
    as if it had never been loaded, and the check as if it had never run. Only the output of its steps is deleted.
    """
    needed = runs_needed(instance, check_keys)
    sizes = {}
    for run in instance.get_runs(RunsFilter(statuses=FINISHED_STATUSES, updated_before=before)):
        run_id = run.run_id
        size = _bytes_of(instance, run_id, with_events=run_id not in needed)
        if run_id not in needed or size:
            sizes[run_id] = size
        if dry_run:
            continue
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        if run_id not in needed:
            instance.delete_run(run_id)
    return pruned("old runs, or what they printed", sizes)


def prune_logs(instance: dg.DagsterInstance, before: datetime, *, dry_run: bool) -> Pruned:
    """Delete what steps, sensors and schedules printed, if nothing was added since `before`; the runs stay."""
    folder = Path(instance.storage_directory())
    files = {path: path.stat() for path in folder.rglob("*") if path.name.endswith(_LOG_ENDINGS)}
    old = {path: found.st_size for path, found in files.items() if found.st_mtime < before.timestamp()}
    if not dry_run:
        for path in old:
            path.unlink()
    return pruned(
        "logs of steps and sensors", {path.relative_to(folder).as_posix(): size for path, size in old.items()}
    )


def runs_needed(instance: dg.DagsterInstance, check_keys: Iterable[dg.AssetCheckKey]) -> set[str]:
    """The last runs that materialized an asset or one of its partitions, or evaluated a check."""
    storage = instance.event_log_storage
    needed = set()
    for key in instance.all_asset_keys():
        newest = storage.get_latest_storage_id_by_partition(key, DagsterEventType.ASSET_MATERIALIZATION)
        ids = list(newest.values())
        for start in range(0, len(ids), EVENTS_AT_A_TIME):
            chosen = AssetRecordsFilter(asset_key=key, storage_ids=ids[start : start + EVENTS_AT_A_TIME])
            records = instance.fetch_materializations(chosen, limit=EVENTS_AT_A_TIME).records
            needed |= {record.run_id for record in records}
        if event := instance.get_latest_materialization_event(key):
            needed.add(event.run_id)
    evaluated = storage.get_latest_asset_check_execution_by_key(list(check_keys))
    return needed | {record.run_id for record in evaluated.values()}


def _bytes_of(instance: dg.DagsterInstance, run_id: str, *, with_events: bool) -> int:
    """The size of a run's output, and of its events if they have a file of their own."""
    folder = Path(instance.storage_directory()) / run_id
    files = [path for path in folder.rglob("*") if path.is_file()]
    events = Path(instance.root_directory) / "history" / "runs" / f"{run_id}.db"
    if with_events and events.exists():
        files.append(events)
    return sum(path.stat().st_size for path in files)

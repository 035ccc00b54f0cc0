"""Dagster's own records of runs, kept no longer than they are told to be.

Belongs here: which runs can go, and how one that somebody interrupted is known. Not here: when they go (see
`orchestration/retention.py`) or how events are stored (`instance/event_log.py`).
"""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import dagster as dg
from dagster import AssetRecordsFilter, DagsterEventType, RunsFilter

from engagement_assets.lake.retention import Pruned, pruned

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
EVENTS_AT_A_TIME = 1_000
# On a run that ended with the command that it was part of: no failure, and no reason to wait before the next one.
INTERRUPTED_TAG = "engagement/interrupted"


def prune_runs(
    instance: dg.DagsterInstance, check_keys: Iterable[dg.AssetCheckKey], before: datetime, *, dry_run: bool
) -> Pruned:
    """Delete runs that ended before `before`, with their events and logs, if nothing newer rests on them.

    A run stays that materialized a partition last, or evaluated a check last: without it a day would seem never to have
    been loaded, and a check never judged. What its steps printed goes.
    """
    needed = runs_needed(instance, check_keys)
    found = instance.get_run_records(RunsFilter(statuses=FINISHED, updated_before=before))
    old = [record.dagster_run.run_id for record in found]
    sizes = {}
    for run_id in old:
        size = _bytes_of(instance, run_id, with_events=run_id not in needed)
        if run_id not in needed or size:
            sizes[run_id] = size
        if dry_run:
            continue
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        if run_id not in needed:
            instance.delete_run(run_id)
    return pruned("old runs, or what they printed", sizes)


def runs_needed(instance: dg.DagsterInstance, check_keys: Iterable[dg.AssetCheckKey]) -> set[str]:
    """The runs that materialized an asset or one of its partitions last, or evaluated a check last."""
    storage = instance.event_log_storage
    needed = set()
    for key in instance.all_asset_keys():
        newest = storage.get_latest_storage_id_by_partition(key, DagsterEventType.ASSET_MATERIALIZATION)
        ids = list(newest.values())
        for start in range(0, len(ids), EVENTS_AT_A_TIME):
            chosen = AssetRecordsFilter(asset_key=key, storage_ids=ids[start : start + EVENTS_AT_A_TIME])
            records = instance.fetch_materializations(chosen, limit=EVENTS_AT_A_TIME).records
            needed |= {record.run_id for record in records}
        event = instance.get_latest_materialization_event(key)
        needed |= {event.run_id} if event else set()
    evaluated = storage.get_latest_asset_check_execution_by_key(list(check_keys))
    return needed | {record.run_id for record in evaluated.values()}


def _bytes_of(instance: dg.DagsterInstance, run_id: str, *, with_events: bool) -> int:
    """What a run's printed lines take, and its events where each run has a file of its own."""
    folder = Path(instance.storage_directory()) / run_id
    files = [path for path in folder.rglob("*") if path.is_file()]
    events = Path(instance.root_directory) / "history" / "runs" / f"{run_id}.db"
    if with_events and events.exists():
        files.append(events)
    return sum(path.stat().st_size for path in files)

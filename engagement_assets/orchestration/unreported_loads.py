"""Days that the lake has and Dagster has no event of: the run was killed between the commit and the event.

Belongs here: finding them, from the lake's records of loads. Not here: what is requested for them
(`orchestration/sensors/catch_up.py`).
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime

import dagster as dg
from dagster import AssetRecordsFilter

from engagement_assets.dagster_internals import StepEventStatus
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load_times import days_loaded_by
from engagement_assets.sources import RAW_DATASETS

_CUT_SHORT = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
# A day that is not among so many is built once more, which does no harm.
_MATERIALIZATIONS_LOOKED_AT = 10_000


def days_loaded_unreported(
    instance: dg.DagsterInstance, lake: Lake, source: str, models: Iterable[dg.AssetKey], since: datetime
) -> set[date]:
    """Days of a source that were loaded after `since`, if one of `models` is older than that load.

    Only runs count that ended before their loading step did. Of all others Dagster has the events, and their order
    shows what is stale.
    """
    runs = instance.get_runs(dg.RunsFilter(statuses=_CUT_SHORT, updated_after=since))
    if not runs:
        return set()
    names = {dataset.load_name for dataset in RAW_DATASETS if dataset.source == source and dataset.partitioned}
    run_ids = {run.run_id for run in runs}
    loads = [load for name in sorted(names) for load in days_loaded_by(lake, name, run_ids, since.date())]
    broken_off = {run_id for run_id in {load.run_id for load in loads} if _broke_off(instance, run_id, source)}
    newest: dict[date, datetime] = {}
    for load in loads:
        if load.run_id in broken_off:
            newest[load.day] = max(load.ended_at, newest.get(load.day, load.ended_at))
    return {day for key in models for day in _not_built_since(instance, key, newest)}


def _broke_off(instance: dg.DagsterInstance, run_id: str, source: str) -> bool:
    """Whether a run ended before Dagster had recorded the success of all its steps that load the source."""
    steps = [step for step in instance.get_run_step_stats(run_id) if step.step_key.startswith(f"raw_{source}")]
    return not steps or any(step.status != StepEventStatus.SUCCESS for step in steps)


def _not_built_since(instance: dg.DagsterInstance, key: dg.AssetKey, loaded: dict[date, datetime]) -> set[date]:
    if not loaded:
        return set()
    days, since = [day.isoformat() for day in loaded], min(loaded.values()).timestamp()
    chosen = AssetRecordsFilter(key, asset_partitions=days, after_timestamp=since)
    newest: dict[str, float] = {}
    for record in instance.fetch_materializations(chosen, limit=_MATERIALIZATIONS_LOOKED_AT).records:
        if record.partition_key:
            newest[record.partition_key] = max(record.timestamp, newest.get(record.partition_key, 0))
    return {day for day, at in loaded.items() if datetime.fromtimestamp(newest.get(day.isoformat(), 0), UTC) < at}

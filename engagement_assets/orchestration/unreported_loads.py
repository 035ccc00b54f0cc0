"""Days that a run has loaded without Dagster knowing: it was killed between the lake's commit and Dagster's event.

Belongs here: finding them, by the records of loads in the lake. Not here: what is requested for them
(`orchestration/sensors/catch_up.py`).
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime

import dagster as dg
from dagster import AssetRecordsFilter
from dagster._core.execution.stats import StepEventStatus

from engagement_assets.contracts.datasets import RAW_DATASETS
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load_times import days_loaded_by

_ENDED_BADLY = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
# A day that is not found among so many is built once more, which harms nothing.
_MATERIALIZATIONS_LOOKED_AT = 10_000


def days_loaded_unreported(
    instance: dg.DagsterInstance, lake: Lake, source: str, models: Iterable[dg.AssetKey], since: datetime
) -> set[date]:
    """Days of a source that a run loaded since a moment, and of which one of `models` is older than that load.

    Only runs count that ended before the end of their load's step: of all others Dagster has the events, and compares
    their order by itself.
    """
    runs = instance.get_runs(dg.RunsFilter(statuses=_ENDED_BADLY, updated_after=since))
    if not runs:
        return set()
    names = {dataset.load_name for dataset in RAW_DATASETS if dataset.source == source and dataset.partitioned}
    run_ids = {run.run_id for run in runs}
    loaded = [found for name in sorted(names) for found in days_loaded_by(lake, name, run_ids, since.date())]
    broken_off = {run_id for run_id in {item.run_id for item in loaded} if _broke_off(instance, run_id, source)}
    newest: dict[date, datetime] = {}
    for item in loaded:
        if item.run_id in broken_off:
            newest[item.day] = max(item.ended_at, newest.get(item.day, item.ended_at))
    return {day for key in models for day in _not_built_since(instance, key, newest)}


def _broke_off(instance: dg.DagsterInstance, run_id: str, source: str) -> bool:
    """Whether Dagster does not know of a run that its steps that load a source came to their end."""
    steps = instance.get_run_step_stats(run_id)
    loads = [step for step in steps if step.step_key.startswith(f"raw_{source}")]
    return not loads or any(step.status != StepEventStatus.SUCCESS for step in loads)


def _not_built_since(instance: dg.DagsterInstance, key: dg.AssetKey, loaded: dict[date, datetime]) -> set[date]:
    if not loaded:
        return set()
    built = instance.fetch_materializations(
        AssetRecordsFilter(
            key,
            asset_partitions=[day.isoformat() for day in loaded],
            after_timestamp=min(loaded.values()).timestamp(),
        ),
        limit=_MATERIALIZATIONS_LOOKED_AT,
    )
    newest: dict[str, float] = {}
    for record in built.records:
        if record.partition_key:
            newest[record.partition_key] = max(record.timestamp, newest.get(record.partition_key, 0))
    return {day for day, at in loaded.items() if datetime.fromtimestamp(newest.get(day.isoformat(), 0), UTC) < at}

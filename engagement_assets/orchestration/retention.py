"""Retention: a job that removes, once a day, what is older than the settings allow.

Belongs here: the job, its schedule, and the order in which it removes things. Not here: how the lake
(`lake/retention.py`, `lake/deleted_activities.py`), the messages (`alerts/retention.py`) and Dagster's records
(`instance/run_history.py`) are pruned, or how tables follow (`commands/erased_tables.py`).
"""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
from dagster import DagsterEventType
from pydantic import Field

from engagement_assets.alerts.alerting import alerts_folder
from engagement_assets.alerts.retention import prune_messages
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.dagster_internals import AssetGraph
from engagement_assets.instance.run_history import prune_logs, prune_runs
from engagement_assets.lake.deleted_activities import erase_deleted_activities
from engagement_assets.lake.erasure import unfinished
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.retention import Pruned, prune_abandoned, prune_quarantine, prune_raw_days
from engagement_assets.orchestration.unreported_loads import days_loaded_unreported
from engagement_assets.resources import ApiClients
from engagement_assets.settings import Settings
from engagement_assets.sources import RAW_DATASETS
from engagement_assets.transform.erased_rows import activities_deleted_before

RETENTION = "retention"
# No load takes this long.
ABANDONED_AFTER = timedelta(days=1)


class RetentionConfig(dg.Config):
    """The options of one run of the job, as the launchpad shows them."""

    dry_run: bool = Field(default=False, description="Report what would be removed, and remove nothing.")


def prune_all(
    settings: Settings, instance: dg.DagsterInstance, graph: AssetGraph, *, now: datetime, dry_run: bool
) -> Iterator[Pruned]:
    """Prune what killed runs have left, raw days, quarantine, messages, logs and runs; a limit of 0 keeps everything.

    Activities that Strava no longer has leave the lake here, and the tables afterwards (`commands/erased_tables.py`).

    Raises:
        LakeBusyError: a load holds a lock.
        AlertsBusyError: a process sends alerts without end.
        AlertStoreError: the folder of the alerts cannot be used.
    """
    now, lake = now.astimezone(UTC), Lake(settings.lake_uri, settings.privacy_policy)
    # First, because pruning takes a load's lock, and whoever takes it clears away what a killed load has left.
    yield prune_abandoned(lake, Path(settings.published_warehouse_path), now - ABANDONED_AFTER, dry_run=dry_run)
    if settings.strava_deleted_retention_days:
        before_deletion = now - timedelta(days=settings.strava_deleted_retention_days)
        in_tables = activities_deleted_before(settings.published_warehouse_path, before_deletion)
        yield erase_deleted_activities(lake, before_deletion, in_tables, now=now, dry_run=dry_run)
    for dataset in RAW_DATASETS:
        days = settings.raw_retention_days_of(dataset.source)
        if days and dataset.partitioned:
            before = now.date() - timedelta(days=days)
            built = partial(built_days, instance, graph, lake, dataset)
            yield prune_raw_days(lake, dataset, before, built, dry_run=dry_run)
    if settings.quarantine_retention_days:
        yield prune_quarantine(lake, now - timedelta(days=settings.quarantine_retention_days), dry_run=dry_run)
    if settings.alert_retention_days:
        before_message = now - timedelta(days=settings.alert_retention_days)
        yield prune_messages(alerts_folder(settings), before_message, dry_run=dry_run)
    if settings.log_retention_days:
        yield prune_logs(instance, now - timedelta(days=settings.log_retention_days), dry_run=dry_run)
    if settings.run_retention_days:
        before_run = now - timedelta(days=settings.run_retention_days)
        yield prune_runs(instance, graph.asset_check_keys, before_run, dry_run=dry_run)


def built_days(instance: dg.DagsterInstance, graph: AssetGraph, lake: Lake, dataset: Dataset) -> Callable[[date], bool]:
    """A predicate: was a day built into all windowed models of the dataset since its last load? Without models, no."""
    key = dg.AssetKey(dataset.key.split("/"))
    downstream = dg.AssetSelection.assets(key).downstream(include_self=False).resolve(graph)
    models = [model for model in downstream if graph.get(model).partitions_def is not None]

    def newest(asset: dg.AssetKey) -> Mapping[str, int]:
        kind = DagsterEventType.ASSET_MATERIALIZATION
        return instance.event_log_storage.get_latest_storage_id_by_partition(asset, kind)

    unreported = days_loaded_unreported(instance, lake, dataset.source, models, datetime(1970, 1, 1, tzinfo=UTC))
    loaded = newest(key)
    built = [newest(model) for model in models]

    def is_built(day: date) -> bool:
        partition = day.isoformat()
        if not built or day in unreported or partition not in loaded:
            return False
        return all(model.get(partition, 0) > loaded[partition] for model in built)

    return is_built


def retention_job(definitions: Callable[[], dg.Definitions]) -> dg.JobDefinition:
    """The job, which people can run too; `definitions` returns the deployment once it is put together."""

    @dg.op(description="Removes what is older than the settings allow, or reports what would be removed.")
    def prune(
        context: dg.OpExecutionContext,
        config: RetentionConfig,
        settings: dg.ResourceParam[Settings],
        api_clients: dg.ResourceParam[ApiClients],
    ) -> dg.Output[None]:
        graph, now = definitions().resolve_asset_graph(), api_clients.clock.now()
        pruned = list(prune_all(settings, context.instance, graph, now=now, dry_run=config.dry_run))
        for item in pruned:
            context.log.info(item.sentence(dry_run=config.dry_run))
        waiting = () if config.dry_run else unfinished(Lake(settings.lake_uri))
        if any(request.is_of_deleted_activities for request in waiting):
            _let_tables_follow(context)
        return dg.Output(None, metadata=_metadata(pruned, dry_run=config.dry_run))

    @dg.job(
        name=RETENTION,
        description=(
            "Removes raw days, quarantined records, alert messages, logs, runs and leftovers that are older than the "
            "settings allow. With dry_run in the config it only reports what it would remove."
        ),
        executor_def=dg.in_process_executor,
    )
    def retention() -> None:
        prune()

    return retention


def retention_schedule(settings: Settings, job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Once a day, at a quiet hour; off until somebody switches it on, even with SCHEDULES_ON."""
    return dg.ScheduleDefinition(
        name=f"{RETENTION}_schedule",
        job=job,
        cron_schedule="30 2 * * *",
        execution_timezone=settings.schedule_time_zone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Removes, once a day, what is older than the settings allow.",
    )


def _let_tables_follow(context: dg.OpExecutionContext) -> None:
    """Build the tables without deleted activities, as `make prune` does; a process of its own, since it runs a job."""
    command = [sys.executable, "-m", "engagement_assets.commands.erased_tables"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)  # noqa: S603
    if done.stdout:
        context.log.info(done.stdout)
    if done.returncode:
        raise dg.Failure("activities have left the lake and not the tables; the log says why", allow_retries=False)


def _metadata(pruned: list[Pruned], *, dry_run: bool) -> dict[str, Any]:
    rows = "\n".join(
        f"| {item.what} | {item.count:,} | {item.bytes:,} | {', '.join(item.names) or 'none'} |" for item in pruned
    )
    return {
        "dry_run": dry_run,
        "removed": sum(item.count for item in pruned),
        "bytes": sum(item.bytes for item in pruned),
        "table": dg.MetadataValue.md(f"| what | count | bytes | first ones |\n|---|---|---|---|\n{rows}"),
    }

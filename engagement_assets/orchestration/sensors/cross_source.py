"""The tables over all sources follow the tables of the sources, whatever run has built these.

Belongs here: when they are out of date and may be built. Not here: what is in them (`dbt_project/models/`).
"""

from collections.abc import Collection
from datetime import UTC, datetime

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from engagement_assets.orchestration.jobs import WEEKLY_ENGAGEMENT_METRICS
from engagement_assets.orchestration.sensors.runs import INPUTS_TAG, SENSOR_TAG, RunsUnderWay, tries_on
from engagement_assets.settings import Settings

CROSS_SOURCE_TABLES = "cross_source_tables"
INTERVAL_S = 60


def cross_source_sensor(settings: Settings) -> dg.SensorDefinition:
    """Requests the tables over all sources when a source's tables are newer.

    Dagster runs nothing downstream of a failure, and these tables are downstream of every source. So a daily run in
    which one source fails ends without them, and so does a run of one source alone.
    """

    @dg.sensor(
        name=CROSS_SOURCE_TABLES,
        job_name=WEEKLY_ENGAGEMENT_METRICS,
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.schedules_on else dg.DefaultSensorStatus.STOPPED,
        description=(
            "Requests the tables over all sources when a source's tables are newer and no run is at work on them, such "
            "as after a daily run in which a source failed."
        ),
    )
    def cross_source_tables(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        repository = context.repository_def
        if repository is None:
            raise dg.DagsterInvariantViolationError("the sensor needs its code location, which Dagster gives to it")
        graph = repository.asset_graph
        made = repository.get_job(WEEKLY_ENGAGEMENT_METRICS).asset_layer.selected_asset_keys
        read = {parent for key in made for parent in graph.get(key).parent_keys} - made
        newest_read, oldest_made = _numbers(context.instance, read), _numbers(context.instance, made)
        newest = max(newest_read, default=0)
        if newest <= min(oldest_made, default=0):
            return dg.SkipReason("the tables over all sources are newer than those that they read")
        if run_id := RunsUnderWay.of(context).that_makes_any_of(read | made):
            return dg.SkipReason(f"run {run_id} makes one of the tables")
        upstream = dg.AssetSelection.assets(*made).upstream().resolve(graph)
        tables = {key for key in upstream - made if not key.path[0].startswith("raw_")}
        if failed := _blocking_failures(context.instance, graph.get_check_keys_for_assets(tables)):
            return dg.SkipReason(f"nothing is made of a table that failed a blocking test: {', '.join(failed)}")
        tried = tries_on(context.instance, CROSS_SOURCE_TABLES, newest)
        if reason := tried.why_not_again(settings.catch_up_attempts, datetime.now(UTC)):
            return dg.SkipReason(reason)
        return dg.RunRequest(
            run_key=f"after {newest}, try {tried.next_try}",
            tags={SENSOR_TAG: CROSS_SOURCE_TABLES, INPUTS_TAG: str(newest)},
        )

    return cross_source_tables


def _numbers(instance: dg.DagsterInstance, keys: Collection[dg.AssetKey]) -> list[int]:
    """The number of each asset's newest materialization, 0 where there is none."""
    records = instance.get_asset_records(list(keys))
    newest = {item.asset_entry.asset_key: item.asset_entry.last_materialization_storage_id or 0 for item in records}
    return [newest.get(key, 0) for key in keys]


def _blocking_failures(instance: dg.DagsterInstance, checks: Collection[dg.AssetCheckKey]) -> list[str]:
    """Those of the checks whose newest evaluation failed as an error."""
    failed = []
    for check in checks:
        # A check that was planned and never ran says nothing.
        newest = instance.event_log_storage.get_asset_check_execution_history(
            check,
            limit=1,
            status={AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED},
        )
        evaluation = newest[0].evaluation if newest else None
        if evaluation and not evaluation.passed and evaluation.severity == dg.AssetCheckSeverity.ERROR:
            failed.append(check.to_user_string())
    return sorted(failed)

"""Tables that follow what they are made from: those over all sources, and the published audit tables.

Belongs here: when they are out of date, and when they can be built. Not here: what is in them (`dbt_project/models/`).
"""

from collections.abc import Collection

import dagster as dg

from engagement_assets.dagster_internals import AssetCheckExecutionRecordStatus
from engagement_assets.lake.lake import Lake
from engagement_assets.orchestration.jobs import LOAD_AUDIT, WEEKLY_ENGAGEMENT_METRICS
from engagement_assets.orchestration.sensors.runs import Tick, sensor_status
from engagement_assets.settings import Settings
from engagement_assets.transform.publish import newest_load_not_shown

CROSS_SOURCE_TABLES = "cross_source_tables"
LOAD_RECORDS = "load_records"
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
        default_status=sensor_status(settings),
        description=(
            "Requests the tables over all sources when a source's tables are newer and no run is building them, such "
            "as after a daily run in which a source failed."
        ),
    )
    def cross_source_tables(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        tick = Tick.of(CROSS_SOURCE_TABLES, context, settings)
        graph = tick.repository.asset_graph
        made = tick.repository.get_job(WEEKLY_ENGAGEMENT_METRICS).asset_layer.selected_asset_keys
        read = {parent for key in made for parent in graph.get(key).parent_keys} - made
        numbers = _newest_numbers(tick.instance, read | made)
        # Each compared with what it reads itself: a run may publish a source's area after it has built these tables.
        inputs = ((key, parent) for key in made for parent in graph.get(key).parent_keys - made)
        newest = max((numbers[parent] for key, parent in inputs if numbers[parent] > numbers[key]), default=0)
        if not newest:
            return dg.SkipReason("the tables over all sources are newer than those that they read")
        if run_id := tick.run_in_progress_on(read | made):
            return dg.SkipReason(f"run {run_id} builds one of the tables")
        upstream = dg.AssetSelection.assets(*made).upstream().resolve(graph)
        tables = {key for key in upstream - made if not key.path[0].startswith("raw_")}
        if failed := _blocking_failures(tick.instance, graph.get_check_keys_for_assets(tables)):
            return dg.SkipReason(f"a table that they read failed a blocking test: {', '.join(failed)}")
        return tick.follow(newest, f"after {newest}")

    return cross_source_tables


def load_records_sensor(settings: Settings) -> dg.SensorDefinition:
    """Requests the audit tables and their published copy when the copy lacks a load.

    The step of a held day fails, and nothing downstream runs. Without this sensor nobody would see the day among the
    held ones. Runs from a shell see to it themselves (`commands/range_run.py`).
    """
    lake = Lake(settings.lake_uri)

    @dg.sensor(
        name=LOAD_RECORDS,
        job_name=LOAD_AUDIT,
        minimum_interval_seconds=INTERVAL_S,
        default_status=sensor_status(settings),
        description=(
            "Requests the audit tables when the published copy lacks a load and no run is about to publish, such as "
            "after a run that held a day."
        ),
    )
    def load_records(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        newest = newest_load_not_shown(settings.published_warehouse_path, lake)
        if newest is None:
            return dg.SkipReason("the published audit tables have every load")
        tick = Tick.of(LOAD_RECORDS, context, settings)
        assets = tick.repository.asset_graph.executable_asset_keys
        if run_id := tick.run_in_progress_on({key for key in assets if key.path[0] == "published"}):
            return dg.SkipReason(f"run {run_id} publishes, and the audit tables with it")
        return tick.follow(newest, f"after load {newest}")

    return load_records


def _newest_numbers(instance: dg.DagsterInstance, keys: Collection[dg.AssetKey]) -> dict[dg.AssetKey, int]:
    """The number of each asset's newest materialization, 0 where there is none."""
    entries = [record.asset_entry for record in instance.get_asset_records(list(keys))]
    newest = {entry.asset_key: entry.last_materialization_storage_id or 0 for entry in entries}
    return dict.fromkeys(keys, 0) | newest


def _blocking_failures(instance: dg.DagsterInstance, checks: Collection[dg.AssetCheckKey]) -> list[str]:
    """Those of the checks whose newest evaluation failed as an error."""
    # A check that was planned and never ran says nothing.
    evaluated = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}
    failed = []
    for check in checks:
        newest = instance.event_log_storage.get_asset_check_execution_history(check, limit=1, status=evaluated)
        evaluation = newest[0].evaluation if newest else None
        if evaluation and not evaluation.passed and evaluation.severity == dg.AssetCheckSeverity.ERROR:
            failed.append(check.to_user_string())
    return sorted(failed)

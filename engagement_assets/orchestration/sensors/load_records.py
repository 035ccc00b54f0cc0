"""The published audit tables follow the loads, even those after which nothing else is published.

Belongs here: when they are out of date, and when they can be built. Not here: what is in them
(`dbt_project/models/audit/`). Runs from a shell see to it themselves (`commands/range_run.py`).
"""

import dagster as dg

from engagement_assets.lake.lake import Lake
from engagement_assets.orchestration.jobs import LOAD_AUDIT
from engagement_assets.orchestration.sensors.runs import Tick, sensor_status
from engagement_assets.settings import Settings
from engagement_assets.transform.publish import newest_load_not_shown

LOAD_RECORDS = "load_records"
INTERVAL_S = 60


def load_records_sensor(settings: Settings) -> dg.SensorDefinition:
    """Requests the audit tables and their published copy when the copy lacks a load.

    The step of a held day fails, and nothing downstream runs. Without this sensor nobody would see the day among the
    held ones.
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

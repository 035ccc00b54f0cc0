"""The published audit tables follow the loads, also those after which nothing else is published.

Belongs here: when they are out of date and may be made. Not here: what is in them (`dbt_project/models/audit/`), or
that runs from a shell see to it themselves (`commands/range_run.py`).
"""

from datetime import UTC, datetime

import dagster as dg

from engagement_assets.lake.lake import Lake
from engagement_assets.orchestration.jobs import LOAD_AUDIT
from engagement_assets.orchestration.sensors.runs import INPUTS_TAG, SENSOR_TAG, RunsUnderWay, tries_on
from engagement_assets.settings import Settings
from engagement_assets.transform.publish import newest_load_not_shown

LOAD_RECORDS = "load_records"
INTERVAL_S = 60


def load_records_sensor(settings: Settings) -> dg.SensorDefinition:
    """Requests the audit tables and their published copy when the copy lacks a load.

    Where a day is held its step fails, nothing downstream runs, and nobody would see the day among the held ones.
    """
    lake = Lake(settings.lake_uri)

    @dg.sensor(
        name=LOAD_RECORDS,
        job_name=LOAD_AUDIT,
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.schedules_on else dg.DefaultSensorStatus.STOPPED,
        description=(
            "Requests the audit tables when the published copy lacks a load and no run is at work that publishes, such "
            "as after a run that held a day."
        ),
    )
    def load_records(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        newest = newest_load_not_shown(settings.published_warehouse_path, lake)
        if newest is None:
            return dg.SkipReason("the published audit tables have every load")
        repository = context.repository_def
        if repository is None:
            raise dg.DagsterInvariantViolationError("the sensor needs its code location, which Dagster gives to it")
        published = {key for key in repository.asset_graph.executable_asset_keys if key.path[0] == "published"}
        if run_id := RunsUnderWay.of(context).that_makes_any_of(published):
            return dg.SkipReason(f"run {run_id} publishes, which brings the audit tables along")
        tried = tries_on(context.instance, LOAD_RECORDS, newest)
        if reason := tried.why_not_again(settings.catch_up_attempts, datetime.now(UTC)):
            return dg.SkipReason(reason)
        return dg.RunRequest(
            run_key=f"after load {newest}, try {tried.next_try}",
            tags={SENSOR_TAG: LOAD_RECORDS, INPUTS_TAG: newest},
        )

    return load_records

"""The alerts as a sensor of the daemon: on from the start, since nobody should have to ask for alerts.

Belongs here: how the daemon calls the alerts' work. Not here: the work (`alerting.py`).

What the work raises fails the tick, which says why in the UI, and the next one tries again; no run waits for either.
A plain sensor that keeps its own record: Dagster's `run_status_sensor` moves its cursor on when its function raises,
and an outage then loses the alert.
"""

from functools import cache

import dagster as dg

from engagement_assets.alerts.alerting import SENSOR, Alerting, AlertsBusyError
from engagement_assets.settings import Settings

ALERT_SENSOR = "alert_sensor"


def alert_sensor(settings: Settings) -> dg.SensorDefinition:
    """Reads the runs that ended and sends what there is to tell, every `ALERT_INTERVAL_S` seconds."""

    @cache
    def alerting() -> Alerting:
        return Alerting.of(settings)

    @dg.sensor(
        name=ALERT_SENSOR,
        minimum_interval_seconds=settings.alert_interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells people of checks that fail, go on failing, get worse and pass again, and of runs that fail.",
    )
    def tell(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        assert context.repository_def is not None  # noqa: S101 - the daemon always gives one
        try:
            done = alerting().work(context.instance, context.repository_def.asset_graph, SENSOR)
        except AlertsBusyError as busy:
            return dg.SkipReason(f"left to another process: {busy}")
        told = f"{done.runs_read} runs read, {done.recorded} messages recorded, {done.sent} sent, {done.failed} failed"
        return dg.SkipReason("; ".join([told, *alerting().troubles]))

    return tell

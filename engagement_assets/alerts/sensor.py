"""The alerts as a sensor of the daemon. It is on from the start, so nobody has to switch alerts on.

Belongs here: how the daemon calls the alerts' work. Not here: the work (`alerting.py`).

What the work raises fails the tick, which shows the reason in the UI, and the next tick tries again; no run waits for
either. This is a plain sensor that keeps its own record, because Dagster's `run_status_sensor` moves its cursor on even
when its function raises, so an outage would lose the alert.
"""

from functools import cache

import dagster as dg

from engagement_assets.alerts.alerting import SENSOR, Alerting, AlertsBusyError
from engagement_assets.settings import Settings

ALERT_SENSOR = "alert_sensor"


def alert_sensor(settings: Settings) -> dg.SensorDefinition:
    """Reads the runs that ended and sends what is new, every `ALERT_INTERVAL_S` seconds."""

    @cache
    def alerting() -> Alerting:
        return Alerting.of(settings)

    @dg.sensor(
        name=ALERT_SENSOR,
        minimum_interval_seconds=settings.alert_interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reports checks that fail, keep failing, get worse and pass again, and runs that fail.",
    )
    def report(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        assert context.repository_def is not None  # noqa: S101 - the daemon always provides one
        try:
            done = alerting().work(context.instance, context.repository_def.asset_graph, SENSOR)
        except AlertsBusyError as busy:
            return dg.SkipReason(f"left to another process: {busy}")
        counts = (
            f"{done.runs_read} runs read, {done.recorded} messages recorded, {done.sent} sent, {done.failed} failed"
        )
        return dg.SkipReason("; ".join([counts, *alerting().troubles]))

    return report

"""Whether the alerts themselves work.

Belongs here: signs of life, and what is wrong with them. Not here: the alerts' work (`alerting.py`), the asset and
check that show the signs (`assets/alerts.py`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

from engagement_assets.alerts.alerting import SENSOR, SHELL, Alerting
from engagement_assets.alerts.messages import duration
from engagement_assets.alerts.run_results import ended_and_unread_since
from engagement_assets.alerts.store import alert_store

# Long enough for a sensor that is busy, short enough to notice on the day on which it stopped.
SILENT_AFTER = timedelta(minutes=15)
UNDELIVERED_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class SignsOfLife:
    """What the store says about the alerts' work; `troubles` are sentences for a person."""

    sensor_worked_at: datetime | None
    shell_worked_at: datetime | None
    failing_now: int
    undelivered: int
    troubles: list[str]


def signs_of_life(
    alerting: Alerting, instance: dg.DagsterInstance, now: datetime, *, daemon_expected: bool
) -> SignsOfLife:
    """Read the store; `daemon_expected` says that the sensor should be at work.

    Raises:
        AlertStoreError: the store cannot be used.
    """
    with alert_store(alerting.store_path) as store:
        sensor, shell = store.last_beat(SENSOR), store.last_beat(SHELL)
        troubles = list(alerting.troubles)
        if daemon_expected and sensor is None:
            troubles.append("the alert sensor has never worked; switch it on in the Dagster UI")
        elif daemon_expected and sensor is not None and sensor < now - SILENT_AFTER:
            troubles.append(
                f"the alert sensor last worked {duration(now - sensor)} ago; see its ticks in the Dagster UI"
            )
        # Before the alerts first worked there was nothing that they should have read.
        begun = sensor is not None or shell is not None
        if unread := ended_and_unread_since(instance, store, now - SILENT_AFTER) if begun else []:
            troubles.append(f"{len(unread)} runs ended and nobody has read their checks, such as {unread[0]}")
        waiting = store.undelivered([channel.name for channel in alerting.channels])
        if late := [item for item in waiting if item[1] < now - UNDELIVERED_AFTER]:
            channel, since, error = late[0]
            reason = f": {error}" if error else ""
            troubles.append(
                f"{len(late)} messages are not delivered, the first to {channel} since {since:%F %R}{reason}"
            )
        return SignsOfLife(sensor, shell, len(store.incidents()), len(waiting), troubles)

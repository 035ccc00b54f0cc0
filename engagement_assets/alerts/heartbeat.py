"""Whether the alerts themselves work: an asset that shows it, and a check that fails when they have stopped.

Belongs here: signs of life, and who judges them. Not here: the alerts' work (`alerting.py`).

The check runs with the daily run and with whatever publishes an area, so it is not the alert sensor that judges the
alert sensor. Every run that ended must have been read, every message delivered; a run that the daemon has launched also
wants the sensor to have worked a short while ago. A shell run reads its own results, so that a deployment in which no
daemon has ever run passes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from engagement_assets.alerts.alerting import SENSOR, SHELL, Alerting
from engagement_assets.alerts.caught import Caught, kind_and_place
from engagement_assets.alerts.messages import duration
from engagement_assets.alerts.run_results import ended_and_unread_since
from engagement_assets.alerts.store import AlertStoreError, alert_store
from engagement_assets.assets.dbt_models import AUDIT, asset_tags
from engagement_assets.assets.raw_load import OWNERS
from engagement_assets.contracts import check_metadata
from engagement_assets.settings import Settings

ALERTS = dg.AssetKey(["audit", "alerts"])
ALERTS_ARE_DELIVERED = "alerts_are_delivered"
# Long enough for a sensor that is busy, short enough for the day on which it stopped.
SILENT_AFTER = timedelta(minutes=15)
UNDELIVERED_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class SignsOfLife:
    """What the store tells about the alerts' work; `troubles` are sentences for a person."""

    sensor_worked_at: datetime | None
    shell_worked_at: datetime | None
    failing_now: int
    undelivered: int
    troubles: list[str]


def signs_of_life(
    alerting: Alerting, instance: dg.DagsterInstance, now: datetime, *, daemon_expected: bool
) -> SignsOfLife:
    """Look at the store; `daemon_expected` tells that the sensor should be at work.

    Raises:
        AlertStoreError: there is no looking at it.
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
        # Without any sign of life there is no telling what should have been read.
        begun = sensor is not None or shell is not None
        unread = ended_and_unread_since(instance, store, now - SILENT_AFTER) if begun else []
        if unread:
            troubles.append(f"{len(unread)} runs ended and nobody has read their checks, such as {unread[0]}")
        waiting = store.undelivered([channel.name for channel in alerting.channels])
        late = [item for item in waiting if item[1] < now - UNDELIVERED_AFTER]
        if late:
            channel, since, error = late[0]
            told = f": {error}" if error else ""
            troubles.append(f"{len(late)} messages are not delivered, the first to {channel} since {since:%F %R}{told}")
        return SignsOfLife(sensor, shell, len(store.incidents()), len(waiting), troubles)


def alerts_asset() -> dg.AssetsDefinition:
    """The asset `audit/alerts`, with its check."""

    @dg.multi_asset(
        name="audit_alerts",
        specs=[
            dg.AssetSpec(
                ALERTS,
                group_name="audit",
                owners=OWNERS,
                kinds={"python", "sqlite"},
                tags=asset_tags(AUDIT, "alerts"),
                description="What the alerts did: when they last worked, what fails now, what waits for a channel.",
            )
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[
            dg.AssetCheckSpec(
                ALERTS_ARE_DELIVERED,
                asset=ALERTS,
                description="Runs that ended were read, messages reached every channel, and the sensor is at work.",
            )
        ],
    )
    def alerts(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        # Only a run that the daemon launched has an origin; in a shell there need not be any daemon.
        launched = context.run.remote_job_origin is not None
        now = datetime.now(UTC)
        metadata: dict[str, Any] = {}
        with Caught() as caught:
            signs = signs_of_life(Alerting.of(settings), context.instance, now, daemon_expected=launched)
            troubles = signs.troubles
            observed = f"{len(troubles)} troubles, {signs.undelivered} messages waiting"
            metadata = {
                "sensor_worked_at": _shown(signs.sensor_worked_at),
                "shell_worked_at": _shown(signs.shell_worked_at),
                "failing_now": signs.failing_now,
                "undelivered_messages": signs.undelivered,
            }
        if caught.error:
            unforeseen = f"the alerts cannot be looked at: {kind_and_place(caught.error)}"
            troubles = [str(caught.error) if isinstance(caught.error, AlertStoreError) else unforeseen]
            observed = "alerts that cannot be looked at"
        result = dg.AssetCheckResult(
            check_name=ALERTS_ARE_DELIVERED,
            passed=not troubles,
            severity=dg.AssetCheckSeverity.ERROR,
            description="; ".join(troubles) or None,
            metadata={
                **metadata,
                check_metadata.OBSERVED: observed,
                check_metadata.EXPECTED: (
                    f"every run read within {duration(SILENT_AFTER)} of its end, every message delivered within "
                    f"{duration(UNDELIVERED_AFTER)}"
                ),
                check_metadata.BLOCKED: False,
            },
        )
        yield dg.MaterializeResult(metadata=metadata, check_results=[result])

    return alerts


def _shown(moment: datetime | None) -> dg.MetadataValue[Any]:
    return dg.MetadataValue.text("never") if moment is None else dg.MetadataValue.timestamp(moment)

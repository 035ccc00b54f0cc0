"""The asset `audit/alerts`: it shows whether the alerts themselves work, and its check fails when they have stopped.

Belongs here: the asset and its check. Not here: the signs that they show (`alerts/history.py`).

The check runs with the daily run and with whatever publishes an area, so the alert sensor does not judge itself. Every
run that ended must have been read and every message delivered. A run that the daemon launched also requires that the
sensor worked a short while ago. A shell run reads its own results, so a deployment without any daemon passes.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from engagement_assets.alerts.alerting import Alerting
from engagement_assets.alerts.caught import Caught, kind_and_place
from engagement_assets.alerts.history import SILENT_AFTER, UNDELIVERED_AFTER, signs_of_life
from engagement_assets.alerts.messages import duration
from engagement_assets.alerts.store import AlertStoreError
from engagement_assets.assets.dbt_models import asset_tags
from engagement_assets.assets.raw_load import OWNERS
from engagement_assets.contracts import check_metadata
from engagement_assets.settings import Settings
from engagement_assets.sources import AUDIT

ALERTS = dg.AssetKey(["audit", "alerts"])
ALERTS_ARE_DELIVERED = "alerts_are_delivered"


def alerts_asset() -> dg.AssetsDefinition:
    """The asset with its check."""

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
        metadata: dict[str, Any] = {}
        with Caught() as caught:
            signs = signs_of_life(Alerting.of(settings), context.instance, datetime.now(UTC), daemon_expected=launched)
            troubles = signs.troubles
            observed = f"{len(troubles)} troubles, {signs.undelivered} messages waiting"
            metadata = {
                "sensor_worked_at": _shown(signs.sensor_worked_at),
                "shell_worked_at": _shown(signs.shell_worked_at),
                "failing_now": signs.failing_now,
                "undelivered_messages": signs.undelivered,
            }
        if caught.error:
            unexpected = f"the state of the alerts cannot be read: {kind_and_place(caught.error)}"
            troubles = [str(caught.error) if isinstance(caught.error, AlertStoreError) else unexpected]
            observed = "alerts whose state cannot be read"
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

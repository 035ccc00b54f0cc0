"""A small code location with the project's alert sensor: the tags of a run say what its checks find.

Belongs here: assets and checks for tests of alerts, and running them. Not here: what a test expects.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg

from engagement_assets.alerts.alerting import alert_sensor
from engagement_assets.contracts import check_metadata
from engagement_assets.settings import Settings

EVENTS = dg.AssetKey(["raw_toy", "events"])
NOTES = dg.AssetKey(["raw_toy", "notes"])
TABLE = dg.AssetKey(["toy", "table"])
DAYS = dg.DailyPartitionsDefinition("2024-01-01", timezone="UTC", end_date="2024-03-01")
CHECKS = [f"holds_{number:02}" for number in range(4)]
RANGE_TAGS = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
VERDICTS_TAG = "toy/outcomes"
BREAKS_TAG = "toy/breaks"


@dataclass(frozen=True)
class Fails:
    """What a check is to find: the severity, and the days, none where it judges its asset as a whole."""

    severity: str = "ERROR"
    days: tuple[str, ...] = ()
    sentence: str = "3 rows are wrong"


# A run can also make a check pass because it has nothing to judge.
NOT_JUDGED = Fails(severity="not judged")


def _result(check: str, key: dg.AssetKey, tags: Mapping[str, str]) -> dg.AssetCheckResult:
    metadata: dict[str, Any]
    reported = json.loads(tags.get(VERDICTS_TAG, "{}")).get(check)
    by_day = key != TABLE
    found = Fails(**reported) if reported else None
    if found and found.severity == NOT_JUDGED.severity:
        metadata = {check_metadata.FAILING_DAYS: [], check_metadata.NOT_JUDGED: True}
        return dg.AssetCheckResult(passed=True, asset_key=key, check_name=check, metadata=metadata)
    metadata = {check_metadata.FAILING_DAYS: list(found.days) if found else []} if by_day else {}
    if found:
        metadata |= {
            check_metadata.OBSERVED: "3 wrong rows",
            check_metadata.EXPECTED: "0",
            check_metadata.FAILING_ROWS: 3,
        }
    return dg.AssetCheckResult(
        passed=found is None,
        asset_key=key,
        check_name=check,
        severity=dg.AssetCheckSeverity(found.severity if found else "ERROR"),
        description=found.sentence if found else None,
        metadata=metadata,
    )


@dg.multi_asset(
    specs=[dg.AssetSpec(EVENTS, partitions_def=DAYS, owners=["team:toys"], skippable=True)],
    check_specs=[dg.AssetCheckSpec(check, asset=EVENTS) for check in CHECKS],
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def raw_toy(context: dg.AssetExecutionContext) -> Iterator[Any]:
    """Events by day, with checks that name the failing days."""
    results = [_result(check, EVENTS, context.run.tags) for check in CHECKS]
    yield dg.MaterializeResult(check_results=results)


@dg.multi_asset(
    specs=[dg.AssetSpec(TABLE, deps=[EVENTS], owners=["team:toys"])],
    check_specs=[dg.AssetCheckSpec("adds_up", asset=TABLE, blocking=True)],
)
def toy_table(context: dg.AssetExecutionContext) -> Iterator[Any]:
    """A table without days."""
    if BREAKS_TAG in context.run.tags:
        raise RuntimeError(context.run.tags[BREAKS_TAG])
    yield dg.MaterializeResult(check_results=[_result("adds_up", TABLE, context.run.tags)])


@dg.multi_asset(
    specs=[dg.AssetSpec(NOTES, partitions_def=DAYS)], check_specs=[dg.AssetCheckSpec("are_legible", asset=NOTES)]
)
def raw_notes(context: dg.AssetExecutionContext) -> Iterator[Any]:
    """Notes by day, one run per day, with a single check."""
    yield dg.MaterializeResult(check_results=[_result("are_legible", NOTES, context.run.tags)])


ASSETS = [raw_toy, toy_table]


def run(
    instance: dg.DagsterInstance,
    *days: str,
    assets: Sequence[dg.AssetsDefinition] = ASSETS,
    tags: Mapping[str, str] | None = None,
    **fails: Fails,
) -> str:
    """Run assets for the first to the last of `days`; the run's id."""
    outcomes = {check: asdict(found) for check, found in fails.items()}
    first_and_last = (days[0], days[-1]) if days else ("2024-01-01", "2024-01-01")
    result = dg.materialize(
        assets,
        instance=instance,
        tags={**dict(zip(RANGE_TAGS, first_and_last, strict=True)), VERDICTS_TAG: json.dumps(outcomes), **(tags or {})},
        raise_on_error=False,
    )
    return result.run_id


@dg.definitions
def defs() -> dg.Definitions:
    """What the daemon loads."""
    return dg.Definitions(assets=[*ASSETS, raw_notes], sensors=[alert_sensor(Settings(_env_file=None))])


def environment(settings: Settings) -> dict[str, str]:
    """The environment in which the daemon finds these settings."""
    assert settings.alert_urls is not None
    assert settings.alert_webhook_secret is not None
    return {
        **os.environ,
        "DAGSTER_HOME": str(settings.dagster_home),
        "ALERT_URLS": settings.alert_urls.get_secret_value(),
        "ALERT_WEBHOOK_SECRET": settings.alert_webhook_secret.get_secret_value(),
        "ALERT_INTERVAL_S": str(settings.alert_interval_s),
    }

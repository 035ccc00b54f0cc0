"""Whether each source's newest day has been loaded when it should have been.

Belongs here: `is_fresh`, which a run of its own judges from what the lake holds. Not here: when that run is
(schedules), or the checks of a load (`standard.py`): a load of last year says nothing about today.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta

import dagster as dg

from engagement_assets.contracts import check_metadata
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.load_checks import IS_FRESH, Severity
from engagement_assets.day_ranges import as_interval
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load_times import snapshot_loaded_at
from engagement_assets.resources import ApiClients
from engagement_assets.settings import Settings
from engagement_assets.sources import SOURCES

SEVERITIES = {Severity.WARN: dg.AssetCheckSeverity.WARN, Severity.HALT: dg.AssetCheckSeverity.ERROR}


def freshness_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """`is_fresh` of every dataset of the sources that are configured and have a setting for freshness."""
    datasets = {
        dg.AssetKey(dataset.key.split("/")): dataset
        for source in SOURCES
        if not settings.missing_for(source) and settings.freshness_hours_of(source.name)
        for dataset in source.datasets
    }
    return [_freshness_check(datasets)] if datasets else []


def _freshness_check(datasets: Mapping[dg.AssetKey, Dataset]) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name=IS_FRESH.name,
        specs=[dg.AssetCheckSpec(IS_FRESH.name, asset=key, description=IS_FRESH.description) for key in datasets],
        can_subset=True,
    )
    def is_fresh(
        context: dg.AssetCheckExecutionContext,
        settings: dg.ResourceParam[Settings],
        api_clients: dg.ResourceParam[ApiClients],
    ) -> Iterator[dg.AssetCheckResult]:
        lake = Lake(settings.lake_uri)
        for check in sorted(context.selected_asset_check_keys):
            dataset = datasets[check.asset_key]
            yield judge_freshness(lake, dataset, api_clients.clock.now(), settings)

    return is_fresh


def deadline_of(day: date, hours: float) -> datetime:
    """By when a UTC day must be loaded, so many hours after its end."""
    return datetime.combine(day + timedelta(days=1), time(), UTC) + timedelta(hours=hours)


def judge_freshness(lake: Lake, dataset: Dataset, now: datetime, settings: Settings) -> dg.AssetCheckResult:
    """Whether the newest day that should be in the lake by `now` is there; later days do no harm.

    A held day is not in the lake. A dataset without days must have been loaded after the end of that day.
    """
    hours = settings.freshness_hours_of(dataset.source) or 0
    expected = (now.astimezone(UTC) - timedelta(hours=hours)).date() - timedelta(days=1)
    newest = _newest_day(lake, dataset, expected)
    passed = newest is not None and newest >= expected
    severity = settings.check_severities.of(dataset.source, IS_FRESH.name) or IS_FRESH.severity
    subject = "the newest day is" if dataset.partitioned else "the newest snapshot covers"
    deadline = deadline_of(expected, hours)
    sentence = f"{subject} {newest}" if newest else "nothing has been loaded lately"
    sentence += f", expected {expected} by {deadline:%Y-%m-%d %H:%M} UTC"
    missing = as_interval(newest + timedelta(days=1) if newest else expected, expected) if not passed else ""
    return dg.AssetCheckResult(
        passed=passed,
        asset_key=dg.AssetKey(dataset.key.split("/")),
        check_name=IS_FRESH.name,
        severity=SEVERITIES[severity],
        description=None if passed else sentence,
        metadata={
            check_metadata.OBSERVED: str(newest or "nothing"),
            check_metadata.EXPECTED: expected.isoformat(),
            # One interval: for a source that stopped years ago each hourly run would list a thousand days.
            check_metadata.FAILING_DAYS: [missing] if missing and dataset.partitioned else [],
            **({} if passed else {check_metadata.BLOCKED: False}),
        },
    )


def _newest_day(lake: Lake, dataset: Dataset, expected: date) -> date | None:
    if dataset.partitioned:
        return max(lake.days(dataset), default=None)
    loaded_at = snapshot_loaded_at(lake, dataset, expected)
    # A snapshot covers the days before that of its load.
    return None if loaded_at is None else loaded_at.date() - timedelta(days=1)

"""The code location.

Belongs here: putting assets, jobs, schedules, sensors and resources together. Not here: what they are.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from engagement_assets.alerts.alerting import alert_sensor
from engagement_assets.assets.alerts import alerts_asset
from engagement_assets.assets.dbt_models import as_on, dbt_model_assets
from engagement_assets.assets.engagement_report import engagement_report_asset
from engagement_assets.assets.kudos_model import kudos_assets
from engagement_assets.assets.published import published_assets
from engagement_assets.assets.raw_assets import raw_assets
from engagement_assets.assets.raw_columns import describe_raw_columns
from engagement_assets.assets.raw_load import record_specs, unconfigured_spec
from engagement_assets.checks.freshness import freshness_checks
from engagement_assets.extract.services.client import Clock
from engagement_assets.installation import PACKAGE, PROJECT_ROOT
from engagement_assets.instance.pool_slots import sleep_until_asked_again
from engagement_assets.instance.private_files import keep_files_private
from engagement_assets.orchestration.erasure import erasure_job
from engagement_assets.orchestration.jobs import asset_jobs, source_sets
from engagement_assets.orchestration.retention import retention_job, retention_schedule
from engagement_assets.orchestration.schedules import schedules
from engagement_assets.orchestration.sensors.catch_up import catch_up_sensor, late_data_sensor
from engagement_assets.orchestration.sensors.follow_ups import cross_source_sensor, load_records_sensor
from engagement_assets.orchestration.sensors.kudos_model import kudos_model_sensor
from engagement_assets.orchestration.sensors.landing_files import landing_sensor
from engagement_assets.partitions import daily_partitions
from engagement_assets.resources import ApiClients
from engagement_assets.settings import Settings
from engagement_assets.sources import SOURCES
from engagement_assets.transform.project import column_lineage, manifest
from engagement_assets.transform.warehouse import warehouse_resource


def build_defs(settings: Settings, clock: Clock | None = None) -> dg.Definitions:
    """The definitions of one deployment; tests pass their own settings and clock."""
    sleep_until_asked_again()
    if settings.backfill_days_per_run:
        # A backfill of a job has runs of that many days, also of tables, which have no limit of their own.
        warnings.filterwarnings("ignore", message="Asset job .* materializes assets with varying BackfillPolicies")
    with warnings.catch_warnings(action="ignore", category=dg.BetaWarning):
        # For every backfill policy and code reference, Dagster warns that it is beta.
        return _build_defs(settings, clock)


def _build_defs(settings: Settings, clock: Clock | None) -> dg.Definitions:
    dbt_project = manifest()
    lineage = column_lineage(dbt_project)
    shown = as_on(settings.warehouse, dbt_project)
    models = dbt_model_assets(shown, settings.start_date, lineage, settings.last_sample_day)
    raw = all_raw_assets(settings)
    freshness = freshness_checks(settings)
    sets = source_sets([*raw, *models])
    others = [*published_assets(models, dbt_project), alerts_asset()]
    of_kudos = kudos_assets(settings)
    trains = not any(isinstance(asset, dg.AssetSpec) for asset in of_kudos)
    loads = [load for load in raw if isinstance(load, dg.AssetsDefinition)]
    retention = retention_job(lambda: built)
    built = dg.Definitions(
        assets=with_links_to_code(
            [
                *describe_raw_columns([*raw, *record_specs()], dbt_project, lineage),
                *others,
                *(asset for asset in of_kudos if not isinstance(asset, dg.AssetChecksDefinition)),
                engagement_report_asset(lambda: built),
            ],
            models,
            settings,
        ),
        asset_checks=[*freshness, *(check for check in of_kudos if isinstance(check, dg.AssetChecksDefinition))],
        jobs=[
            *(source_set.job for source_set in sets),
            *asset_jobs(loads, models, freshness, trains=trains),
            retention,
            erasure_job(),
        ],
        schedules=[
            *schedules(settings, sets, checks_freshness=bool(freshness)),
            retention_schedule(settings, retention),
        ],
        sensors=[
            alert_sensor(settings),
            landing_sensor(settings, sets),
            catch_up_sensor(settings, sets),
            late_data_sensor(settings, sets),
            cross_source_sensor(settings),
            load_records_sensor(settings),
            *([kudos_model_sensor(settings)] if trains else []),
        ],
        resources={
            "settings": settings,
            "api_clients": ApiClients(settings, clock or Clock()),
            "warehouse": warehouse_resource(settings.warehouse_path),
        },
        # In process: a process per step would import Dagster again for each (78 s instead of 31 s).
        executor=dg.in_process_executor,
    )
    return built


def all_raw_assets(settings: Settings) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The raw assets of all sources. Those of a source without its settings cannot be run."""
    partitions = daily_partitions(settings.start_date, settings.last_sample_day)
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = []
    for source in SOURCES:
        if missing := settings.missing_for(source):
            assets += [unconfigured_spec(dataset, partitions, missing) for dataset in source.datasets]
        else:
            assets += raw_assets(source, settings)
    return assets


def with_links_to_code(
    assets: Sequence[dg.AssetsDefinition | dg.AssetSpec], models: Sequence[dg.AssetsDefinition], settings: Settings
) -> Sequence[Any]:
    """All assets, each with a link to its code; models already have one to their SQL.

    The links open files on this machine, or in the repository that the settings name.
    """
    linked = dg.with_source_code_references(assets)
    if not settings.code_git_url:
        return [*linked, *models]
    return [*_in_repository(linked, PACKAGE.parent, settings), *_in_repository(models, PROJECT_ROOT, settings)]


def _in_repository(assets: Sequence[Any], root: Path, settings: Settings) -> Sequence[Any]:
    """The assets with links to the repository, in which `root` is the folder at the top."""
    return dg.link_code_references_to_git(
        assets,
        git_url=settings.code_git_url,
        git_branch=settings.code_git_branch,
        file_path_mapping=dg.AnchorBasedFilePathMapping(root / "pyproject.toml", "pyproject.toml"),
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads. Settings are read here, not on import."""
    settings = Settings()
    keep_files_private(settings)
    settings.use_s3()
    return build_defs(settings)

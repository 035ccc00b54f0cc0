"""The code location: assembles assets, jobs, schedules, sensors and resources, and does nothing else."""

import warnings
from collections.abc import Sequence
from typing import Any

import dagster as dg

from engagement_assets.alerts.sensor import alert_sensor
from engagement_assets.assets.alerts import alerts_asset
from engagement_assets.assets.dbt_models import dbt_model_assets
from engagement_assets.assets.engagement_report import engagement_report_asset
from engagement_assets.assets.published import published_assets
from engagement_assets.assets.raw_assets import raw_assets
from engagement_assets.assets.raw_columns import describe_raw_columns
from engagement_assets.assets.raw_load import record_specs, unconfigured_spec
from engagement_assets.checks.freshness import freshness_checks
from engagement_assets.extract.services.client import Clock
from engagement_assets.orchestration.jobs import (
    daily_engagement_job,
    freshness_job,
    load_audit_job,
    release_jobs,
    replay_jobs,
    source_jobs,
    source_sets,
    weekly_engagement_metrics_job,
)
from engagement_assets.orchestration.retention import retention_job, retention_schedule
from engagement_assets.orchestration.schedules import schedules
from engagement_assets.orchestration.sensors.catch_up import catch_up_sensor, late_data_sensor
from engagement_assets.orchestration.sensors.cross_source import cross_source_sensor
from engagement_assets.orchestration.sensors.landing_files import landing_sensor
from engagement_assets.orchestration.sensors.load_records import load_records_sensor
from engagement_assets.partitions import daily_partitions
from engagement_assets.resources import ApiClients
from engagement_assets.settings import PROJECT_ROOT, Settings
from engagement_assets.sources import SOURCES
from engagement_assets.transform.project import column_lineage, manifest
from engagement_assets.transform.warehouse import warehouse_resource


def build_defs(settings: Settings, clock: Clock | None = None) -> dg.Definitions:
    """The graph of one deployment; tests call it with settings and a clock of their own."""
    with warnings.catch_warnings():
        # Backfill policies and links to the code, which Dagster calls beta each time that one is named.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return _build_defs(settings, clock)


def _build_defs(settings: Settings, clock: Clock | None) -> dg.Definitions:
    clients = ApiClients(settings, clock or Clock())
    dbt_project = manifest()
    lineage = column_lineage(dbt_project)
    models = dbt_model_assets(dbt_project, settings.start_date, lineage)
    raw = all_raw_assets(settings)
    freshness = freshness_checks(settings)
    sets = source_sets([*raw, *models])
    jobs_of_sources = source_jobs(sets)
    others = [*published_assets(models), alerts_asset()]
    judged = [each for each in [*raw, *models, *others, *freshness] if not isinstance(each, dg.AssetSpec)]
    checks = [spec.key for each in judged for spec in each.check_specs]
    retention = retention_job(lambda: built)
    raw_definitions = [definition for definition in raw if isinstance(definition, dg.AssetsDefinition)]
    built = dg.Definitions(
        assets=with_links_to_code(
            [
                *describe_raw_columns([*raw, *record_specs()], dbt_project, lineage),
                *others,
                engagement_report_asset(checks),
            ],
            models,
            settings,
        ),
        asset_checks=freshness,
        jobs=[
            daily_engagement_job(freshness),
            *jobs_of_sources,
            weekly_engagement_metrics_job(models),
            load_audit_job(models),
            *release_jobs(raw_definitions, freshness),
            *replay_jobs(raw_definitions, freshness),
            retention,
            *freshness_job(freshness),
        ],
        schedules=[
            *schedules(settings, sets, sources_are_waited_for=bool(freshness)),
            retention_schedule(settings, retention),
        ],
        sensors=[
            alert_sensor(settings),
            landing_sensor(settings, sets, jobs_of_sources),
            catch_up_sensor(settings, sets, jobs_of_sources),
            late_data_sensor(settings, sets, jobs_of_sources),
            cross_source_sensor(settings),
            load_records_sensor(settings),
        ],
        resources={
            "settings": settings,
            "api_clients": clients,
            "warehouse": warehouse_resource(settings.warehouse_path),
        },
        # In process: another process per step would import Dagster once more for each (78 against 31 s).
        executor=dg.in_process_executor,
    )
    return built


def all_raw_assets(settings: Settings) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The raw assets of all sources; without the settings of a source there is nothing that could be run."""
    partitions = daily_partitions(settings.start_date)
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
    """All assets, each with the place of its code; models know the place of their SQL already.

    The links open files of this machine, or of the repository that the settings name.
    """
    linked = [*dg.with_source_code_references(assets), *models]
    if not settings.code_git_url:
        return linked
    return dg.link_code_references_to_git(
        linked,
        git_url=settings.code_git_url,
        git_branch=settings.code_git_branch,
        file_path_mapping=dg.AnchorBasedFilePathMapping(PROJECT_ROOT / "pyproject.toml", "pyproject.toml"),
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads; settings are read here and not on import."""
    return build_defs(Settings())

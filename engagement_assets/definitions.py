"""The code location: assembles assets, jobs, schedules, sensors and resources, and does nothing else."""

import dagster as dg

from engagement_assets.alerts.heartbeat import alerts_asset
from engagement_assets.alerts.sensor import alert_sensor
from engagement_assets.assets.dbt_models import dbt_model_assets
from engagement_assets.assets.published import published_assets
from engagement_assets.assets.raw_lingokids import raw_lingokids_assets
from engagement_assets.assets.raw_load import unconfigured_spec
from engagement_assets.assets.raw_mobile import raw_mobile_assets
from engagement_assets.assets.raw_runna import raw_runna_assets
from engagement_assets.assets.raw_strava import raw_strava_assets
from engagement_assets.assets.raw_user_events import raw_user_events_assets
from engagement_assets.checks.freshness import freshness_checks
from engagement_assets.extract.http_api import Clock
from engagement_assets.jobs import (
    daily_engagement_job,
    freshness_job,
    release_jobs,
    source_jobs,
    source_sets,
    weekly_engagement_metrics_job,
)
from engagement_assets.lake.datasets import STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS, USER_EVENTS
from engagement_assets.partitions import daily_partitions
from engagement_assets.resources import ApiClients
from engagement_assets.schedules import schedules
from engagement_assets.sensors.catch_up import catch_up_sensor, late_data_sensor
from engagement_assets.sensors.cross_source import cross_source_sensor
from engagement_assets.sensors.landing_files import landing_sensor
from engagement_assets.settings import Settings
from engagement_assets.transform.project import manifest


def build_defs(settings: Settings, clock: Clock | None = None) -> dg.Definitions:
    """The graph of one deployment; tests call it with settings and a clock of their own."""
    clients = ApiClients(settings, clock or Clock())
    models = dbt_model_assets(manifest(), settings.start_date)
    raw: list[dg.AssetsDefinition | dg.AssetSpec] = [
        raw_runna_assets(settings),
        *raw_lingokids_assets(settings),
        raw_mobile_assets(settings),
        *api_assets(settings, clients),
    ]
    freshness = freshness_checks(settings, clients)
    sets = source_sets([*raw, *models])
    jobs_of_sources = source_jobs(sets)
    return dg.Definitions(
        assets=[*raw, *models, *published_assets(models), alerts_asset()],
        asset_checks=freshness,
        jobs=[
            daily_engagement_job(freshness),
            *jobs_of_sources,
            weekly_engagement_metrics_job(models),
            *release_jobs([definition for definition in raw if isinstance(definition, dg.AssetsDefinition)], freshness),
            *freshness_job(freshness),
        ],
        schedules=schedules(settings, sets),
        sensors=[
            alert_sensor(settings),
            landing_sensor(settings, sets, jobs_of_sources),
            catch_up_sensor(settings, sets, jobs_of_sources),
            late_data_sensor(settings, sets, jobs_of_sources),
            cross_source_sensor(settings),
        ],
        resources={"settings": settings, "api_clients": clients},
        # In process: another process per step would import Dagster once more for each (78 against 31 s).
        executor=dg.in_process_executor,
    )


def api_assets(settings: Settings, clients: ApiClients) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The raw assets of the services; without the settings of a service there is nothing that could be run."""
    partitions = daily_partitions(settings.start_date)
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = []
    for missing, make, datasets in (
        (clients.missing_for_strava, raw_strava_assets, (STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS)),
        (clients.missing_for_user_events, raw_user_events_assets, (USER_EVENTS,)),
    ):
        if missing:
            assets += [unconfigured_spec(dataset, partitions, missing) for dataset in datasets]
        else:
            assets.append(make(settings))
    return assets


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads; settings are read here and not on import."""
    return build_defs(Settings())

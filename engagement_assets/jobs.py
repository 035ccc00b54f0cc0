"""Jobs: which assets run together.

Belongs here: selections and their names. Not here: when they run (schedules) or what an asset does.
"""

from typing import TYPE_CHECKING

import dagster as dg

from engagement_assets.assets.dbt_models import CROSS_SOURCE_AREA, CROSS_SOURCE_STEP
from engagement_assets.assets.engagement_report import ENGAGEMENT_REPORT

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

DAILY_ENGAGEMENT = "daily_engagement"
WEEKLY_ENGAGEMENT_METRICS = "weekly_engagement_metrics"
PUBLISHED_CROSS_SOURCE = dg.AssetKey(["published", CROSS_SOURCE_AREA.name])


def daily_engagement_job() -> "UnresolvedAssetJobDefinition":
    """Every source's day, the models that it touches, the published copy and the report."""
    return dg.define_asset_job(
        DAILY_ENGAGEMENT,
        selection=dg.AssetSelection.all(),
        description="Every source's day: raw data, models, checks, the published copy and the report.",
    )


def weekly_engagement_metrics_job(models: list[dg.AssetsDefinition]) -> "UnresolvedAssetJobDefinition":
    """The tables over all sources and the report alone: nothing upstream is in the run, so no source can stop it."""
    cross_source = [definition for definition in models if definition.op.name == CROSS_SOURCE_STEP]
    return dg.define_asset_job(
        WEEKLY_ENGAGEMENT_METRICS,
        selection=dg.AssetSelection.assets(*cross_source, PUBLISHED_CROSS_SOURCE, ENGAGEMENT_REPORT),
        description="The weekly tables over all sources and the report, from what the sources' tables hold now.",
    )

"""Jobs: which assets run together.

Belongs here: selections and their names. Not here: when they run (schedules) or what an asset does.
"""

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

DAILY_ENGAGEMENT = "daily_engagement"


def daily_engagement_job() -> "UnresolvedAssetJobDefinition":
    """Every source's day, the models that it touches, and the published copy."""
    return dg.define_asset_job(
        DAILY_ENGAGEMENT,
        selection=dg.AssetSelection.all(),
        description="Every source's day: raw data, models, checks and the published copy.",
    )

"""Jobs: which assets run together.

Belongs here: selections and their names. Not here: when they run (schedules) or what an asset does.
"""

from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from engagement_assets.partitions import daily_partitions

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

DAILY_ENGAGEMENT = "daily_engagement"


def daily_engagement_job(start_date: date) -> "UnresolvedAssetJobDefinition":
    """Every source's day, the models that it touches, and the published copy."""
    return dg.define_asset_job(
        DAILY_ENGAGEMENT,
        selection=dg.AssetSelection.all(),
        partitions_def=daily_partitions(start_date),
        description="Every source's day: raw data, models, checks and the published copy.",
    )

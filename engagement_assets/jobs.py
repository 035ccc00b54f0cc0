"""Jobs: which assets run together.

Belongs here: selections and their names. Not here: when they run (schedules) or what an asset does.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from engagement_assets.assets.dbt_models import CROSS_SOURCE_AREA, CROSS_SOURCE_STEP

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

DAILY_ENGAGEMENT = "daily_engagement"
WEEKLY_ENGAGEMENT_METRICS = "weekly_engagement_metrics"
FRESHNESS = "freshness"
PUBLISHED_CROSS_SOURCE = dg.AssetKey(["published", CROSS_SOURCE_AREA.name])


def daily_engagement_job(freshness: Sequence[dg.AssetChecksDefinition]) -> "UnresolvedAssetJobDefinition":
    """Every source's day, the models that it touches, and the published copy.

    Whether sources are fresh is another question, which a run over last year does not ask.
    """
    return dg.define_asset_job(
        DAILY_ENGAGEMENT,
        selection=dg.AssetSelection.all() - dg.AssetSelection.checks(*freshness),
        description="Every source's day: raw data, models, checks and the published copy.",
    )


def weekly_engagement_metrics_job(models: list[dg.AssetsDefinition]) -> "UnresolvedAssetJobDefinition":
    """The tables over all sources alone: nothing upstream is in the run, so no source can stop it."""
    cross_source = [definition for definition in models if definition.op.name == CROSS_SOURCE_STEP]
    return dg.define_asset_job(
        WEEKLY_ENGAGEMENT_METRICS,
        selection=dg.AssetSelection.assets(*cross_source, PUBLISHED_CROSS_SOURCE),
        description="The weekly tables over all sources, from what the sources' tables hold now.",
    )


def freshness_job(freshness: Sequence[dg.AssetChecksDefinition]) -> list["UnresolvedAssetJobDefinition"]:
    """The checks whether sources are fresh, alone; no job where nobody waits for a source."""
    if not freshness:
        return []
    return [
        dg.define_asset_job(
            FRESHNESS,
            selection=dg.AssetSelection.checks(*freshness),
            description="Whether every source's newest day has been loaded when it should have been.",
        )
    ]


def release_jobs(
    raw: Sequence[dg.AssetsDefinition], freshness: Sequence[dg.AssetChecksDefinition]
) -> list["UnresolvedAssetJobDefinition"]:
    """Per load a job that puts held days into the lake and rebuilds what is downstream of them."""
    return [
        dg.define_asset_job(
            definition.op.name.replace("raw_", "release_", 1),
            selection=dg.AssetSelection.assets(definition).downstream() - dg.AssetSelection.checks(*freshness),
            # For the launchpad: to be filled in, since a release without a reason fails.
            config={"ops": {definition.op.name: {"config": {"release_reason": ""}}}},
            description=(
                "Puts the held days of the partition, or of the partition range, into the lake although they failed, "
                "and rebuilds what is downstream of them. Say why in the config: it is kept in audit.ingestion_loads."
            ),
        )
        for definition in raw
    ]


def replay_jobs(
    raw: Sequence[dg.AssetsDefinition], freshness: Sequence[dg.AssetChecksDefinition]
) -> list["UnresolvedAssetJobDefinition"]:
    """Per load a job that puts quarantined records through the door again and rebuilds what is downstream of them."""
    return [
        dg.define_asset_job(
            definition.op.name.replace("raw_", "replay_", 1),
            selection=dg.AssetSelection.assets(definition).downstream() - dg.AssetSelection.checks(*freshness),
            config={"ops": {definition.op.name: {"config": {"replay": True}}}},
            description=(
                "Reads the quarantined records of the partition, or of the partition range, again, after a fix. What "
                "can be used now is added to the days and stands in audit.replayed_records; the rest stays. "
                "replay_dataset and replay_reason_code in the config choose some of them."
            ),
        )
        for definition in raw
    ]

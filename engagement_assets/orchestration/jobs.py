"""Jobs: which assets run together.

Belongs here: selections and their names. Not here: when they run (`orchestration/schedules.py`, `sensors/`) or what an
asset does.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import dagster as dg
from dagster._core.storage.tags import PRIORITY_TAG

from engagement_assets.assets.dbt_models import AREAS, AUDIT, CROSS_SOURCE_AREA, CROSS_SOURCE_STEP, Area
from engagement_assets.assets.engagement_report import ENGAGEMENT_REPORT

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

AssetJobs: TypeAlias = "Sequence[UnresolvedAssetJobDefinition]"

DAILY_ENGAGEMENT = "daily_engagement"
WEEKLY_ENGAGEMENT_METRICS = "weekly_engagement_metrics"
FRESHNESS = "freshness"
LOAD_AUDIT = "load_audit"
PUBLISHED_CROSS_SOURCE = dg.AssetKey(["published", CROSS_SOURCE_AREA.name])
# Each area's publication brings it along: only where there is none is it made by itself.
PUBLISHED_AUDIT = dg.AssetKey(["published", AUDIT])


@dataclass(frozen=True)
class SourceSet:
    """What one source's day is made of: its raw data, its area's models, the published copy of the area.

    `raw` and `windowed` are the partitioned assets, without and with the models; `models` is everything but the raw
    data.
    """

    source: str
    area: Area
    raw: tuple[dg.AssetKey, ...]
    windowed: tuple[dg.AssetKey, ...]
    unpartitioned_raw: tuple[dg.AssetKey, ...]
    models: tuple[dg.AssetKey, ...]

    @property
    def job_name(self) -> str:
        """The job that runs them."""
        return f"daily_{self.source}"

    @property
    def own(self) -> tuple[dg.AssetKey, ...]:
        """Those that no other source's job makes."""
        return tuple(key for key in self.keys if key.path[0] != AUDIT)

    @property
    def keys(self) -> tuple[dg.AssetKey, ...]:
        """All of them."""
        return (*self.raw, *self.unpartitioned_raw, *self.models)


def source_sets(assets: Iterable[dg.AssetsDefinition | dg.AssetSpec]) -> list[SourceSet]:
    """The sources that can be loaded; one whose settings are missing is left out."""
    definitions = [asset for asset in assets if isinstance(asset, dg.AssetsDefinition) and asset.is_executable]
    sets = []
    for area in AREAS:
        raw = [item for item in definitions if {key.path[0] for key in item.keys} == {f"raw_{area.source}"}]
        steps = [item for item in definitions if item.op.name.startswith(f"{area.name}_") or item.op.name == AUDIT]
        if area.source is None or not raw:
            continue
        sets.append(
            SourceSet(
                area.source,
                area,
                raw=_keys(item for item in raw if item.partitions_def),
                unpartitioned_raw=_keys(item for item in raw if not item.partitions_def),
                windowed=_keys(item for item in steps if item.partitions_def),
                models=(*_keys(steps), dg.AssetKey(["published", area.name])),
            )
        )
    return sets


def _keys(definitions: Iterable[dg.AssetsDefinition]) -> tuple[dg.AssetKey, ...]:
    return tuple(sorted(key for definition in definitions for key in definition.keys))


def daily_engagement_job(freshness: Sequence[dg.AssetChecksDefinition]) -> "UnresolvedAssetJobDefinition":
    """Every source's day, the models that it touches, the published copy and the report.

    Whether sources are fresh is another question, which a run over last year does not ask.
    """
    return dg.define_asset_job(
        DAILY_ENGAGEMENT,
        selection=dg.AssetSelection.all()
        - dg.AssetSelection.checks(*freshness)
        - dg.AssetSelection.assets(PUBLISHED_AUDIT),
        description="Every source's day: raw data, models, checks, the published copy and the report.",
    )


def source_jobs(sets: Sequence[SourceSet]) -> AssetJobs:
    """One job per source, which no other source can hold up; a backfill of it is one run."""
    return [
        dg.define_asset_job(
            item.job_name,
            selection=dg.AssetSelection.assets(*item.keys),
            description=f"The day of one source, {item.source}: raw data, models, checks, the published copy.",
        )
        for item in sets
    ]


def weekly_engagement_metrics_job(models: list[dg.AssetsDefinition]) -> "UnresolvedAssetJobDefinition":
    """The tables over all sources and the report alone: nothing upstream is in the run, so no source can stop it."""
    cross_source = [definition for definition in models if definition.op.name == CROSS_SOURCE_STEP]
    return dg.define_asset_job(
        WEEKLY_ENGAGEMENT_METRICS,
        selection=dg.AssetSelection.assets(*cross_source, PUBLISHED_CROSS_SOURCE, ENGAGEMENT_REPORT),
        description="The weekly tables over all sources and the report, from what the sources' tables hold now.",
    )


def load_audit_job(models: Sequence[dg.AssetsDefinition]) -> "UnresolvedAssetJobDefinition":
    """What is told of loads, held days and rejected records, alone: for loads that no area was published after."""
    audit = [definition for definition in models if definition.op.name == AUDIT]
    return dg.define_asset_job(
        LOAD_AUDIT,
        selection=dg.AssetSelection.assets(*audit, PUBLISHED_AUDIT),
        description="The audit tables and their published copy, after loads that no area was published after.",
    )


def freshness_job(freshness: Sequence[dg.AssetChecksDefinition]) -> list["UnresolvedAssetJobDefinition"]:
    """The checks whether sources are fresh, alone; no job where nobody waits for a source."""
    if not freshness:
        return []
    return [
        dg.define_asset_job(
            FRESHNESS,
            selection=dg.AssetSelection.checks(*freshness),
            # It takes a moment: while loads queue up, the next place that is free is its own.
            tags={PRIORITY_TAG: "1"},
            description="Whether every source's newest day has been loaded when it should have been.",
        )
    ]


def release_jobs(raw: Sequence[dg.AssetsDefinition], freshness: Sequence[dg.AssetChecksDefinition]) -> AssetJobs:
    """Per load a job that puts held days into the lake and rebuilds what is downstream of them."""
    return _jobs_of_loads(
        "release_",
        raw,
        freshness,
        # For the launchpad: to be filled in, since a release without a reason fails.
        {"release_reason": ""},
        "Puts the held days of the partition, or of the partition range, into the lake although they failed, "
        "and rebuilds what is downstream of them. Say why in the config: it is kept in audit.ingestion_loads.",
    )


def replay_jobs(raw: Sequence[dg.AssetsDefinition], freshness: Sequence[dg.AssetChecksDefinition]) -> AssetJobs:
    """Per load a job that reads quarantined records again and rebuilds what is downstream of them."""
    return _jobs_of_loads(
        "replay_",
        raw,
        freshness,
        {"replay": True},
        "Reads the quarantined records of the partition, or of the partition range, again, after a fix. What "
        "can be used now is added to the days and stands in audit.replayed_records; the rest stays. "
        "replay_dataset and replay_reason_code in the config choose some of them.",
    )


def _jobs_of_loads(
    prefix: str,
    raw: Sequence[dg.AssetsDefinition],
    freshness: Sequence[dg.AssetChecksDefinition],
    config: Mapping[str, Any],
    description: str,
) -> AssetJobs:
    """A job per load, with this config for it and all that is downstream."""
    return [
        dg.define_asset_job(
            definition.op.name.replace("raw_", prefix, 1),
            selection=dg.AssetSelection.assets(definition).downstream().materializable()
            - dg.AssetSelection.checks(*freshness)
            - dg.AssetSelection.assets(PUBLISHED_AUDIT),
            config={"ops": {definition.op.name: {"config": dict(config)}}},
            description=description,
        )
        for definition in raw
    ]

"""Jobs: which assets run together.

Belongs here: selections and their names. Not here: when they run (`orchestration/schedules.py`, `sensors/`) or what an
asset does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import dagster as dg

from engagement_assets.assets.dbt_models import step_name
from engagement_assets.assets.engagement_report import ENGAGEMENT_REPORT
from engagement_assets.assets.kudos_model import KUDOS_ASSETS
from engagement_assets.contracts.source import Source
from engagement_assets.dagster_internals import UnresolvedAssetJobDefinition
from engagement_assets.sources import AUDIT, CROSS_SOURCE_AREA, SOURCES

AssetJob: TypeAlias = UnresolvedAssetJobDefinition

DAILY_ENGAGEMENT = "daily_engagement"
WEEKLY_ENGAGEMENT_METRICS = "weekly_engagement_metrics"
FRESHNESS = "freshness"
LOAD_AUDIT = "load_audit"
KUDOS = "kudos"
PUBLISHED_CROSS_SOURCE = dg.AssetKey(["published", CROSS_SOURCE_AREA])
# Publishing an area publishes the audit tables too. This asset is for loads after which no area is published.
PUBLISHED_AUDIT = dg.AssetKey(["published", AUDIT])


@dataclass(frozen=True)
class SourceSet:
    """The assets that one source's day consists of: raw data, the models of its area, the published copy of the area.

    `raw` and `windowed` are partitioned: raw datasets and models. `models` is everything except raw data.
    """

    source: Source
    raw: tuple[dg.AssetKey, ...]
    windowed: tuple[dg.AssetKey, ...]
    unpartitioned_raw: tuple[dg.AssetKey, ...]
    models: tuple[dg.AssetKey, ...]

    @property
    def name(self) -> str:
        """The source's name."""
        return self.source.name

    @property
    def job_name(self) -> str:
        """The job that builds them."""
        return f"daily_{self.name}"

    @cached_property
    def job(self) -> AssetJob:
        """The job of one source, which no other source can hold up; a backfill of it is one run."""
        return dg.define_asset_job(
            self.job_name,
            selection=dg.AssetSelection.assets(*self.keys),
            description=f"The day of one source, {self.name}: raw data, models, checks, the published copy.",
        )

    @property
    def own(self) -> tuple[dg.AssetKey, ...]:
        """Those that no other source's job builds."""
        return tuple(key for key in self.keys if key.path[0] != AUDIT)

    @property
    def keys(self) -> tuple[dg.AssetKey, ...]:
        """All of them."""
        return (*self.raw, *self.unpartitioned_raw, *self.models)


def source_sets(assets: Iterable[dg.AssetsDefinition | dg.AssetSpec]) -> list[SourceSet]:
    """The sources that can be loaded; a source without its settings is left out."""
    definitions = [asset for asset in assets if isinstance(asset, dg.AssetsDefinition) and asset.is_executable]
    sets = []
    for source in SOURCES:
        raw = [item for item in definitions if {key.path[0] for key in item.keys} == {f"raw_{source.name}"}]
        steps = [item for item in definitions if item.op.name in {step_name(source.area), step_name(AUDIT)}]
        if not raw:
            continue
        sets.append(
            SourceSet(
                source,
                raw=_keys(item for item in raw if item.partitions_def),
                unpartitioned_raw=_keys(item for item in raw if not item.partitions_def),
                windowed=tuple(sorted(spec.key for step in steps for spec in step.specs if spec.partitions_def)),
                models=(*_keys(steps), dg.AssetKey(["published", source.area])),
            )
        )
    return sets


def _keys(definitions: Iterable[dg.AssetsDefinition]) -> tuple[dg.AssetKey, ...]:
    return tuple(sorted(key for definition in definitions for key in definition.keys))


def asset_jobs(
    raw: Sequence[dg.AssetsDefinition],
    models: Sequence[dg.AssetsDefinition],
    freshness: Sequence[dg.AssetChecksDefinition],
    *,
    trains: bool,
) -> list[AssetJob]:
    """All jobs over assets, except those of single sources (`SourceSet.job`).

    `trains` says whether the model of kudos can be trained here. `freshness` are the checks whether a source's newest
    day is there. A run over last year does not ask that, so they are in no job but their own.
    """
    # The publishing of each area takes the audit tables along.
    without = dg.AssetSelection.checks(*freshness) | dg.AssetSelection.assets(PUBLISHED_AUDIT)
    # The model has no days, and a daily run does not wait for it. So it is in a job for people and shells alone; the
    # sensor `kudos_model` requests its assets without one.
    of_kudos = dg.AssetSelection.assets(*KUDOS_ASSETS)

    cross_source = [definition for definition in models if definition.op.name == step_name(CROSS_SOURCE_AREA)]
    audit = [definition for definition in models if definition.op.name == step_name(AUDIT)]

    def jobs_of_loads(command: str, config: dict[str, Any], description: str) -> list[AssetJob]:
        """A job per load, which does with this config for the load what a command does from a shell.

        It has the load alone: the UI lists a job on the page of each of its assets.
        """
        tables = f"The sensor late_data builds the tables; where it is off, `make {command}` builds them as well."
        return [
            dg.define_asset_job(
                load.op.name.replace("raw", command, 1),
                selection=dg.AssetSelection.assets(load) - without,
                config={"ops": {load.op.name: {"config": config}}},
                description=f"{description} {tables}",
            )
            for load in raw
        ]

    jobs = [
        dg.define_asset_job(
            DAILY_ENGAGEMENT,
            selection=dg.AssetSelection.all() - without - of_kudos,
            description="Every source's day: raw data, models, checks, the published copy and the report.",
        ),
        # Nothing upstream is in this run, so no source can stop it.
        dg.define_asset_job(
            WEEKLY_ENGAGEMENT_METRICS,
            selection=dg.AssetSelection.assets(*cross_source, PUBLISHED_CROSS_SOURCE, ENGAGEMENT_REPORT),
            description="The weekly tables over all sources and the report, from what the sources' tables hold now.",
        ),
        dg.define_asset_job(
            LOAD_AUDIT,
            selection=dg.AssetSelection.assets(*audit, PUBLISHED_AUDIT),
            description="The audit tables and their published copy, after loads after which no area was published.",
        ),
        *jobs_of_loads(
            "release",
            # Shown in the launchpad to be filled in: a release without a reason fails.
            {"release_reason": ""},
            "Puts the held days of the partition, or of the partition range, into the lake although they failed. Give "
            "the reason in the config: audit.ingestion_loads keeps it.",
        ),
        *jobs_of_loads(
            "replay",
            {"replay": True},
            "Reads the quarantined records of the partition, or of the partition range, again, after a fix. Records "
            "that can be used now are added to the days and listed in audit.replayed_records, as are those that cannot "
            "be rebuilt from their landing files. The others stay in quarantine. replay_dataset and replay_reason_code "
            "in the config limit what is read.",
        ),
    ]
    if trains:
        jobs.append(
            dg.define_asset_job(
                KUDOS,
                selection=of_kudos,
                description="The model of kudos, trained if a complete week has arrived, and its predictions.",
            )
        )
    if freshness:
        jobs.append(
            dg.define_asset_job(
                FRESHNESS,
                selection=dg.AssetSelection.checks(*freshness),
                # It takes a moment, so it goes ahead of the loads in the queue.
                tags={"dagster/priority": "1"},
                description="Whether every source's newest day was loaded by its deadline.",
            )
        )
    return jobs

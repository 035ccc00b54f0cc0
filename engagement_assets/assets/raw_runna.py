"""Raw assets of Runna: the activity files of a batch date, in one pass, as activities, laps and workout steps.

Belongs here: which checks judge a batch. Not here: how a file is read (see `extract/runna.py`).
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from engagement_assets.assets.raw_load import (
    LoadConfig,
    door_check_specs,
    publish_or_hold,
    raw_spec,
    standard_verdicts,
)
from engagement_assets.assets.raw_release import release_held_days
from engagement_assets.assets.retries import trying_again
from engagement_assets.checks.catalog import HAS_NOT_SHRUNK
from engagement_assets.checks.raw_door import has_not_shrunk
from engagement_assets.extract import runna
from engagement_assets.extract.landing import Landing
from engagement_assets.lake.datasets import (
    RUNNA_ACTIVITIES,
    RUNNA_ACTIVITY_LAPS,
    RUNNA_WORKOUT_STEPS,
)
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import open_load
from engagement_assets.partitions import daily_partitions, window_of
from engagement_assets.settings import Settings

DATASETS = (RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS, RUNNA_WORKOUT_STEPS)


def raw_runna_assets(settings: Settings) -> dg.AssetsDefinition:
    """The three Runna datasets as one step, partitioned by batch date."""
    partitions = daily_partitions(settings.start_date)

    @dg.multi_asset(
        name="raw_runna",
        specs=[raw_spec(dataset, partitions, settings) for dataset in DATASETS],
        check_specs=door_check_specs(DATASETS, (HAS_NOT_SHRUNK, RUNNA_ACTIVITIES)),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="raw_runna",
    )
    def raw_runna(
        context: dg.AssetExecutionContext, config: LoadConfig, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        window = window_of(context)
        if (reason := config.release_reason) is not None:
            yield from release_held_days(context, settings, "runna", DATASETS, window=window, reason=reason)
            return
        with (
            trying_again(settings, context),
            open_load(
                Lake(settings.lake_uri),
                "runna",
                run_id=context.run.run_id,
                memory_limit=settings.runna_memory_limit,
            ) as load,
        ):
            extraction = runna.extract(
                load.connection,
                Landing(settings.landing_uri),
                window,
                load.workdir,
                extracted_at=load.started_at,
                processes=settings.extract_processes,
                progress=context.log.info,
            )
            load.write_aside(extraction, window)
            verdicts = standard_verdicts(load, DATASETS, settings)
            verdicts.append(
                has_not_shrunk(
                    load,
                    RUNNA_ACTIVITIES,
                    extraction.files_read,
                    allow_shrink=config.allow_shrink or settings.allow_shrink,
                )
            )
            yield from publish_or_hold(context, load, DATASETS, verdicts, window, settings=settings)

    return raw_runna

"""Raw assets of Runna: the activity files of a batch date, in one pass, as activities, laps and workout steps.

Belongs here: which checks judge a batch. Not here: how a file is read (see `extract/runna.py`).
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from engagement_assets.assets.raw_load import LoadConfig, publish_or_hold, raw_spec
from engagement_assets.assets.retries import trying_again
from engagement_assets.checks.raw_door import (
    HAS_NOT_SHRUNK,
    HAS_NOT_SHRUNK_DESCRIPTION,
    RECONCILES,
    RECONCILES_DESCRIPTION,
    check_spec,
    has_not_shrunk,
    reconciles,
)
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


def raw_runna_assets(start_date: date) -> dg.AssetsDefinition:
    """The three Runna datasets as one step, partitioned by batch date."""
    partitions = daily_partitions(start_date)

    @dg.multi_asset(
        name="raw_runna",
        specs=[raw_spec(dataset, partitions) for dataset in DATASETS],
        check_specs=[
            *(check_spec(RECONCILES, dataset, RECONCILES_DESCRIPTION) for dataset in DATASETS),
            check_spec(HAS_NOT_SHRUNK, RUNNA_ACTIVITIES, HAS_NOT_SHRUNK_DESCRIPTION),
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="raw_runna",
    )
    def raw_runna(
        context: dg.AssetExecutionContext, config: LoadConfig, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        window = window_of(context)
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
            counts = load.counts()
            verdicts = [
                reconciles(dataset, [day for day in counts if day.dataset == dataset.key]) for dataset in DATASETS
            ]
            verdicts.append(
                has_not_shrunk(
                    load,
                    RUNNA_ACTIVITIES,
                    extraction.files_read,
                    allow_shrink=config.allow_shrink or settings.allow_shrink,
                )
            )
            yield from publish_or_hold(context, load, DATASETS, verdicts, window)

    return raw_runna

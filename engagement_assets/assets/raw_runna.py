"""Raw assets of Runna: the activity files of a batch date, in one pass, as activities, laps and workout steps.

Belongs here: which checks judge a batch. Not here: how a file is read (see `extract/runna.py`).
"""

from collections.abc import Callable, Iterator, Sequence
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
from engagement_assets.assets.raw_replay import replay_quarantine
from engagement_assets.assets.retries import trying_again
from engagement_assets.checks.catalog import HAS_NOT_SHRUNK
from engagement_assets.checks.raw_door import has_not_shrunk
from engagement_assets.extract import runna
from engagement_assets.extract.extraction import DayWindow
from engagement_assets.extract.landing import Landing
from engagement_assets.extract.quarantined import QuarantinedRecord, Reread, write_documents
from engagement_assets.lake.datasets import (
    RUNNA_ACTIVITIES,
    RUNNA_ACTIVITY_LAPS,
    RUNNA_WORKOUT_STEPS,
)
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import Load, open_load
from engagement_assets.lake.replay import SourceTraits
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
        if config.replay:
            yield from replay_quarantine(
                context,
                settings,
                config,
                "runna",
                DATASETS,
                window=window,
                read=lambda load, records: _reread(load, records, window, settings, context.log.info),
                traits=SourceTraits(by_file=True),
            )
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


def _reread(
    load: Load,
    records: Sequence[QuarantinedRecord],
    window: DayWindow,
    settings: Settings,
    progress: Callable[[str], None],
) -> Reread:
    folder = load.workdir / "records"
    keys = write_documents(records, Landing(settings.landing_uri), folder, runna.BATCHES_PREFIX, ".json")
    extraction = runna.extract(
        load.connection,
        Landing(str(folder)),
        window,
        load.workdir,
        extracted_at=load.started_at,
        processes=settings.extract_processes,
        progress=progress,
    )
    return Reread(keys, extraction)

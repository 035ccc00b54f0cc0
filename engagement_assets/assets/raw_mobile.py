"""Raw asset of the scooter app: mobile events by day.

Belongs here: which checks judge a load. Not here: how rows are read (see `extract/mobile.py`).
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
from engagement_assets.extract import mobile
from engagement_assets.extract.extraction import DayWindow
from engagement_assets.extract.file_index import FileIndex
from engagement_assets.extract.landing import Landing
from engagement_assets.extract.quarantined import QuarantinedRecord, Reread, write_lines
from engagement_assets.lake.datasets import MOBILE_EVENTS
from engagement_assets.lake.known_records import quarantined_days
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import Load, open_load
from engagement_assets.lake.replay import SourceTraits
from engagement_assets.partitions import daily_partitions, window_of
from engagement_assets.settings import Settings


def raw_mobile_assets(settings: Settings) -> dg.AssetsDefinition:
    """Events, partitioned by the day on which they were created."""
    dataset = MOBILE_EVENTS

    @dg.multi_asset(
        name="raw_mobile_events",
        specs=[raw_spec(dataset, daily_partitions(settings.start_date), settings)],
        check_specs=door_check_specs([dataset]),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="raw_mobile_events",
    )
    def raw_mobile_events(
        context: dg.AssetExecutionContext, config: LoadConfig, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        window = window_of(context)
        if (reason := config.release_reason) is not None:
            yield from release_held_days(context, settings, "mobile_events", [dataset], window=window, reason=reason)
            return
        if config.replay:
            yield from replay_quarantine(
                context,
                settings,
                config,
                "mobile_events",
                [dataset],
                window=window,
                read=lambda load, records: _reread(load, records, window, context.log.info),
                traits=SourceTraits(needs_header=True),
            )
            return
        lake = Lake(settings.lake_uri)
        index_uri = lake.location("index/mobile_events.json")
        index = FileIndex.load(index_uri)
        with (
            trying_again(settings, context),
            open_load(
                lake, "mobile_events", run_id=context.run.run_id, memory_limit=settings.duckdb_memory_limit
            ) as load,
        ):
            extraction = mobile.extract_events(
                load.connection,
                Landing(settings.landing_uri),
                window,
                load.workdir,
                index=index,
                extracted_at=load.started_at,
                known_undated_days=quarantined_days(load, dataset),
                progress=context.log.info,
            )
            forget = config.allow_shrink or settings.allow_shrink
            load.write_aside(extraction, window, forget=forget, take_over_held=True)
            verdicts = standard_verdicts(load, [dataset], settings)
            yield from publish_or_hold(context, load, [dataset], verdicts, window, settings=settings)
        index.save(index_uri)

    return raw_mobile_events


def _reread(
    load: Load, records: Sequence[QuarantinedRecord], window: DayWindow, progress: Callable[[str], None]
) -> Reread:
    folder = load.workdir / "records"
    keys = write_lines(records, folder, mobile.EVENTS_PREFIX, ".csv")
    index = FileIndex()
    extraction = mobile.extract_events(
        load.connection,
        Landing(str(folder)),
        window,
        load.workdir,
        index=index,
        extracted_at=load.started_at,
        known_undated_days={keys[record.number]: record.day for record in records},
        progress=progress,
    )
    return Reread(keys, extraction, index.without_days(window))

"""Raw assets of the learning app: events by day, users and activities from full snapshots.

Belongs here: which checks judge a load. Not here: how lines are read (see `extract/lingokids.py`).
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
from engagement_assets.extract import lingokids
from engagement_assets.extract.extraction import DayWindow, Extraction
from engagement_assets.extract.file_index import FileIndex
from engagement_assets.extract.landing import Landing
from engagement_assets.extract.quarantined import QuarantinedRecord, Reread, write_lines
from engagement_assets.lake.datasets import (
    LINGOKIDS_ACTIVITIES,
    LINGOKIDS_EVENTS,
    LINGOKIDS_USERS,
    Dataset,
)
from engagement_assets.lake.known_records import quarantined_days
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import Load, open_load
from engagement_assets.lake.replay import SourceTraits
from engagement_assets.partitions import daily_partitions, window_of
from engagement_assets.settings import Settings


def raw_lingokids_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """Events, partitioned by the day on which they occurred; users and activities, whole."""
    return [
        _events_asset(settings),
        _snapshot_asset(settings, LINGOKIDS_USERS, lingokids.extract_users),
        _snapshot_asset(settings, LINGOKIDS_ACTIVITIES, lingokids.extract_activities),
    ]


def _events_asset(settings: Settings) -> dg.AssetsDefinition:
    dataset = LINGOKIDS_EVENTS

    @dg.multi_asset(
        name="raw_lingokids_events",
        specs=[raw_spec(dataset, daily_partitions(settings.start_date), settings)],
        check_specs=door_check_specs([dataset]),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="raw_lingokids_events",
    )
    def raw_lingokids_events(
        context: dg.AssetExecutionContext, config: LoadConfig, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        window = window_of(context)
        if (reason := config.release_reason) is not None:
            yield from release_held_days(context, settings, "lingokids_events", [dataset], window=window, reason=reason)
            return
        if config.replay:
            yield from replay_quarantine(
                context,
                settings,
                config,
                "lingokids_events",
                [dataset],
                window=window,
                read=lambda load, records: _reread_events(load, records, window, context.log.info),
                traits=SourceTraits(has_pseudonyms=settings.pseudonym_key is not None),
            )
            return
        lake = Lake(settings.lake_uri)
        index_uri = lake.location("index/lingokids_events.json")
        index = FileIndex.load(index_uri)
        with (
            trying_again(settings, context),
            open_load(
                lake, "lingokids_events", run_id=context.run.run_id, memory_limit=settings.duckdb_memory_limit
            ) as load,
        ):
            extraction = lingokids.extract_events(
                load.connection,
                Landing(settings.landing_uri),
                window,
                load.workdir,
                index=index,
                pseudonym_key=settings.pseudonym_key_text,
                extracted_at=load.started_at,
                known_undated_days=quarantined_days(load, dataset),
                progress=context.log.info,
            )
            forget = config.allow_shrink or settings.allow_shrink
            load.write_aside(extraction, window, forget=forget, take_over_held=True)
            verdicts = standard_verdicts(load, [dataset], settings)
            yield from publish_or_hold(context, load, [dataset], verdicts, window, settings=settings)
        index.save(index_uri)

    return raw_lingokids_events


def _snapshot_asset(settings: Settings, dataset: Dataset, extract: Callable[..., Extraction]) -> dg.AssetsDefinition:
    name = dataset.key.replace("/", "_")
    load_name = name.removeprefix("raw_")

    @dg.multi_asset(
        name=name,
        specs=[raw_spec(dataset, None, settings)],
        check_specs=door_check_specs([dataset]),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=name,
    )
    def raw_snapshot(
        context: dg.AssetExecutionContext, config: LoadConfig, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        if (reason := config.release_reason) is not None:
            yield from release_held_days(context, settings, load_name, [dataset], window=None, reason=reason)
            return
        if config.replay:
            yield from replay_quarantine(
                context,
                settings,
                config,
                load_name,
                [dataset],
                window=None,
                read=lambda load, records: _reread_snapshots(load, records, dataset, extract, context.log.info),
                traits=SourceTraits(has_pseudonyms=settings.pseudonym_key is not None),
            )
            return
        with (
            trying_again(settings, context),
            open_load(
                Lake(settings.lake_uri),
                load_name,
                run_id=context.run.run_id,
                memory_limit=settings.duckdb_memory_limit,
            ) as load,
        ):
            extraction = extract(
                load.connection,
                Landing(settings.landing_uri),
                load.workdir,
                pseudonym_key=settings.pseudonym_key_text,
                extracted_at=load.started_at,
                progress=context.log.info,
            )
            forget = config.allow_shrink or settings.allow_shrink
            load.write_aside(extraction, None, forget=forget, take_over_held=True)
            verdicts = standard_verdicts(load, [dataset], settings)
            yield from publish_or_hold(context, load, [dataset], verdicts, None, settings=settings)

    return raw_snapshot


def _reread_events(
    load: Load, records: Sequence[QuarantinedRecord], window: DayWindow, progress: Callable[[str], None]
) -> Reread:
    folder = load.workdir / "records"
    keys = write_lines(records, folder, lingokids.EVENTS_PREFIX, ".jsonl")
    index = FileIndex()
    extraction = lingokids.extract_events(
        load.connection,
        Landing(str(folder)),
        window,
        load.workdir,
        index=index,
        # Where there is a key, the texts hold pseudonyms already.
        pseudonym_key=None,
        extracted_at=load.started_at,
        known_undated_days={keys[record.number]: record.day for record in records},
        progress=progress,
    )
    return Reread(keys, extraction, index.without_days(window))


def _reread_snapshots(
    load: Load,
    records: Sequence[QuarantinedRecord],
    dataset: Dataset,
    extract: Callable[..., Extraction],
    progress: Callable[[str], None],
) -> Reread:
    folder = load.workdir / "records"
    prefix = {LINGOKIDS_USERS: lingokids.USERS_PREFIX, LINGOKIDS_ACTIVITIES: lingokids.ACTIVITIES_PREFIX}[dataset]
    keys = write_lines(records, folder, prefix, ".jsonl")
    extraction = extract(
        load.connection,
        Landing(str(folder)),
        load.workdir,
        pseudonym_key=None,
        extracted_at=load.started_at,
        progress=progress,
    )
    return Reread(keys, extraction)

"""Raw assets of sources whose files hold one record per line, from the descriptions of these files.

Belongs here: how such files are loaded and which checks judge a load. Not here: how lines are read (`extract/lines/`),
or what a source's lines hold (its own module in `extract/`).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import dagster as dg

from engagement_assets.assets.raw_load import publish_or_hold, standard_outcomes
from engagement_assets.assets.raw_source import RawResults, RawRun, RawSource
from engagement_assets.checks.landing_zone import every_file_is_read, files_hold_what_was_loaded
from engagement_assets.contracts.load_checks import EVERY_FILE_IS_READ, FILES_HOLD_WHAT_WAS_LOADED
from engagement_assets.contracts.quarantine import QuarantinedRecord, Reread
from engagement_assets.extract.landing.event_files import WantedDays
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.landing.index import FileIndex
from engagement_assets.extract.lines.readers import EventLog, LineReader, Snapshots
from engagement_assets.extract.quarantined import write_lines
from engagement_assets.extract.reading import Reading
from engagement_assets.lake.known_records import quarantined_days
from engagement_assets.lake.load import Load
from engagement_assets.lake.replay import SourceTraits


def event_log_load(files: EventLog) -> RawSource:
    """A dataset that is partitioned by the day of its records."""
    dataset = files.dataset

    def load_events(run: RawRun) -> RawResults:
        index = FileIndex.load(run.index_uri)
        with run.open_load(window=run.window) as load:
            calendar = run.settings.calendar_at(load.started_at)
            days = WantedDays(
                window=run.window,
                calendar=calendar,
                index=index,
                known_undated_days=quarantined_days(load, dataset, calendar),
                pruned_days=frozenset(run.lake.all_pruned_days(dataset)),
            )
            extraction = files.extract(_reading(run, load), days)
            load.stage(extraction, run.window, forget=run.allow_shrink, take_over_held=True)
            outcomes = [
                *standard_outcomes(load, [dataset], run.settings),
                every_file_is_read(dataset, [*extraction.never_read, *run.paths_beside(files.prefix)]),
                files_hold_what_was_loaded(load, dataset, extraction.files_there),
            ]
            try:
                yield from publish_or_hold(run, load, outcomes)
            except dg.Failure:
                # A held day was read as well: the landing sensor need not request it once more.
                index.save(run.index_uri)
                raise
        index.save(run.index_uri)

    def reread(run: RawRun, load: Load, records: Sequence[QuarantinedRecord]) -> Reread:
        keys, reading = _reading_of_records(run, load, files, records)
        calendar = run.settings.calendar_at(load.started_at)
        days = WantedDays(
            window=run.window,
            calendar=calendar,
            index=FileIndex(),
            known_undated_days={keys[record.number]: {record.day} for record in records if record.number in keys},
        )
        extraction = files.extract(reading, days)
        return Reread(keys, extraction, days.index.without_days(run.window, calendar))

    return RawSource(
        datasets=[dataset],
        load=load_events,
        reread=reread,
        traits=SourceTraits(needs_header=files.is_csv),
        checks=[(check, dataset) for check in (EVERY_FILE_IS_READ, FILES_HOLD_WHAT_WAS_LOADED)],
        days_are_apart=True,
    )


def snapshots_load(files: Snapshots) -> RawSource:
    """A dataset of full snapshots, whose records have no day."""
    dataset = files.dataset

    def load_snapshots(run: RawRun) -> RawResults:
        with run.open_load() as load:
            extraction = files.extract(_reading(run, load))
            load.stage(extraction, None, forget=run.allow_shrink, take_over_held=True)
            outcomes = [
                *standard_outcomes(load, [dataset], run.settings),
                every_file_is_read(dataset, [*extraction.never_read, *run.paths_beside(files.prefix)]),
            ]
            yield from publish_or_hold(run, load, outcomes)

    def reread(run: RawRun, load: Load, records: Sequence[QuarantinedRecord]) -> Reread:
        keys, reading = _reading_of_records(run, load, files, records)
        return Reread(keys, files.extract(reading))

    return RawSource(
        datasets=[dataset],
        load=load_snapshots,
        reread=reread,
        traits=SourceTraits(needs_header=files.is_csv),
        checks=[(EVERY_FILE_IS_READ, dataset)],
    )


def _reading(run: RawRun, load: Load) -> Reading:
    return Reading(
        connection=load.connection,
        landing=Landing(run.settings.landing_uri),
        workdir=load.workdir,
        extracted_at=load.started_at,
        progress=run.progress,
        settled_before=load.started_at - timedelta(seconds=run.settings.landing_settle_s),
    )


def _reading_of_records(
    run: RawRun, load: Load, files: LineReader, records: Sequence[QuarantinedRecord]
) -> tuple[dict[int, str], Reading]:
    """How quarantined records are read again, and the key of each record's file, by the record's number."""
    reading, folder = _reading(run, load), load.workdir / "records"
    rebuilt = files.rebuilt(records, reading.landing, load.workdir / "files")
    keys = write_lines(rebuilt, folder, files.prefix, files.suffixes[0])
    return keys, replace(reading, landing=Landing(str(folder)), settled_before=None)

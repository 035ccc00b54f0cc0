"""Raw asset of the scooter app: mobile events by day.

Belongs here: which checks judge a load. Not here: how rows are read (see `extract/mobile.py`).
"""

from collections.abc import Sequence

from engagement_assets.assets.raw_load import publish_or_hold, standard_outcomes
from engagement_assets.assets.raw_source import RawResults, RawRun, RawSource
from engagement_assets.checks.landing_zone import every_file_is_read, files_hold_what_was_loaded
from engagement_assets.contracts.load_checks import EVERY_FILE_IS_READ, FILES_HOLD_WHAT_WAS_LOADED
from engagement_assets.contracts.quarantine import QuarantinedRecord, Reread
from engagement_assets.extract import mobile
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.landing.index import FileIndex
from engagement_assets.extract.mobile import MOBILE_EVENTS
from engagement_assets.extract.quarantined import write_lines
from engagement_assets.lake.known_records import quarantined_days
from engagement_assets.lake.load import Load
from engagement_assets.lake.replay import SourceTraits
from engagement_assets.settings import Settings


def mobile_loads(_settings: Settings) -> list[RawSource]:
    """Events, partitioned by the day on which they were created."""
    return [
        RawSource(
            load_name="mobile_events",
            datasets=[MOBILE_EVENTS],
            load=_load,
            reread=_reread,
            traits=SourceTraits(needs_header=True),
            checks=[(check, MOBILE_EVENTS) for check in (EVERY_FILE_IS_READ, FILES_HOLD_WHAT_WAS_LOADED)],
        )
    ]


def _load(run: RawRun) -> RawResults:
    index = FileIndex.load(run.index_uri)
    with run.open_load() as load:
        calendar = run.settings.calendar_at(load.started_at)
        extraction = mobile.extract_events(
            load.connection,
            Landing(run.settings.landing_uri),
            run.window,
            load.workdir,
            index=index,
            extracted_at=load.started_at,
            known_undated_days=quarantined_days(load, MOBILE_EVENTS, calendar),
            calendar=calendar,
            progress=run.progress,
        )
        load.stage(extraction, run.window, forget=run.allow_shrink, take_over_held=True)
        outcomes = [
            *standard_outcomes(load, [MOBILE_EVENTS], run.settings),
            every_file_is_read(MOBILE_EVENTS, extraction.never_read),
            files_hold_what_was_loaded(load, MOBILE_EVENTS, extraction.files_there),
        ]
        yield from publish_or_hold(run, load, outcomes)
    index.save(run.index_uri)


def _reread(run: RawRun, load: Load, records: Sequence[QuarantinedRecord]) -> Reread:
    folder = load.workdir / "records"
    keys = write_lines(records, folder, mobile.EVENTS_PREFIX, ".csv")
    index, calendar = FileIndex(), run.settings.calendar_at(load.started_at)
    extraction = mobile.extract_events(
        load.connection,
        Landing(str(folder)),
        run.window,
        load.workdir,
        index=index,
        extracted_at=load.started_at,
        known_undated_days={keys[record.number]: {record.day} for record in records},
        calendar=calendar,
        progress=run.progress,
    )
    return Reread(keys, extraction, index.without_days(run.window, calendar))

"""Raw assets of the learning app: events by day, users and activities from full snapshots.

Belongs here: which checks judge a load. Not here: how lines are read (see `extract/lingokids.py`).
"""

from collections.abc import Callable, Sequence

from engagement_assets.assets.raw_load import publish_or_hold, standard_outcomes
from engagement_assets.assets.raw_source import RawResults, RawRun, RawSource
from engagement_assets.checks.landing_zone import every_file_is_read, files_hold_what_was_loaded
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import Extraction
from engagement_assets.contracts.load_checks import EVERY_FILE_IS_READ, FILES_HOLD_WHAT_WAS_LOADED
from engagement_assets.contracts.quarantine import QuarantinedRecord, Reread
from engagement_assets.extract import lingokids
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.landing.index import FileIndex
from engagement_assets.extract.lingokids import LINGOKIDS_ACTIVITIES, LINGOKIDS_EVENTS, LINGOKIDS_USERS
from engagement_assets.extract.quarantined import write_lines
from engagement_assets.lake.known_records import quarantined_days
from engagement_assets.lake.load import Load
from engagement_assets.lake.replay import SourceTraits
from engagement_assets.settings import Settings


def lingokids_loads(settings: Settings) -> list[RawSource]:
    """Events, partitioned by the day on which they occurred; users and activities, whole."""
    traits = SourceTraits(has_pseudonyms=settings.pseudonym_key is not None)
    events = RawSource(
        load_name="lingokids_events",
        datasets=[LINGOKIDS_EVENTS],
        load=_load_events,
        reread=_reread_events,
        traits=traits,
        checks=[(check, LINGOKIDS_EVENTS) for check in (EVERY_FILE_IS_READ, FILES_HOLD_WHAT_WAS_LOADED)],
    )
    users = _snapshot(LINGOKIDS_USERS, lingokids.extract_users, lingokids.USERS_PREFIX, traits)
    activities = _snapshot(LINGOKIDS_ACTIVITIES, lingokids.extract_activities, lingokids.ACTIVITIES_PREFIX, traits)
    return [events, users, activities]


def _load_events(run: RawRun) -> RawResults:
    index = FileIndex.load(run.index_uri)
    with run.open_load() as load:
        calendar = run.settings.calendar_at(load.started_at)
        extraction = lingokids.extract_events(
            load.connection,
            Landing(run.settings.landing_uri),
            run.window,
            load.workdir,
            index=index,
            pseudonym_key=run.settings.pseudonym_key_text,
            extracted_at=load.started_at,
            known_undated_days=quarantined_days(load, LINGOKIDS_EVENTS, calendar),
            calendar=calendar,
            progress=run.progress,
        )
        load.stage(extraction, run.window, forget=run.allow_shrink, take_over_held=True)
        outcomes = [
            *standard_outcomes(load, [LINGOKIDS_EVENTS], run.settings),
            every_file_is_read(LINGOKIDS_EVENTS, extraction.never_read),
            files_hold_what_was_loaded(load, LINGOKIDS_EVENTS, extraction.files_there),
        ]
        yield from publish_or_hold(run, load, outcomes)
    index.save(run.index_uri)


def _reread_events(run: RawRun, load: Load, records: Sequence[QuarantinedRecord]) -> Reread:
    folder = load.workdir / "records"
    keys = write_lines(records, folder, lingokids.EVENTS_PREFIX, ".jsonl")
    index, calendar = FileIndex(), run.settings.calendar_at(load.started_at)
    extraction = lingokids.extract_events(
        load.connection,
        Landing(str(folder)),
        run.window,
        load.workdir,
        index=index,
        # Where there is a key, the texts hold pseudonyms already.
        pseudonym_key=None,
        extracted_at=load.started_at,
        known_undated_days={keys[record.number]: {record.day} for record in records},
        calendar=calendar,
        progress=run.progress,
    )
    return Reread(keys, extraction, index.without_days(run.window, calendar))


def _snapshot(dataset: Dataset, extract: Callable[..., Extraction], prefix: str, traits: SourceTraits) -> RawSource:
    """A dataset of full snapshots, whose days are those of no record."""

    def load_snapshots(run: RawRun) -> RawResults:
        with run.open_load() as load:
            extraction = extract(
                load.connection,
                Landing(run.settings.landing_uri),
                load.workdir,
                pseudonym_key=run.settings.pseudonym_key_text,
                extracted_at=load.started_at,
                progress=run.progress,
            )
            load.stage(extraction, None, forget=run.allow_shrink, take_over_held=True)
            outcomes = [
                *standard_outcomes(load, [dataset], run.settings),
                every_file_is_read(dataset, extraction.never_read),
            ]
            yield from publish_or_hold(run, load, outcomes)

    def reread(run: RawRun, load: Load, records: Sequence[QuarantinedRecord]) -> Reread:
        folder = load.workdir / "records"
        keys = write_lines(records, folder, prefix, ".jsonl")
        extraction = extract(
            load.connection,
            Landing(str(folder)),
            load.workdir,
            pseudonym_key=None,
            extracted_at=load.started_at,
            progress=run.progress,
        )
        return Reread(keys, extraction)

    return RawSource(
        load_name=dataset.load_name,
        datasets=[dataset],
        load=load_snapshots,
        reread=reread,
        traits=traits,
        checks=[(EVERY_FILE_IS_READ, dataset)],
    )

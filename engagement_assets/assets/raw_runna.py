"""Raw assets of Runna: the activity files of a batch date, in one pass, as activities, laps and workout steps.

Belongs here: which checks judge a batch. Not here: how a file is read (see `extract/runna/extraction.py`).
"""

from collections.abc import Sequence

from engagement_assets.assets.raw_load import publish_or_hold, standard_outcomes
from engagement_assets.assets.raw_source import RawResults, RawRun, RawSource
from engagement_assets.checks.landing_zone import every_file_is_read
from engagement_assets.checks.standard import batch_has_not_shrunk
from engagement_assets.contracts.extraction import Extraction
from engagement_assets.contracts.load_checks import EVERY_FILE_IS_READ, HAS_NOT_SHRUNK
from engagement_assets.contracts.quarantine import QuarantinedRecord, Reread
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.quarantined import write_documents
from engagement_assets.extract.runna import extraction as runna
from engagement_assets.extract.runna.source import RUNNA, RUNNA_ACTIVITIES
from engagement_assets.lake.load import Load
from engagement_assets.lake.replay import SourceTraits
from engagement_assets.settings import Settings


def runna_loads(_settings: Settings) -> list[RawSource]:
    """The three Runna datasets as one step, partitioned by batch date."""
    return [
        RawSource(
            datasets=RUNNA.datasets,
            load=_load,
            reread=_reread,
            traits=SourceTraits(by_file=True),
            checks=[(check, RUNNA_ACTIVITIES) for check in (HAS_NOT_SHRUNK, EVERY_FILE_IS_READ)],
            days_are_apart=True,
        )
    ]


def _load(run: RawRun) -> RawResults:
    with run.open_load(memory_limit=run.settings.runna_memory_limit, window=run.window) as load:
        extraction = _extract(run, load, run.settings.landing_uri)
        load.stage(extraction, run.window)
        outcomes = [
            *standard_outcomes(load, RUNNA.datasets, run.settings),
            batch_has_not_shrunk(load, RUNNA_ACTIVITIES, extraction.files_read, allow_shrink=run.allow_shrink),
            every_file_is_read(RUNNA_ACTIVITIES, [*extraction.never_read, *run.paths_beside(runna.BATCHES_PREFIX)]),
        ]
        yield from publish_or_hold(run, load, outcomes)


def _reread(run: RawRun, load: Load, records: Sequence[QuarantinedRecord]) -> Reread:
    folder = load.workdir / "records"
    keys = write_documents(records, Landing(run.settings.landing_uri), folder, runna.BATCHES_PREFIX, ".json")
    return Reread(keys, _extract(run, load, str(folder)))


def _extract(run: RawRun, load: Load, landing_uri: str) -> Extraction:
    reading = runna.BatchReading(
        load.connection,
        Landing(landing_uri),
        run.window,
        load.workdir,
        run.settings.calendar_at(load.started_at),
        load.started_at,
        run.progress,
        run.settings.extract_processes,
    )
    return runna.extract(reading)

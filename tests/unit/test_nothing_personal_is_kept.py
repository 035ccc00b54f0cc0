"""The audit of personal data: marked values in every field of every source, and a search of all that loads keep."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engagement_assets.assets.raw_load import preview
from engagement_assets.checks.standard import rejected_share, schema_drift
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.event_identity import EventIdentity
from engagement_assets.contracts.extraction import ALL_DAYS, DayWindow, Extraction
from engagement_assets.contracts.kept_places import KeptPlaces
from engagement_assets.contracts.personal import ID_KINDS
from engagement_assets.extract.landing.event_files import WantedDays
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.landing.index import FileIndex
from engagement_assets.extract.lines.readers import EventLog, Snapshots
from engagement_assets.extract.lingokids import LINGOKIDS
from engagement_assets.extract.mobile import MOBILE
from engagement_assets.extract.reading import Reading
from engagement_assets.extract.runna import extraction as runna
from engagement_assets.extract.runna.source import RUNNA
from engagement_assets.extract.services.extraction import ServiceReading
from engagement_assets.extract.services.pages import Page
from engagement_assets.extract.strava import extraction as strava
from engagement_assets.extract.strava.listing import Listing
from engagement_assets.extract.strava.places import SeasonPlaces
from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES
from engagement_assets.extract.user_events import extraction as user_events
from engagement_assets.lake.day_files import rows_of
from engagement_assets.lake.extraction_tables import reject_reasons, unknown_fields
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import Load, open_load
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.settings import Settings
from engagement_assets.sources import RAW_DATASETS
from tests.marked_records import DAY, MARK, marked_activities, marked_events, write_marked_landing

OTHER_DAY = date(2024, 3, 2)
WINDOW = DayWindow(DAY, date(2024, 3, 3))
Lines = list[str]


def _reading(load: Load, landing: Path, lines: Lines) -> Reading:
    return Reading(
        connection=load.connection,
        landing=Landing(str(landing)),
        workdir=load.workdir,
        extracted_at=load.started_at,
        progress=lines.append,
    )


def _read_lines(files: EventLog | Snapshots, load: Load, landing: Path, lines: Lines) -> Extraction:
    reading = _reading(load, landing, lines)
    if isinstance(files, Snapshots):
        return files.extract(reading)
    return files.extract(reading, WantedDays(window=WINDOW, calendar=ALL_DAYS, index=FileIndex()))


def _read_runna(load: Load, landing: Path, lines: Lines) -> Extraction:
    return runna.extract(
        runna.BatchReading(
            load.connection, Landing(str(landing)), WINDOW, load.workdir, ALL_DAYS, load.started_at, lines.append
        )
    )


def _service(load: Load, lines: Lines) -> ServiceReading:
    return ServiceReading(load.connection, WINDOW, load.workdir, load.started_at, lines.append)


def _read_strava(load: Load, _landing: Path, lines: Lines) -> Extraction:
    places = SeasonPlaces(KeptPlaces.NONE, load.lake.location(load.lake.places_key("strava")))
    pages = [Page("activities-1", places.clean(marked_activities(ID_KINDS)), 10), Page("activities-2", [], 2)]
    published = rows_of([], STRAVA_ACTIVITIES.columns)
    return strava.extract(_service(load, lines), Listing(pages), published, places).extraction


def _read_user_events(load: Load, _landing: Path, lines: Lines) -> Extraction:
    pages = [(DAY, Page("events-1", marked_events(ID_KINDS), 10)), (OTHER_DAY, Page("events-2", [], 2))]
    return user_events.extract(_service(load, lines), pages, user_events.EventRules(EventIdentity.EVENT, 64, ALL_DAYS))


def _loads() -> Iterator[tuple[str, Any, bool]]:
    """Name of the load, its reader, and whether it has days."""
    for source in (LINGOKIDS, MOBILE):
        for files in source.readers:
            assert isinstance(files, EventLog | Snapshots)
            yield files.dataset.load_name, partial(_read_lines, files), files.dataset.partitioned
    yield RUNNA.name, _read_runna, True
    yield "strava", _read_strava, True
    yield "user_events", _read_user_events, True


def _told(load: Load, datasets: Sequence[Dataset]) -> Iterator[object]:
    """What checks and the run say of a load."""
    settings = Settings(_env_file=None, lake_uri=load.lake.uri)
    unknown, reasons = unknown_fields(load.connection), reject_reasons(load.connection)
    for dataset in datasets:
        counts = load.counts_of(dataset)
        outcomes = [
            rejected_share(load, dataset, counts, settings),
            schema_drift(dataset, counts, unknown.get(dataset.key, {}), frozenset(), reasons.get(dataset.key, {})),
        ]
        for outcome in outcomes:
            yield outcome.result(load, held={})
        yield preview(load, dataset, 100)


def _texts(lake: Path) -> Iterator[tuple[str, str]]:
    """Each file of the lake as text."""
    for path in sorted(lake.rglob("*")):
        if path.suffix == ".parquet":
            for row in duckdb.execute(f"from read_parquet('{path}', hive_partitioning = false)").fetchall():
                yield str(path.relative_to(lake)), str(row)
        elif path.is_file():
            yield str(path.relative_to(lake)), path.read_bytes().decode("latin-1")


@pytest.mark.parametrize("keeps_raw_text", [False, True])
def test_no_marked_value_is_left_that_the_settings_do_not_allow(tmp_path: Path, keeps_raw_text: bool) -> None:
    landing, lines = tmp_path / "landing", Lines()
    write_marked_landing(landing, ID_KINDS)
    policy = PrivacyPolicy("k" * 32, ID_KINDS, keeps_raw_text=keeps_raw_text)
    lake = Lake(str(tmp_path / "lake"), policy)
    told: list[tuple[str, str]] = []
    rejected: dict[str, int] = {}
    for name, read, has_days in _loads():
        datasets = [dataset for dataset in RAW_DATASETS if dataset.load_name == name]
        # The second time the day is held.
        for number, held in enumerate(({}, {DAY: {"rejected_share": "too many"}} if has_days else {})):
            started_at = datetime(2024, 6, 1, 12, number, tzinfo=UTC)
            with open_load(lake, name, run_id="run", started_at=started_at) as load:
                load.stage(read(load, landing, lines), WINDOW if has_days else None)
                told += [(name, str(item)) for item in _told(load, datasets)]
                rejected |= {
                    item.key: sum(day.quarantined for day in load.counts() if day.dataset == item.key)
                    for item in datasets
                }
                assert all(day.unaccounted == 0 for day in load.counts())
                load.publish(held)

    assert min(number for key, number in rejected.items() if key != "raw_strava/activity_kudos") >= 5, rejected
    found = [(place, text) for place, text in [*_texts(Path(lake.uri)), *told] if MARK in text]
    if keeps_raw_text:
        assert {place.partition("/day=")[0] for place, _ in found} == {"records/rejected", "held/records/rejected"}
        names = ", ".join(["record", "header", "message", "reason_code"])
        kept = list(Path(lake.uri).rglob("records/rejected/*/raw_*.parquet"))
        assert not any(MARK in str(duckdb.execute(f"select {names} from '{path}'").fetchall()) for path in kept)
        return
    assert found == []
    assert not any(MARK in line for line in lines)

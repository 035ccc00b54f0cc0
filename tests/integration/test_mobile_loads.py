"""Mobile events from files that come, grow, overlap and go: the lake holds each event once, and keeps it."""

import random
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from engagement_assets.contracts.extraction import ALL_DAYS, DayWindow
from engagement_assets.extract.landing.event_files import WantedDays
from engagement_assets.extract.landing.index import FileIndex
from engagement_assets.extract.mobile import EVENT, EVENT_FILES, MOBILE_EVENTS
from engagement_assets.lake.known_records import quarantined_days
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import open_load
from engagement_assets.lake.load_records import DayCounts
from engagement_assets.sandbox.mobile_sample import mobile_files
from engagement_assets.sandbox.sample_draws import SampleParameters
from engagement_assets.sandbox.sample_ledger import LedgerKeeper, SampleLedger
from tests.integration.deployment import Deployment
from tests.lake_loads import load_time, published, quarantined
from tests.unit.extract.lingokids_loads import reading

pytestmark = pytest.mark.integration

FIRST, DAYS = date(2024, 1, 27), 8  # over the end of a month and of a week
WHOLE = DayWindow(FIRST, FIRST + timedelta(days=DAYS))
VALUES = ("event_id", *(column.column for column in EVENT.columns))


class _Loader:
    """Loads of one lake from one landing zone, each some seconds after the one before."""

    def __init__(self, root: Path) -> None:
        self.landing = root / "landing"
        (self.landing / "mobile_events").mkdir(parents=True)
        self.lake = Lake(str(root / "lake"))
        self._index = str(root / "lake/index/mobile_events.json")
        self._number = 0

    def load(self, window: DayWindow = WHOLE) -> list[DayCounts]:
        self._number += 1
        index = FileIndex.load(self._index)
        with open_load(self.lake, "mobile_events", run_id="run", started_at=load_time(self._number)) as load:
            days = WantedDays(
                window=window,
                calendar=ALL_DAYS,
                index=index,
                known_undated_days=quarantined_days(load, MOBILE_EVENTS, ALL_DAYS),
            )
            extraction = EVENT_FILES.extract(
                replace(reading(load.connection, self.landing, load.workdir), extracted_at=load.started_at), days
            )
            load.stage(extraction, window)
            counts = load.counts()
            load.publish({})
        index.save(self._index)
        assert [day.unaccounted for day in counts] == [0] * len(counts)
        return counts

    def events(self, *columns: str) -> list[tuple[Any, ...]]:
        return published(self.lake, MOBILE_EVENTS, *(columns or VALUES))

    def rejects(self) -> list[tuple[Any, ...]]:
        return quarantined(self.lake, "source_path", "position", "reason_code", "record", "record_hash")


def _write_sample(landing: Path, days: int = DAYS, per_day: int = 60) -> SampleLedger:
    keeper = LedgerKeeper()
    for key, content in mobile_files(SampleParameters(7, FIRST, days, 1, 1, per_day), keeper):
        path = landing / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return keeper.ledger()


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> _Loader:
    """One load of everything."""
    loader = _Loader(tmp_path_factory.mktemp("full"))
    _write_sample(loader.landing)
    loader.load()
    return loader


def _some_window(draw: random.Random) -> DayWindow:
    first = draw.randrange(DAYS)
    return DayWindow(FIRST + timedelta(days=first), FIRST + timedelta(days=draw.randint(first, DAYS - 1) + 1))


@pytest.mark.parametrize("seed", range(4))
def test_files_in_any_order_and_days_in_any_grouping_give_the_days_of_one_load(
    seed: int, full: _Loader, tmp_path: Path
) -> None:
    draw, loader = random.Random(seed), _Loader(tmp_path)
    paths = [path for path in full.landing.rglob("*.csv*") if path.is_file()]
    draw.shuffle(paths)
    for path in paths:
        copy = loader.landing / path.relative_to(full.landing)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".csv" and draw.random() < 0.5:
            # It is appended to later.
            lines = path.read_bytes().splitlines(keepends=True)
            copy.write_bytes(b"".join(lines[: draw.randrange(len(lines))]))
            loader.load(_some_window(draw))
        shutil.copy2(path, copy)
        if draw.random() < 0.4:
            loader.load(_some_window(draw))
    days = WHOLE.days()
    draw.shuffle(days)
    for day in days:
        loader.load(DayWindow(day, day + timedelta(days=1)))

    assert loader.events(*VALUES, "_extra", "source_path") == full.events(*VALUES, "_extra", "source_path")
    assert loader.rejects() == full.rejects()


def test_the_lake_holds_what_the_ledger_says(full: _Loader, tmp_path: Path) -> None:
    ledger = _write_sample(tmp_path)

    rows = full.events("event_id")
    tallies = {day: ledger.day(MOBILE_EVENTS.key, day) for day in WHOLE.days()}
    assert {day: sum(row[0] == day for row in rows) for day in tallies} == {
        day: tally.accepted for day, tally in tallies.items()
    }
    assert len({event_id for _, event_id in rows}) == len(rows)


def test_the_same_files_again_add_nothing(tmp_path: Path) -> None:
    loader = _Loader(tmp_path)
    _write_sample(loader.landing, days=3)
    first = loader.load()
    events, rejects = loader.events(), loader.rejects()
    shutil.copytree(loader.landing / "mobile_events", loader.landing / "mobile_events/again")

    second = loader.load()

    assert loader.events() == events
    assert [day.staged_rows for day in second] == [day.staged_rows for day in first]
    # Only what cannot be used is told twice: it lies in two files.
    assert len(loader.rejects()) == 2 * len(rejects)


def test_an_appended_file_adds_what_is_new(tmp_path: Path) -> None:
    loader = _Loader(tmp_path)
    path = loader.landing / "mobile_events/a.csv"
    header = ";".join(column.name for column in EVENT.columns)
    row = f"u1;Sur;3.1.0;d1;iOS;Ride Started - Successful;;{FIRST} 10:00:00\n"
    path.write_text(f"{header}\n{row}", encoding="utf-8")
    loader.load()

    with path.open("a", encoding="utf-8") as stream:
        stream.write(row.replace("Started", "Done") + row)
    (day, *_) = loader.load()

    assert (day.records_read, day.accepted, day.duplicates, day.staged_rows) == (3, 2, 1, 2)
    assert [name for _, name in loader.events("event_name")] == [
        "Ride Done - Successful",
        "Ride Started - Successful",
    ]


def test_a_file_that_has_gone_takes_nothing_away(full: _Loader, tmp_path: Path) -> None:
    loader = _Loader(tmp_path)
    _write_sample(loader.landing)
    loader.load()
    for path in sorted(loader.landing.rglob("*.csv*"))[::2]:
        path.unlink()

    loader.load()
    assert (loader.events(), loader.rejects()) == (full.events(), full.rejects())
    shutil.rmtree(loader.landing / "mobile_events")
    loader.load(DayWindow(FIRST, FIRST + timedelta(days=2)))

    assert (loader.events(), loader.rejects()) == (full.events(), full.rejects())


def test_the_asset_loads_a_range_and_forgets_only_when_told(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    ledger = _write_sample(deployment.landing, days=3)
    selection, last = 'key:"raw_mobile/events"', FIRST + timedelta(days=2)

    run = deployment.run(FIRST, last, selection)

    assert run.failures == ()
    assert ("reconciles", True) in {(check.check_name, check.passed) for check in run.checks}
    lake = Lake(deployment.settings.lake_uri)
    events = published(lake, MOBILE_EVENTS, *VALUES)
    assert len(events) == ledger.total(MOBILE_EVENTS.key).accepted

    (deployment.landing / f"mobile_events/{FIRST}.csv").unlink()
    assert deployment.run(FIRST, last, selection).failures == ()
    assert published(lake, MOBILE_EVENTS, *VALUES) == events
    assert deployment.run(FIRST, last, selection, allow_shrink=True).failures == ()
    assert len(published(lake, MOBILE_EVENTS, *VALUES)) < len(events)

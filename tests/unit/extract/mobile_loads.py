"""What the tests of the mobile extractor share: a landing zone, rows, what a load gave."""

import shutil
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb

from engagement_assets.contracts.extraction import ALL_DAYS, Calendar, DayWindow
from engagement_assets.extract.landing.event_files import WantedDays
from engagement_assets.extract.landing.index import FileIndex
from engagement_assets.extract.mobile import EVENT, EVENT_FILES, MOBILE_EVENTS
from tests.unit.extract.lingokids_loads import Loaded, fetch, reading

FIXTURES = Path(__file__).parents[2] / "fixtures" / "mobile"
DAY = date(2020, 1, 31)
AROUND = DayWindow(date(2020, 1, 29), date(2020, 2, 3))
HEADER = ";".join(EVENT.names)


def row(
    anonymous_id: str = "u1", created_at: str = "2020-01-31 10:00:01", event_name: str = "Application Opened"
) -> str:
    """A row of values in the order of `HEADER`."""
    return f"{anonymous_id};Centro;3.1.0;D1;iOS;{event_name};2020-01-31 10:00:02.5;{created_at}"


def landing_with(tmp_path: Path, **fixtures: str) -> Path:
    """A landing zone with fixtures as event files: file name without its suffix = fixture."""
    root = tmp_path / "landing"
    (root / "mobile_events").mkdir(parents=True)
    for name, fixture in fixtures.items():
        suffix = fixture.partition(".")[2]
        shutil.copy(FIXTURES / fixture, root / f"mobile_events/{name}.{suffix}")
    return root


def write_file(root: Path, key: str, *lines: str) -> Path:
    """An event file of the landing zone."""
    path = root / "mobile_events" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
    return path


def load_events(
    root: Path,
    workdir: Path,
    window: DayWindow = AROUND,
    *,
    index: FileIndex | None = None,
    known_undated_days: Mapping[str, Collection[date]] | None = None,
    calendar: Calendar = ALL_DAYS,
    max_line_bytes: int = EVENT_FILES.max_line_bytes,
) -> Loaded:
    """Extract events, fetch all there is, and check that nothing is lost."""
    workdir.mkdir(exist_ok=True)
    with duckdb.cursor() as connection:
        days = WantedDays(
            window=window,
            calendar=calendar,
            index=FileIndex() if index is None else index,
            known_undated_days=known_undated_days or {},
        )
        files = replace(EVENT_FILES, max_line_bytes=max_line_bytes)
        extraction = files.extract(reading(connection, root, workdir), days)
        loaded = fetch(connection, extraction, MOBILE_EVENTS)
    assert list(loaded.counts) == window.days()
    return loaded

"""The published records: `REAL_INPUT_DIR` is the folder that holds their `landing/`."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.lingokids import ACTIVITY_FILES, USER_FILES
from tests.real_input import REAL_INPUT_DIR, needs_real_input
from tests.unit.extract.lingokids_loads import fetch, load_events, reading

pytestmark = needs_real_input
THREE_WEEKS = DayWindow(date(2021, 1, 1), date(2021, 1, 22))


@pytest.fixture
def real_landing() -> Path:
    return Path(REAL_INPUT_DIR) / "landing"


def test_real_events_give_the_published_figures(real_landing: Path, tmp_path: Path) -> None:
    loaded = load_events(real_landing, tmp_path / "w", THREE_WEEKS)

    durations = loaded.column("duration_ms")
    assert len(durations) == 4_575
    assert sum(loaded.column("is_completed")) == 2_871
    assert sum(durations) == 1_385_798_585
    assert sum(min(duration, 3_600_000) for duration in durations) == 435_074_951
    assert sum(duration > 3_600_000 for duration in durations) == 18
    assert durations.count(0) == 156
    assert len(set(loaded.column("user_id"))) == 291
    assert len(set(loaded.column("activity_id"))) == 399
    assert loaded.column("os_name").count("iPhone OS") == 9
    assert loaded.column("collection_id").count(None) == 4_038
    assert (loaded.rejected, loaded.unknown_fields) == ([], [])


def test_real_events_are_the_same_day_by_day(real_landing: Path, tmp_path: Path) -> None:
    whole = load_events(real_landing, tmp_path / "w", THREE_WEEKS)
    days = [day for day in THREE_WEEKS.days() if day.day in (1, 2, 21)]

    for day in days:
        window = DayWindow(day, date.fromordinal(day.toordinal() + 1))
        alone = load_events(real_landing, tmp_path / str(day), window)
        assert alone.accepted == [row for row in whole.accepted if row["day"] == day]
        assert alone.counts == {day: whole.counts[day]}


def test_real_snapshots_are_all_accepted(real_landing: Path, tmp_path: Path) -> None:
    with duckdb.cursor() as connection:
        found = {}
        for files in (USER_FILES, ACTIVITY_FILES):
            extraction = files.extract(reading(connection, real_landing, tmp_path))
            loaded = fetch(connection, extraction, files.dataset)
            found[files.dataset.name] = (len(loaded.accepted), len(loaded.rejected))

    assert found == {"users": (409, 0), "activities": (1_492, 0)}

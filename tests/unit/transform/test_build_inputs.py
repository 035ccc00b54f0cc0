"""What an area was built from: the same inputs are known again, and anything else is not."""

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.lingokids import LINGOKIDS, LINGOKIDS_ACTIVITIES, LINGOKIDS_EVENTS
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.sources import AREAS
from engagement_assets.transform import build_inputs
from engagement_assets.transform.build_inputs import (
    BuildInputs,
    areas_not_passed,
    begin_part_of,
    forget_all_builds,
    last_build_and_publication,
    note_passed,
    note_published,
)

DAY = date(2024, 3, 1)
NEXT_DAY = DAY + timedelta(days=1)


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake with two days; the project's files are those of version 1."""
    monkeypatch.setattr(build_inputs, "project_fingerprint", lambda: "version 1")
    lake = Lake(str(tmp_path / "lake"))
    for day in (DAY, NEXT_DAY):
        _write(lake, day, "as it was")
    return lake


def _write(lake: Lake, day: date, text: str) -> None:
    dataset = LINGOKIDS_ACTIVITIES if day == WHOLE_DATASET_DAY else LINGOKIDS_EVENTS
    path = Path(lake.location(lake.day_key(dataset, day)))
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(path)


def _inputs(
    warehouse: Path, lake: Lake, first: date = DAY, last: date = DAY, definitions: str = "version 1"
) -> BuildInputs:
    return BuildInputs.of(warehouse, lake, LINGOKIDS, DayWindow(first, last + timedelta(days=1)), definitions)


def _build(inputs: BuildInputs, run_id: str) -> None:
    inputs.begin(run_id)
    inputs.note(run_id)


def _published_by(warehouse: Path, area: str) -> str | None:
    return last_build_and_publication(warehouse, area)[1]


def test_the_same_inputs_are_known_by_the_run_that_built_them(warehouse: Path, lake: Lake) -> None:
    assert _inputs(warehouse, lake).built_by() is None
    _build(_inputs(warehouse, lake), "first")
    assert _inputs(warehouse, lake).built_by() == "first"


@pytest.mark.parametrize("day", [DAY, WHOLE_DATASET_DAY])
def test_a_file_that_was_written_anew_is_built_also_if_it_is_as_long(warehouse: Path, lake: Lake, day: date) -> None:
    _write(lake, day, "as it was")
    _build(_inputs(warehouse, lake), "first")
    _write(lake, day, "as it is.")
    assert _inputs(warehouse, lake).built_by() is None


def test_a_file_that_came_or_went_is_built(warehouse: Path, lake: Lake) -> None:
    _build(_inputs(warehouse, lake), "first")
    Path(lake.location(lake.day_key(LINGOKIDS_EVENTS, DAY))).unlink()
    assert _inputs(warehouse, lake).built_by() is None
    _build(_inputs(warehouse, lake), "second")
    assert _inputs(warehouse, lake).built_by() == "second"
    _write(lake, DAY, "as it was")
    assert _inputs(warehouse, lake).built_by() is None


def test_another_version_of_the_project_builds(warehouse: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    _build(_inputs(warehouse, lake), "first")
    monkeypatch.setattr(build_inputs, "project_fingerprint", lambda: "version 2")
    assert _inputs(warehouse, lake).built_by() is None


def test_builds_of_other_days_leave_the_notes_of_a_day(warehouse: Path, lake: Lake) -> None:
    _build(_inputs(warehouse, lake), "first")
    assert _inputs(warehouse, lake, NEXT_DAY, NEXT_DAY).built_by() is None
    assert _inputs(warehouse, lake, DAY, NEXT_DAY).built_by() is None
    _build(_inputs(warehouse, lake, NEXT_DAY, NEXT_DAY), "second")
    assert _inputs(warehouse, lake).built_by() == "second"
    assert _inputs(warehouse, lake, DAY, NEXT_DAY).built_by() == "second"


def test_after_a_build_that_did_not_end_every_day_is_built(warehouse: Path, lake: Lake) -> None:
    _build(_inputs(warehouse, lake, DAY, NEXT_DAY), "first")
    _inputs(warehouse, lake, NEXT_DAY, NEXT_DAY).begin("broken")
    assert _inputs(warehouse, lake).built_by() is None
    # A later build of one day catches up with all that changed, but not with a day whose files it did not read.
    _build(_inputs(warehouse, lake), "second")
    assert _inputs(warehouse, lake).built_by() == "second"
    assert _inputs(warehouse, lake, NEXT_DAY, NEXT_DAY).built_by() is None


def test_a_publication_is_known_until_the_next_build(warehouse: Path, lake: Lake) -> None:
    note_published(warehouse, "learning", "no build", "nothing was built")
    assert _published_by(warehouse, "learning") is None
    _build(_inputs(warehouse, lake), "first")
    assert _published_by(warehouse, "learning") is None
    for run in ("first", "again"):
        note_published(warehouse, "learning", "first", run)
        assert _published_by(warehouse, "learning") == run
    assert _published_by(warehouse, "mobility") is None
    _build(_inputs(warehouse, lake), "second")
    assert _published_by(warehouse, "learning") is None
    # What was published is the build before.
    note_published(warehouse, "learning", "first", "late")
    assert _published_by(warehouse, "learning") is None


def test_a_file_of_the_project_that_changes_while_a_process_works_is_built(
    warehouse: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process has built from the one or the other."""
    monkeypatch.setattr(build_inputs, "project_fingerprint", lambda: "version 2")
    _build(_inputs(warehouse, lake), "straddling")
    assert _inputs(warehouse, lake, definitions="version 2").built_by() is None


def test_a_newer_day_is_built_with_any_day_since_some_tables_end_on_it(warehouse: Path, lake: Lake) -> None:
    _build(_inputs(warehouse, lake), "first")
    _write(lake, NEXT_DAY + timedelta(days=1), "new")
    assert _inputs(warehouse, lake).built_by() is None


def test_a_part_of_the_area_forgets_all_of_its_days(warehouse: Path, lake: Lake) -> None:
    _build(_inputs(warehouse, lake, DAY, NEXT_DAY), "first")
    begin_part_of(warehouse, "mobility", "part")
    assert _inputs(warehouse, lake).built_by() == "first"
    begin_part_of(warehouse, "learning", "part")
    _build(_inputs(warehouse, lake), "second")
    assert _inputs(warehouse, lake).built_by() == "second"
    assert _inputs(warehouse, lake, NEXT_DAY, NEXT_DAY).built_by() is None


def test_a_build_has_not_passed_until_a_whole_one_has(warehouse: Path, lake: Lake) -> None:
    assert areas_not_passed(warehouse, AREAS) == {}
    inputs = _inputs(warehouse, lake)
    inputs.begin("first")
    assert areas_not_passed(warehouse, AREAS) == {"learning": "first"}
    inputs.begin("second")
    begin_part_of(warehouse, "learning", "part")
    note_passed(warehouse, "learning", "part", is_whole=False)
    with duckdb.connect(str(warehouse)) as connection:
        forget_all_builds(connection)
    assert areas_not_passed(warehouse, AREAS) == {"learning": "first"}
    note_passed(warehouse, "mobility", "second", is_whole=True)
    assert areas_not_passed(warehouse, AREAS) == {"learning": "first"}
    note_passed(warehouse, "learning", "second", is_whole=True)
    assert areas_not_passed(warehouse, AREAS) == {}


def test_a_part_that_fails_has_not_passed_and_one_that_passes_has(warehouse: Path) -> None:
    begin_part_of(warehouse, "learning", "failed part")
    assert areas_not_passed(warehouse, AREAS) == {"learning": "failed part"}
    note_passed(warehouse, "learning", "failed part", is_whole=False)
    assert areas_not_passed(warehouse, AREAS) == {}


def test_a_build_notes_nothing_if_another_has_begun_or_rows_were_deleted_meanwhile(warehouse: Path, lake: Lake) -> None:
    inputs = _inputs(warehouse, lake)
    inputs.begin("first")
    inputs.begin("second")
    inputs.note("first")
    assert inputs.built_by() is None
    inputs.note("second")
    assert inputs.built_by() == "second"
    inputs.begin("third")
    with duckdb.connect(str(warehouse)) as connection:
        forget_all_builds(connection)
    inputs.note("third")
    assert inputs.built_by() is None


def test_whatever_deletes_rows_makes_all_areas_be_built(warehouse: Path, lake: Lake) -> None:
    _build(_inputs(warehouse, lake), "first")
    with duckdb.connect(str(warehouse)) as connection:
        forget_all_builds(connection)
    assert _inputs(warehouse, lake).built_by() is None
    assert _published_by(warehouse, "learning") is None

"""`make release`: which run it requests, and what it refuses."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from engagement_assets.commands import range_command, release
from engagement_assets.commands.range_command import TABLES_OVER_ALL_SOURCES
from engagement_assets.commands.range_run import RangeRequest, RangeRun
from engagement_assets.contracts.extraction import DayWindow

ARGUMENTS = ["--source", "runna", "--day", "2024-01-02", "--to", "2024-01-04", "--reason", " known "]


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[RangeRequest]:
    """The runs that the command requests; none takes place."""
    requested: list[RangeRequest] = []

    def run_range(_settings: object, request: RangeRequest) -> RangeRun:
        requested.append(request)
        return RangeRun("run", (), (), ())

    monkeypatch.setattr(range_command, "run_range", run_range)
    monkeypatch.setenv("LANDING_URI", str(tmp_path))
    monkeypatch.setenv("WAREHOUSE_PATH", str(tmp_path / "warehouse.duckdb"))
    monkeypatch.setenv("PUBLISHED_WAREHOUSE_PATH", str(tmp_path / "published.duckdb"))
    return requested


def _run(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> int:
    monkeypatch.setattr("sys.argv", ["release", *arguments])
    return release.main()


def test_days_of_a_source_are_released_with_what_is_downstream_of_them(
    requested: list[RangeRequest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("create schema engagement; create table engagement.weekly_engagement (source varchar)")
    assert _run(monkeypatch, ARGUMENTS) == 0
    selection = 'key:"raw_runna/activities"+ or key:"raw_runna/activity_laps"+ or key:"raw_runna/workout_steps"+'
    days = DayWindow(date(2024, 1, 2), date(2024, 1, 5))
    assert requested == [RangeRequest(days, selection, release_reason="known")]


def test_tables_over_all_sources_that_were_never_built_are_left_out(
    requested: list[RangeRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _run(monkeypatch, ARGUMENTS) == 0
    assert requested[0].selection.endswith(f" and not ({TABLES_OVER_ALL_SOURCES})")


def _unreadable(monkeypatch: pytest.MonkeyPatch, warehouse: Path, reason: str) -> None:
    def connect(*_: object, **__: object) -> None:
        raise duckdb.IOException(reason)

    warehouse.touch()
    monkeypatch.setattr(duckdb, "connect", connect)


def test_a_warehouse_that_another_process_has_open_is_told_and_nothing_runs(
    requested: list[RangeRequest],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    _unreadable(monkeypatch, warehouse, "IO Error: Could not set lock on file: Conflicting lock is held in python")
    assert (_run(monkeypatch, ARGUMENTS), requested) == (1, [])
    assert capsys.readouterr().err == (
        f"error: expected to read {warehouse}, but another process has it open, such as a run that builds. Wait for "
        "that process, then run this again\n"
    )


def test_a_warehouse_that_is_broken_is_no_matter_of_waiting(
    requested: list[RangeRequest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _unreadable(monkeypatch, tmp_path / "warehouse.duckdb", "IO Error: not a valid DuckDB database file")
    with pytest.raises(duckdb.IOException, match="not a valid"):
        _run(monkeypatch, ARGUMENTS)
    assert requested == []


def test_a_dataset_without_days_is_released_without_one(
    requested: list[RangeRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _run(monkeypatch, ["--source", "lingokids", "--dataset", "users", "--reason", "a new market"]) == 0
    assert requested[0].selection.startswith('(key:"raw_lingokids/users"+) and not')


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "runna", "--reason", "why"], "runna has days: name one"),
        (["--source", "runna", "--dataset", "laps", "--reason", "why"], "runna has no dataset 'laps'"),
        (
            ["--source", "lingokids", "--dataset", "users", "--day", "2024-01-02", "--reason", "why"],
            "lingokids/users has no days: leave them out",
        ),
        (
            ["--source", "runna", "--day", "2024-01-02", "--to", "2024-01-01", "--reason", "why"],
            "the first day must not lie after the last",
        ),
    ],
)
def test_a_release_that_makes_no_sense_is_refused(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["release", *arguments])
    assert release.main() == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_release_needs_a_reason(
    reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["release", "--source", "runna", "--day", "2024-01-02", "--reason", reason])
    with pytest.raises(SystemExit):
        release.main()
    assert "expected a sentence" in capsys.readouterr().err

"""`make replay`: which run it requests, and what it refuses."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from engagement_assets.commands import range_command, replay
from engagement_assets.commands.range_run import RangeRequest, RangeRun
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.replay import Choice
from tests.lake_loads import DAY_1, DAY_2, DAY_3, Reject, event, events, publish, window

RANGE = ["--from", "2024-02-01", "--to", "2024-03-31"]


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[RangeRequest]:
    """The runs that the command requests; none takes place. The quarantine has records of the second and third day."""
    requested: list[RangeRequest] = []

    def run_range(_settings: object, request: RangeRequest) -> RangeRun:
        requested.append(replace(request, selection=request.selection.partition(" and not ")[0]))
        return RangeRun("run", (), (), ())

    monkeypatch.setattr(range_command, "run_range", run_range)
    monkeypatch.setenv("LANDING_URI", str(tmp_path))
    monkeypatch.setenv("LAKE_URI", str(tmp_path / "lake"))
    monkeypatch.setenv("WAREHOUSE_PATH", str(tmp_path / "warehouse.duckdb"))
    monkeypatch.setenv("PUBLISHED_WAREHOUSE_PATH", str(tmp_path / "published.duckdb"))
    rejects = [Reject(LINGOKIDS_EVENTS, day, f"events/{day}") for day in (DAY_2, DAY_3)]
    publish(Lake(str(tmp_path / "lake")), events(event("a", DAY_1), rejects=rejects), window(DAY_1, DAY_3), 1)
    return requested


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["replay", *arguments])
    return replay.main()


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [
        # The first day was loaded, and a record may belong to it by now; the days around it never were.
        ("2024-02-01", "2024-03-31", DayWindow(DAY_1, date(2024, 3, 4))),
        ("2024-03-02", "2024-03-02", DayWindow(DAY_2, DAY_3)),
    ],
)
def test_the_run_covers_the_days_of_the_range_that_have_records_and_the_loaded_ones_beside_them(
    requested: list[RangeRequest], monkeypatch: pytest.MonkeyPatch, first: str, last: str, days: DayWindow
) -> None:
    assert _run(monkeypatch, "--source", "lingokids", "--from", first, "--to", last, "--reason", "not_json") == 0
    choice = Choice(reason_code="not_json")
    assert requested == [RangeRequest(days, '(key:"raw_lingokids/events"+)', replay=choice)]


def test_a_dataset_without_days_needs_no_range(requested: list[RangeRequest], monkeypatch: pytest.MonkeyPatch) -> None:
    assert _run(monkeypatch, "--source", "lingokids", "--dataset", "users") == 0
    assert [(request.selection, request.replay) for request in requested] == [
        ('(key:"raw_lingokids/users"+)', Choice(dataset="users"))
    ]


def test_without_records_there_is_nothing_to_run(
    requested: list[RangeRequest], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, "--source", "mobile", *RANGE) == 0
    assert "nothing to replay: the quarantine has no such record" in capsys.readouterr().out
    assert requested == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "runna"], "runna has days: name one"),
        (
            ["--source", "runna", "--dataset", "users", *RANGE],
            "runna has no dataset 'users', expected one of activities",
        ),
        (["--source", "lingokids", "--dataset", "users", *RANGE], "lingokids/users has no days"),
        (
            ["--source", "runna", "--from", "2024-01-02", "--to", "2024-01-01"],
            "the first day must not lie after the last",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str],
    message: str,
    requested: list[RangeRequest],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _run(monkeypatch, *arguments) == 2
    assert message in capsys.readouterr().err
    assert requested == []

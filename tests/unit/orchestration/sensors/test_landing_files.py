"""The landing sensor: what it requests of a real landing zone, and what a real load makes of the requests."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from dagster._core.test_utils import create_run_for_test

from engagement_assets.extract import lingokids
from engagement_assets.extract.landing.files import Landing, LandingFile
from engagement_assets.extract.runna.source import RUNNA_ACTIVITIES
from engagement_assets.lake.day_files import write_empty_file
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load_times import loaded_at
from engagement_assets.orchestration.sensors import runs
from engagement_assets.partitions import range_tags, window_of_tags
from tests.unit.extract.lingokids_loads import event
from tests.unit.orchestration.sensors.graphs import FAILURE, Graph, day, graph, window


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Graph]:
    (tmp_path / "landing").mkdir()
    with graph(tmp_path) as made:
        yield made


def _batch(folder: Path, batch_date: date, name: str = "a.json") -> None:
    path = folder / "landing/runna/activities" / str(batch_date) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"activityId": f"{batch_date}-{name}", "userId": "anna"}))


def _events(folder: Path, name: str, *days: date) -> None:
    path = folder / "landing/lingokids/events" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [event(f"{name}-{item}", f"{item}T10:00:00Z") for item in days]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _requested(result: dg.SensorResult) -> list[tuple[str, date, date]]:
    windows = [(request.job_name, window_of_tags(request.tags)) for request in result.run_requests or []]
    return [(str(job), item.start, item.days()[-1]) for job, item in windows]


def _load(deployment: Graph, source: str, first_back: int, last_back: int) -> None:
    """Run the source's job for these days, raw data alone."""
    item = deployment.sets[source]
    result = deployment.repository.get_job(item.job_name).execute_in_process(
        instance=deployment.instance, asset_selection=list(item.raw), tags=range_tags(window(first_back, last_back))
    )
    assert result.success


def test_exactly_the_touched_days_are_requested_one_run_for_each_block(deployment: Graph, tmp_path: Path) -> None:
    for back in (5, 4, 2):
        _batch(tmp_path, day(back))
    _events(tmp_path, "late.jsonl", day(3), day(1))
    assert _requested(deployment.sense("landing_files")) == [
        ("daily_runna", day(5), day(4)),
        ("daily_runna", day(2), day(2)),
        ("daily_lingokids", day(3), day(3)),
        ("daily_lingokids", day(1), day(1)),
    ]


def test_what_was_loaded_is_requested_again_only_when_something_arrives(deployment: Graph, tmp_path: Path) -> None:
    _batch(tmp_path, day(4))
    _batch(tmp_path, day(3))
    first = deployment.sense("landing_files")
    # A tick that is repeated requests the same run keys, which Dagster launches once.
    assert [item.run_key for item in deployment.sense("landing_files").run_requests or []] == [
        item.run_key for item in first.run_requests or []
    ]
    _load(deployment, "runna", 4, 3)
    assert deployment.sense("landing_files").run_requests == []
    _batch(tmp_path, day(4), "late.json")
    late = deployment.sense("landing_files", first.cursor)
    assert _requested(late) == [("daily_runna", day(4), day(4))]
    assert {item.run_key for item in late.run_requests or []}.isdisjoint(
        item.run_key for item in first.run_requests or []
    )


def test_a_run_over_one_day_of_a_file_leaves_the_others_to_be_requested(deployment: Graph, tmp_path: Path) -> None:
    _events(tmp_path, "all.jsonl", day(5), day(4), day(2))
    _load(deployment, "lingokids", 4, 4)
    assert _requested(deployment.sense("landing_files")) == [
        ("daily_lingokids", day(5), day(5)),
        ("daily_lingokids", day(2), day(2)),
    ]
    _load(deployment, "lingokids", 5, 2)
    assert deployment.sense("landing_files").skip_reason == dg.SkipReason("no day is touched")


def test_days_that_retention_removed_are_left_out_and_told(deployment: Graph, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    _events(tmp_path, "all.jsonl", day(5), day(4), day(3))
    mark = Path(lake.location(lake.pruned_key(lingokids.LINGOKIDS_EVENTS, day(4))))
    mark.parent.mkdir(parents=True)
    with duckdb.connect() as connection:
        write_empty_file(connection, lingokids.LINGOKIDS_EVENTS.columns, mark)
    assert _requested(deployment.sense("landing_files")) == [
        ("daily_lingokids", day(5), day(5)),
        ("daily_lingokids", day(3), day(3)),
    ]
    (tmp_path / "landing/lingokids/events/all.jsonl").unlink()
    _events(tmp_path, "old.jsonl", day(4))
    assert deployment.sense("landing_files").skip_reason == dg.SkipReason(
        "lingokids: 1 touched days were removed by RAW_RETENTION_DAYS"
    )


def test_files_wait_while_a_run_of_their_source_is_under_way(deployment: Graph, tmp_path: Path) -> None:
    _batch(tmp_path, day(2))
    _events(tmp_path, "a.jsonl", day(2))
    run = create_run_for_test(deployment.instance, job_name="daily_runna", status=dg.DagsterRunStatus.STARTED)
    assert _requested(deployment.sense("landing_files")) == [("daily_lingokids", day(2), day(2))]
    deployment.instance.report_run_failed(run)
    assert len(_requested(deployment.sense("landing_files"))) == 2


def test_a_run_that_failed_is_asked_for_again_after_a_pause_and_then_left_to_a_person(
    deployment: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _batch(tmp_path, day(4))
    _load(deployment, "runna", 4, 4)
    _batch(tmp_path, day(4), "late.json")
    keys = set()
    for pause in (timedelta(hours=1), timedelta(0), timedelta(0)):
        monkeypatch.setattr(runs, "FIRST_PAUSE", timedelta(0))
        (request,) = deployment.sense("landing_files").run_requests or []
        keys.add(request.run_key)
        create_run_for_test(deployment.instance, job_name="daily_runna", tags=request.tags, status=FAILURE)
        monkeypatch.setattr(runs, "FIRST_PAUSE", pause)
        if pause:
            assert deployment.sense("landing_files").skip_reason == dg.SkipReason("runna pauses after a failed run")
    assert len(keys) == 3
    assert deployment.sense("landing_files").skip_reason == dg.SkipReason(
        f"runna {day(4)}: 3 runs failed, left to a person"
    )
    _batch(tmp_path, day(4), "later.json")
    assert _requested(deployment.sense("landing_files")) == [("daily_runna", day(4), day(4))]


def test_days_without_a_partition_are_not_requested(deployment: Graph, tmp_path: Path) -> None:
    # Midnight may have passed since the tests began, or pass now.
    today = datetime.now(UTC).date()
    _batch(tmp_path, day(6))
    _batch(tmp_path, today + timedelta(days=2))
    _batch(tmp_path, today)
    _events(tmp_path, "wrong clocks.jsonl", date(1970, 1, 1), date(2999, 1, 1))
    assert _requested(deployment.sense("landing_files")) == [("daily_runna", today, today)]


def test_a_file_that_vanishes_while_it_is_looked_through_keeps_no_other_source_waiting(
    deployment: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _batch(tmp_path, day(2))
    _events(tmp_path, "a.jsonl", day(2))
    listed = Landing.files

    def remove_listed(landing: Landing, prefix: str, suffixes: tuple[str, ...]) -> list[LandingFile]:
        files = listed(landing, prefix, suffixes)
        if prefix == lingokids.EVENT_FILES.prefix:
            (tmp_path / "landing/lingokids/events/a.jsonl").unlink()
        return files

    monkeypatch.setattr(Landing, "files", remove_listed)
    assert _requested(deployment.sense("landing_files")) == [("daily_runna", day(2), day(2))]


def test_files_that_must_not_be_read_keep_no_other_source_waiting_and_are_told(
    deployment: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _batch(tmp_path, day(2))
    _events(tmp_path, "a.jsonl", day(2))
    listed = Landing.files

    def refuse(landing: Landing, prefix: str, suffixes: tuple[str, ...]) -> list[LandingFile]:
        if prefix.startswith("runna/"):
            raise PermissionError(13, "Permission denied\x1b[2J", prefix)
        return listed(landing, prefix, suffixes)

    monkeypatch.setattr(Landing, "files", refuse)
    assert _requested(deployment.sense("landing_files")) == [("daily_lingokids", day(2), day(2))]
    (tmp_path / "landing/lingokids/events/a.jsonl").unlink()
    skipped = deployment.sense("landing_files").skip_reason
    assert isinstance(skipped, dg.SkipReason)
    remark = "runna: its files cannot be looked through: [Errno 13] Permission denied\\x1b[2J"
    assert (skipped.skip_message or "").startswith(remark)


def test_a_landing_zone_that_is_not_there_is_told(deployment: Graph, tmp_path: Path) -> None:
    (tmp_path / "landing").rmdir()
    result = deployment.sense("landing_files")
    assert result.run_requests == []
    assert "set LANDING_URI" in str(result.skip_reason)


def test_a_file_that_is_still_being_written_waits_a_tick(tmp_path: Path) -> None:
    with graph(tmp_path, landing_settle_s=3600) as deployment:
        _batch(tmp_path, day(2))
        assert deployment.sense("landing_files").skip_reason == dg.SkipReason("no day is touched")


def test_the_cursor_is_small_and_empty_where_a_tick_lists_all(deployment: Graph, tmp_path: Path) -> None:
    for back in range(5):
        _batch(tmp_path, day(back))
    assert deployment.sense("landing_files").cursor == "{}"


def test_the_lake_tells_when_days_were_loaded(deployment: Graph, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    assert loaded_at(lake, "runna", RUNNA_ACTIVITIES) == {}
    _batch(tmp_path, day(4))
    _load(deployment, "runna", 4, 3)
    first = loaded_at(lake, "runna", RUNNA_ACTIVITIES)
    _load(deployment, "runna", 3, 3)
    second = loaded_at(lake, "runna", RUNNA_ACTIVITIES)
    assert set(first) == {day(4), day(3)}
    assert second[day(4)] == first[day(4)]
    assert second[day(3)] > first[day(3)]

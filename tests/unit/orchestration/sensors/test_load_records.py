"""The published audit tables: requested when they lack a load and nobody is about to publish them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from dagster._core.test_utils import create_run_for_test

from engagement_assets.lake.lake import Lake
from engagement_assets.orchestration.sensors import runs
from tests.lake_loads import DAY_1, event, events, publish, records, window
from tests.unit.orchestration.sensors.graphs import Graph, graph

SENSOR = "load_records"


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Graph]:
    with graph(tmp_path, published_warehouse_path=tmp_path / "published.duckdb", catch_up_attempts=2) as made:
        yield made


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def _load(lake: Lake, number: int) -> str:
    """A load whose one day is held; its id."""
    held = {DAY_1: ["events.rejected_share"]}
    publish(lake, events(event("a", DAY_1)), window(DAY_1), number, held=held, name="lingokids_events")
    return max(str(load_id) for (load_id,) in records(lake, "load_id"))


def _show_loads(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "published.duckdb")) as connection:
        connection.execute("create schema if not exists audit")
        connection.execute(
            "create or replace table audit.ingestion_loads as "
            f"select * from read_parquet('{tmp_path}/lake/records/loads/*/*.parquet')"
        )


def _skipped(deployment: Graph) -> str:
    reason = deployment.sense(SENSOR).skip_reason
    assert reason is not None
    return str(reason.skip_message)


def _run_keys(deployment: Graph) -> list[str | None]:
    return [request.run_key for request in deployment.sense(SENSOR).run_requests or []]


def test_nothing_is_requested_before_anything_is_loaded(deployment: Graph) -> None:
    assert _skipped(deployment) == "the published audit tables have every load"


def test_a_load_that_held_a_day_is_followed_by_the_audit_tables_once(
    deployment: Graph, lake: Lake, tmp_path: Path
) -> None:
    for number in (1, 2):
        newest = _load(lake, number)
        # Dagster launches a run key once.
        assert _run_keys(deployment) == _run_keys(deployment) == [f"after load {newest}, try 1"]
        _show_loads(tmp_path)
        assert _skipped(deployment) == "the published audit tables have every load"


@pytest.mark.parametrize("job", ["daily_engagement", "daily_mobile", "load_audit"])
def test_they_wait_for_a_run_that_publishes(deployment: Graph, lake: Lake, job: str) -> None:
    _load(lake, 1)
    run = create_run_for_test(deployment.instance, job_name=job, status=dg.DagsterRunStatus.STARTED)
    assert _skipped(deployment) == f"run {run.run_id} publishes, and the audit tables with it"


@pytest.mark.parametrize("job", ["release_runna", "retention"])
def test_they_do_not_wait_for_a_run_that_publishes_nothing(deployment: Graph, lake: Lake, job: str) -> None:
    _load(lake, 1)
    create_run_for_test(deployment.instance, job_name=job, status=dg.DagsterRunStatus.STARTED)
    assert len(_run_keys(deployment)) == 1


def test_a_run_that_failed_is_tried_again_after_a_pause_and_a_bounded_number_of_times(
    deployment: Graph, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = _load(lake, 1)
    (first,) = deployment.sense(SENSOR).run_requests or []
    run = create_run_for_test(deployment.instance, status=dg.DagsterRunStatus.FAILURE, tags=dict(first.tags))
    assert _skipped(deployment) == f"pauses after run {run.run_id} failed"
    monkeypatch.setattr(runs, "FIRST_PAUSE", timedelta(0))
    assert _run_keys(deployment) == [f"after load {newest}, try 2"]
    run = create_run_for_test(deployment.instance, status=dg.DagsterRunStatus.FAILURE, tags=dict(first.tags))
    assert _skipped(deployment) == f"2 runs failed, the last is {run.run_id}: left to a person"

"""The tables over all sources: requested when a source's tables are newer, and not of tables that failed."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from engagement_assets.instance.run_history import INTERRUPTED_TAG
from engagement_assets.orchestration.sensors import runs
from tests.unit.orchestration.sensors.graphs import Graph, day, graph

FACT = dg.AssetKey(["learning", "fct__activity_exits"])


@pytest.fixture
def deployment() -> Iterator[Graph]:
    with graph() as made:
        yield made


def _made(deployment: Graph) -> set[dg.AssetKey]:
    return set(deployment.repository.get_job("weekly_engagement_metrics").asset_layer.selected_asset_keys)


def _skipped(result: dg.SensorResult) -> str:
    assert result.skip_reason is not None
    return str(result.skip_reason.skip_message)


def _requested(result: dg.SensorResult) -> list[str | None]:
    return [request.run_key for request in result.run_requests or []]


def test_nothing_is_requested_before_a_source_has_tables(deployment: Graph) -> None:
    assert _skipped(deployment.sense("cross_source_tables")) == (
        "the tables over all sources are newer than those that they read"
    )


def test_a_daily_run_that_ended_without_them_is_followed_by_them_once(deployment: Graph) -> None:
    deployment.materialize(_made(deployment))
    deployment.materialize([FACT], [day(2)])
    create_run_for_test(deployment.instance, job_name="daily_engagement", status=dg.DagsterRunStatus.FAILURE)
    first, second = deployment.sense("cross_source_tables"), deployment.sense("cross_source_tables")
    assert len(_requested(first)) == 1
    # Dagster launches a run key once.
    assert _requested(first) == _requested(second)
    deployment.materialize(_made(deployment))
    assert "are newer" in _skipped(deployment.sense("cross_source_tables"))


def test_an_area_that_is_published_after_them_and_before_the_report_is_no_reason(deployment: Graph) -> None:
    report = dg.AssetKey(["engagement_report"])
    deployment.materialize([FACT], [day(2)])
    deployment.materialize(_made(deployment) - {report})
    deployment.materialize([dg.AssetKey(["published", "learning"])])
    assert len(_requested(deployment.sense("cross_source_tables"))) == 1
    deployment.materialize([report])
    assert "are newer" in _skipped(deployment.sense("cross_source_tables"))


@pytest.mark.parametrize("job", ["daily_engagement", "daily_mobile", "weekly_engagement_metrics"])
def test_they_wait_for_a_run_that_makes_what_they_read(deployment: Graph, job: str) -> None:
    deployment.materialize([FACT], [day(2)])
    run = create_run_for_test(deployment.instance, job_name=job, status=dg.DagsterRunStatus.STARTED)
    assert _skipped(deployment.sense("cross_source_tables")) == f"run {run.run_id} builds one of the tables"


def test_a_run_that_failed_is_tried_again_after_a_pause_and_a_bounded_number_of_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with graph(catch_up_attempts=2) as deployment:
        deployment.materialize([FACT], [day(2)])
        (first,) = deployment.sense("cross_source_tables").run_requests or []
        tags = dict(first.tags)
        run = create_run_for_test(deployment.instance, status=dg.DagsterRunStatus.FAILURE, tags=tags)
        assert _skipped(deployment.sense("cross_source_tables")) == f"pauses after run {run.run_id} failed"
        monkeypatch.setattr(runs, "FIRST_PAUSE", timedelta(0))
        assert _requested(deployment.sense("cross_source_tables")) == [f"{str(first.run_key).removesuffix('1')}2"]
        run = create_run_for_test(deployment.instance, status=dg.DagsterRunStatus.FAILURE, tags=tags)
        assert _skipped(deployment.sense("cross_source_tables")) == (
            f"2 runs failed, the last is {run.run_id}: left to a person"
        )
        deployment.materialize([FACT], [day(2)])
        assert len(_requested(deployment.sense("cross_source_tables"))) == 1


def test_a_run_that_somebody_interrupted_is_no_failure_and_the_next_one_has_another_number() -> None:
    with graph(catch_up_attempts=2) as deployment:
        deployment.materialize([FACT], [day(2)])
        (first,) = deployment.sense("cross_source_tables").run_requests or []
        tags = {**first.tags, INTERRUPTED_TAG: "true"}
        for number in (2, 3, 4):
            create_run_for_test(deployment.instance, status=dg.DagsterRunStatus.CANCELED, tags=tags)
            assert _requested(deployment.sense("cross_source_tables")) == [
                f"{str(first.run_key).removesuffix('1')}{number}"
            ]


def _evaluate(deployment: Graph, check: dg.AssetCheckKey, *, passed: bool, severity: dg.AssetCheckSeverity) -> None:
    deployment.instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(check.asset_key, check.name, passed, {}, severity=severity)
    )


def test_nothing_is_made_of_a_table_that_failed_a_blocking_test_until_it_passes(deployment: Graph) -> None:
    check = sorted(deployment.repository.asset_graph.get_check_keys_for_assets({FACT}))[0]
    deployment.materialize([FACT], [day(2)])
    _evaluate(deployment, check, passed=False, severity=dg.AssetCheckSeverity.ERROR)
    assert check.name in _skipped(deployment.sense("cross_source_tables"))
    _evaluate(deployment, check, passed=True, severity=dg.AssetCheckSeverity.ERROR)
    assert len(_requested(deployment.sense("cross_source_tables"))) == 1


def test_a_warning_does_not_stop_them(deployment: Graph) -> None:
    check = sorted(deployment.repository.asset_graph.get_check_keys_for_assets({FACT}))[0]
    deployment.materialize([FACT], [day(2)])
    _evaluate(deployment, check, passed=False, severity=dg.AssetCheckSeverity.WARN)
    assert len(_requested(deployment.sense("cross_source_tables"))) == 1

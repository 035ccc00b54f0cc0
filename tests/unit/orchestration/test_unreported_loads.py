"""A day whose load was not reported, because its run was killed: its models are built, and it is kept until then."""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import open_load
from engagement_assets.orchestration.retention import built_days
from engagement_assets.partitions import window_of_tags
from tests.lake_loads import event, events
from tests.unit.orchestration.sensors.graphs import FAILURE, SUCCESS, Graph, day, graph, window

EVERY_DAY_IS_THERE = dg.SkipReason("every day is there")


@pytest.fixture
def loaded_unreported(tmp_path: Path) -> Iterator[tuple[Graph, Callable[[str], None]]]:
    """A graph with every day built, and a function that loads a day of Lingokids for a run without telling Dagster."""

    def load(run_id: str) -> None:
        with open_load(Lake(str(tmp_path / "lake")), "lingokids_events", run_id=run_id) as opened:
            opened.stage(events(event("a", day(3))).extraction(opened.started_at), window(3))
            opened.publish({})

    with graph(tmp_path) as deployment:
        deployment.load([day(back) for back in range(1, 6)])
        yield deployment, load


@pytest.mark.parametrize("status", [FAILURE, dg.DagsterRunStatus.CANCELED])
def test_models_are_requested_of_a_day_that_was_loaded_by_a_run_killed_before_it_could_tell(
    loaded_unreported: tuple[Graph, Callable[[str], None]], status: dg.DagsterRunStatus
) -> None:
    deployment, load = loaded_unreported
    lingokids = deployment.sets["lingokids"]
    load(deployment.run(lingokids, window(3), status, sensor="landing_files").run_id)
    result = deployment.sense("late_data")
    (request,) = result.run_requests or []
    assert (request.job_name, window_of_tags(request.tags)) == ("daily_lingokids", window(3))
    assert set(request.asset_selection or ()) == set(lingokids.models)
    deployment.materialize(lingokids.windowed, [day(3)])
    assert deployment.sense("late_data").skip_reason == EVERY_DAY_IS_THERE


def test_a_load_of_a_run_that_is_at_work_or_ended_well_is_left_to_it(
    loaded_unreported: tuple[Graph, Callable[[str], None]],
) -> None:
    deployment, load = loaded_unreported
    for status in (SUCCESS, dg.DagsterRunStatus.STARTED):
        load(deployment.run(deployment.sets["lingokids"], window(3), status, sensor="landing_files").run_id)
    assert deployment.sense("late_data").skip_reason == EVERY_DAY_IS_THERE


def test_a_run_that_failed_after_its_load_has_told_of_it(
    loaded_unreported: tuple[Graph, Callable[[str], None]],
) -> None:
    deployment, load = loaded_unreported

    @dg.op
    def raw_lingokids_events(context: dg.OpExecutionContext) -> None:
        load(context.run.run_id)

    @dg.op(ins={"after": dg.In(dg.Nothing)})
    def learning_models() -> None:
        raise dg.Failure("the models cannot be built")

    @dg.job
    def daily_lingokids() -> None:
        learning_models(after=raw_lingokids_events())

    assert not daily_lingokids.execute_in_process(instance=deployment.instance, raise_on_error=False).success
    assert deployment.sense("late_data").skip_reason == EVERY_DAY_IS_THERE


def test_retention_keeps_a_day_that_was_loaded_by_a_run_killed_before_it_could_tell(
    tmp_path: Path, loaded_unreported: tuple[Graph, Callable[[str], None]]
) -> None:
    deployment, load = loaded_unreported
    lake = Lake(str(tmp_path / "lake"))
    lingokids = deployment.sets["lingokids"]

    def is_built() -> bool:
        return built_days(deployment.instance, deployment.repository.asset_graph, lake, LINGOKIDS_EVENTS)(day(3))

    assert is_built()
    load(deployment.run(lingokids, window(3), FAILURE, sensor="landing_files").run_id)
    assert not is_built()
    deployment.materialize(lingokids.windowed, [day(3)])
    assert is_built()

"""Whether a run's process is alive, from its code server or from the lock of a run from the shell."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher.base import WorkerStatus
from dagster._core.test_utils import create_run_for_test
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import serialize_value

from engagement_assets.instance.home import prepare_dagster_home
from engagement_assets.instance.killed_runs import living_run
from engagement_assets.instance.run_launcher import SupervisedRunLauncher
from engagement_assets.settings import Settings

STARTED = dg.DagsterRunStatus.STARTED


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", "")
    prepare_dagster_home(Settings(_env_file=None, landing_uri=str(tmp_path), dagster_home=tmp_path / "home"))
    with dg.DagsterInstance.get() as made:
        yield made


def _status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> WorkerStatus:
    return instance.run_launcher.check_run_worker_health(run).status


def _launched_run(instance: dg.DagsterInstance, socket: str) -> dg.DagsterRun:
    tags = {".dagster/grpc_info": json.dumps({"host": "localhost", "socket": socket})}
    run: dg.DagsterRun = create_run_for_test(instance, job_name="daily_runna", status=STARTED, tags=tags)
    return run


def test_the_instance_uses_it_and_run_monitoring_asks_it(instance: dg.DagsterInstance) -> None:
    assert isinstance(instance.run_launcher, SupervisedRunLauncher)
    assert instance.run_launcher.supports_check_run_worker_health
    assert instance.run_monitoring_enabled
    assert instance.run_monitoring_max_runtime_seconds == 6 * 3600
    assert not instance.run_retries_enabled


def test_a_run_whose_code_server_has_gone_is_dead(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run = _launched_run(instance, str(tmp_path / "gone.sock"))
    assert _status(instance, run) == WorkerStatus.NOT_FOUND


@pytest.mark.parametrize(("knows_it", "status"), [(True, WorkerStatus.RUNNING), (False, WorkerStatus.NOT_FOUND)])
def test_a_code_server_knows_whether_a_run_is_alive(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, *, knows_it: bool, status: WorkerStatus
) -> None:
    def answer(_: DagsterGrpcClient, request: CanCancelExecutionRequest, timeout: int) -> str:
        assert (request.run_id, timeout) == (run.run_id, 10)
        return serialize_value(CanCancelExecutionResult(can_cancel=knows_it))

    monkeypatch.setattr(DagsterGrpcClient, "can_cancel_execution", answer)
    run = _launched_run(instance, "/some.sock")
    assert _status(instance, run) == status


def test_a_code_server_that_is_slow_says_nothing_about_the_run(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*_: object, **__: object) -> str:
        raise DagsterUserCodeUnreachableError("Could not reach user code server. gRPC Error code: DEADLINE_EXCEEDED")

    monkeypatch.setattr(DagsterGrpcClient, "can_cancel_execution", answer)
    with pytest.raises(DagsterUserCodeUnreachableError):
        _status(instance, _launched_run(instance, "/some.sock"))


def test_a_run_of_a_shell_is_alive_while_it_holds_its_lock(instance: dg.DagsterInstance) -> None:
    home = Path(instance.root_directory)
    run = create_run_for_test(instance, job_name="daily_runna", status=STARTED)
    with living_run(instance, home, run.run_id):
        assert _status(instance, run) == WorkerStatus.RUNNING
    (home / "range_runs" / f"{run.run_id}.lock").touch()  # what a killed process leaves behind
    assert _status(instance, run) == WorkerStatus.NOT_FOUND


def test_a_run_without_lock_or_server_is_left_alone(instance: dg.DagsterInstance) -> None:
    assert _status(instance, create_run_for_test(instance, job_name="x", status=STARTED)) == WorkerStatus.RUNNING


def test_not_every_run_of_a_burst_is_a_process_at_once(instance: dg.DagsterInstance) -> None:
    queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    assert queue.max_concurrent_runs == os.cpu_count()

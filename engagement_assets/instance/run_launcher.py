"""Dagster's default run launcher, which also finds out whether the process of a run is alive.

Belongs here: that one question. Not here: what makes Dagster use it (`dagster.yaml`), or what becomes of a dead run
(Dagster's run monitoring marks it as failed, which frees its pools and lets its days be caught up).

A code server notices when a run's process dies. When the machine goes off, the code server is gone too: the run would
count as running, and hold its pools, until `max_runtime_seconds` are over.
"""

from pathlib import Path
from typing import Any, cast

from dagster import DagsterRun, DefaultRunLauncher, deserialize_value

from engagement_assets.dagster_internals import (
    CanCancelExecutionRequest,
    CanCancelExecutionResult,
    CheckRunHealthResult,
    DagsterUserCodeUnreachableError,
    WorkerStatus,
)
from engagement_assets.instance.killed_runs import is_killed


class SupervisedRunLauncher(DefaultRunLauncher):
    """Asks the code server that started the run, or looks at the lock of a run from the shell."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether run monitoring may ask."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the run's process is alive.

        Raises:
            DagsterUserCodeUnreachableError: the code server exists but does not answer in time.
        """
        client = cast(Any, self)._get_grpc_client_for_termination(run.run_id)
        if client is None:
            dead = is_killed(Path(self._instance.root_directory), run.run_id)
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND if dead else WorkerStatus.RUNNING)
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id), timeout=10)
        except DagsterUserCodeUnreachableError as error:
            if "UNAVAILABLE" in str(error):  # and not, for example, DEADLINE_EXCEEDED
                return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the code server that started the run is gone")
            raise
        if deserialize_value(answer, CanCancelExecutionResult).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the code server does not know the run's process")

"""Dagster as it runs for real: webserver, daemon and code server of a deployment, spoken to through GraphQL.

Belongs here: starting and ending them, and asking them. Not here: what a test expects.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
import httpx
from dagster._core.scheduler.instigation import ScheduleInstigatorData

from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.settings import Settings
from tests.free_port import free_port

LOCATION, REPOSITORY = "engagement_assets", "__repository__"
POLL_S = 0.25
Found = TypeVar("Found")


@dataclass
class DagsterProcesses:
    """What `make dev` has started; `instance` is the same Dagster instance, seen from this process."""

    url: str
    process: subprocess.Popen[bytes]
    instance: dg.DagsterInstance
    log: Path

    def ask(self, query: str, **variables: Any) -> Any:
        """The data of a GraphQL answer; its one field must not be an error."""
        answer = httpx.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60)
        content = answer.json()
        assert "errors" not in content, content["errors"]
        (result,) = content["data"].values()
        return result

    def start_sensor(self, name: str) -> None:
        """Switch a sensor on, as a person does in the UI."""
        result = self.ask(
            "mutation($it: SensorSelector!) { startSensor(sensorSelector: $it) "
            "{ __typename ... on PythonError { message } } }",
            it=_selector(sensorName=name),
        )
        assert result["__typename"] == "Sensor", result

    def stop_sensor(self, name: str) -> None:
        """Switch it off."""
        state = self.ask(
            "query($it: SensorSelector!) { sensorOrError(sensorSelector: $it) "
            "{ ... on Sensor { sensorState { id } } } }",
            it=_selector(sensorName=name),
        )
        self.ask("mutation($id: String!) { stopSensor(id: $id) { __typename } }", id=state["sensorState"]["id"])

    def backfill_job(self, job_name: str, days: list[str]) -> str:
        """Launch a backfill of a job's partitions, as its page in the UI does; gives its id."""
        return self._launch(
            selector={
                "partitionSetName": f"{job_name}_partition_set",
                "repositorySelector": {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY},
            },
            partitionNames=days,
        )

    def backfill_assets(self, keys: list[str], days: list[str]) -> str:
        """Launch a backfill of selected assets, as the asset graph in the UI does; gives its id."""
        return self._launch(assetSelection=[{"path": key.split("/")} for key in keys], partitionNames=days)

    def _launch(self, **parameters: Any) -> str:
        result = self.ask(
            "mutation($it: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $it) "
            "{ __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }",
            it=parameters,
        )
        assert result["__typename"] == "LaunchBackfillSuccess", result
        return str(result["backfillId"])

    def terminate(self, run_id: str) -> None:
        """Cancel a run, as a person does in the UI."""
        self.ask("mutation($id: String!) { terminateRun(runId: $id) { __typename } }", id=run_id)

    def wait_for(self, what: str, look: Callable[[], Found | None], seconds: float = 600) -> Found:
        """The first thing that `look` finds; the processes' log is shown when it finds nothing in time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = look()
            if found:
                return found
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")[-5000:]
            time.sleep(POLL_S)
        raise AssertionError(f"{what} did not come in {seconds} s:\n{self.log.read_text(encoding='utf-8')[-5000:]}")

    def runs(self, **tags: str) -> list[dg.DagsterRun]:
        """Runs with these tags, oldest first."""
        return list(self.instance.get_runs(dg.RunsFilter(tags=tags), ascending=True))

    def ended_runs(self, count: int, **tags: str) -> list[dg.DagsterRun]:
        """`count` runs with these tags, when all of them have ended."""

        def look() -> list[dg.DagsterRun] | None:
            found = self.runs(**tags)
            assert len(found) <= count, [run.tags for run in found]
            return found if len(found) == count and all(run.is_finished for run in found) else None

        return self.wait_for(f"the end of {count} runs with {tags}", look)

    def ended(self, run_id: str) -> dg.DagsterRun:
        """A run, when it has ended."""

        def look() -> dg.DagsterRun | None:
            run = self.instance.get_run_by_id(run_id)
            return run if run and run.is_finished else None

        return self.wait_for(f"the end of run {run_id}", look)

    def start_schedule(self, name: str, since: datetime) -> None:
        """Switch a schedule on as if that had been done at `since`, and the machine been off from then on."""
        result = self.ask(
            "mutation($it: ScheduleSelector!) { startSchedule(scheduleSelector: $it) "
            "{ __typename ... on PythonError { message } } }",
            it=_selector(scheduleName=name),
        )
        assert result["__typename"] == "ScheduleStateResult", result
        (state,) = [item for item in self.instance.all_instigator_state() if item.instigator_name == name]
        data = state.instigator_data
        assert isinstance(data, ScheduleInstigatorData)
        self.instance.update_instigator_state(
            state.with_data(ScheduleInstigatorData(data.cron_schedule, since.timestamp()))
        )

    def launch(self, job_name: str, tags: Mapping[str, str]) -> str:
        """Launch a run of a job, as the launchpad does; gives its id."""
        selector = {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY, "jobName": job_name}
        result = self.ask(
            "mutation($it: ExecutionParams!) { launchRun(executionParams: $it) { __typename "
            "... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }",
            it={
                "selector": selector,
                "runConfigData": {},
                "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
            },
        )
        assert result["__typename"] == "LaunchRunSuccess", result
        return str(result["run"]["runId"])

    def ticks(self, kind: str, name: str) -> list[Any]:
        """Status, skip reason and run ids of the ticks of a `schedule` or `sensor` that have ended, newest first."""
        title = kind.title()
        result = self.ask(
            f"query($it: {title}Selector!) {{ {kind}OrError({kind}Selector: $it) {{ ... on {title} {{ {kind}State "
            "{ ticks(limit: 20) { timestamp status skipReason runIds error { message } } } } } }",
            it=_selector(**{f"{kind}Name": name}),
        )
        return [tick for tick in result[f"{kind}State"]["ticks"] if tick["status"] != "STARTED"]


def _selector(**name: str) -> Mapping[str, str]:
    return {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY, **name}


def environment_of(settings: Settings, **changes: str) -> dict[str, str]:
    """What tells a process of its own to work on this deployment."""
    return {
        **os.environ,
        "LANDING_URI": settings.landing_uri,
        "LAKE_URI": settings.lake_uri,
        "WAREHOUSE_PATH": str(settings.warehouse_path),
        "PUBLISHED_WAREHOUSE_PATH": str(settings.published_warehouse_path),
        "DAGSTER_HOME": str(settings.dagster_home),
        "START_DATE": settings.start_date.isoformat(),
        **changes,
    }


@contextmanager
def dagster_processes(settings: Settings, **changes: str) -> Iterator[DagsterProcesses]:
    """`make dev` on a deployment, until the block ends; `changes` are further settings."""
    port = free_port()
    log = settings.dagster_home.parent / "dagster.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "engagement_assets.commands.dev"],
            cwd=PROJECT_ROOT,
            env=environment_of(settings, PORT=str(port), **changes),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 300
        while not _answers(url):
            assert process.poll() is None, log.read_text(encoding="utf-8")[-5000:]
            assert time.monotonic() < until, log.read_text(encoding="utf-8")[-5000:]
            time.sleep(POLL_S)
        with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
            yield DagsterProcesses(url, process, instance, log)
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask the processes to end, and kill what is left of them."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=30)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/server_info", timeout=2).is_success
    except httpx.HTTPError:
        return False

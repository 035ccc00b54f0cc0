"""Ctrl-C, for real: a command ends at once with one sentence, nobody is alerted, and the next run goes on."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import httpx
import pytest

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.instance.interrupt import INTERRUPTED, SENTENCE
from engagement_assets.partitions import range_tags
from engagement_assets.sandbox.sample_data import write_sample_landing
from tests.integration.dagster_processes import dagster_processes, environment_of
from tests.integration.deployment import Deployment

pytestmark = pytest.mark.integration

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 2)
SELECTION = "+group:training"
INTERRUPTED_AT = (
    "raw_runna: ",
    "stg_runna__activities: success",
    "workout_leaderboard: success",  # of the last step before what is published
)
CANCELED, SUCCESS = dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.SUCCESS
# It takes one; beside other work on a slow machine it may take many. What does not end waits for ever.
ENDS_WITHIN_S = 60


@pytest.fixture
def _interrupts_are_not_ignored() -> Iterator[None]:
    """Whoever starts the tests in the background may have Ctrl-C ignored, and programs pass that on."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def deployment(tmp_path: Path, _interrupts_are_not_ignored: None) -> Deployment:
    deployment = Deployment(tmp_path)
    write_sample_landing(
        deployment.landing, start=FIRST, days=2, runna_activities_per_day=6, lingokids_events_per_day=20
    )
    return deployment


@contextmanager
def _command(environment: Mapping[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process group of its own, as a terminal starts it; its lines come as they are written."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _interrupted_at(line: str, process: subprocess.Popen[str]) -> tuple[int, list[str], timedelta]:
    """Ctrl-C as soon as a line holds this text: exit code, what was written from then on, and how long it took."""
    assert process.stdout is not None
    assert any(line in written for written in process.stdout)
    at = datetime.now(UTC)
    os.killpg(process.pid, signal.SIGINT)
    rest = process.stdout.read()
    return process.wait(), [line for line in rest.splitlines() if line], datetime.now(UTC) - at


def _backfill() -> list[str]:
    return ["-m", "engagement_assets.commands.backfill", f"--from={FIRST}", f"--to={LAST}", f"--select={SELECTION}"]


def _runs(deployment: Deployment) -> list[dg.DagsterRunStatus]:
    with dg.DagsterInstance.from_config(str(deployment.settings.dagster_home)) as instance:
        return [run.status for run in instance.get_runs(ascending=True)]


def test_an_interrupted_backfill_ends_at_once_and_the_next_one_goes_on(
    deployment: Deployment, record_property: Callable[[str, object], None]
) -> None:
    """Each goes on after the one before: it gets past the line at which that one was interrupted."""
    for number, line in enumerate(INTERRUPTED_AT, start=1):
        with _command(environment_of(deployment.settings), *_backfill()) as process:
            status, told, took = _interrupted_at(line, process)
        record_property(f"ended within, at {line}", str(took))
        assert (status, told) == (INTERRUPTED, [SENTENCE]), line
        assert took < timedelta(seconds=ENDS_WITHIN_S)
        assert _runs(deployment) == [CANCELED] * number

    assert deployment.run(FIRST, LAST, SELECTION).failures == ()
    assert _runs(deployment) == [CANCELED] * len(INTERRUPTED_AT) + [SUCCESS]
    alerts = deployment.settings.dagster_home / "alerts" / "alerts.jsonl"
    assert not alerts.exists(), alerts.read_text(encoding="utf-8")
    files = (deployment.landing / "runna" / "activities").glob("*/*.json")
    ids = {json.loads(path.read_bytes())["activityId"] for path in files}
    assert deployment.query("select count(*) from training.fct__activities") == [(len(ids),)]


@pytest.mark.parametrize("command", ["backfill", "demo", "dev", "prune", "release", "replay", "report"])
def test_a_command_can_be_interrupted_before_its_imports_are_done(deployment: Deployment, command: str) -> None:
    """`importtime` writes a line for each module, and so does a process that the command has begun with."""
    arguments = ["-X", "importtime", "-m", f"engagement_assets.commands.{command}"]
    with _command(environment_of(deployment.settings), *arguments) as process:
        status, told, _ = _interrupted_at(" engagement_assets.commands\n", process)
    assert (status, [line for line in told if "import time" not in line]) == (INTERRUPTED, [SENTENCE])
    assert not deployment.settings.dagster_home.exists()


def test_who_starts_a_command_so_that_interrupts_are_not_for_it_gets_what_they_want(deployment: Deployment) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with _command(
        environment_of(deployment.settings), "-m", "engagement_assets.commands.prune", "--dry-run"
    ) as process:
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait() == 0


def test_interrupting_the_ui_ends_all_of_it_and_cancels_the_runs_of_its_daemon(deployment: Deployment) -> None:
    deployment.settings = deployment.settings.model_copy(update={"start_date": FIRST})
    with dagster_processes(deployment.settings) as dagster:
        run_id = dagster.launch("daily_runna", range_tags(DayWindow(FIRST, LAST + timedelta(days=1))))

        def has_begun() -> bool:
            return bool(dagster.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_START))

        dagster.wait_for("the first step of the run", has_begun)
        os.killpg(dagster.process.pid, signal.SIGINT)
        assert dagster.process.wait(ENDS_WITHIN_S) == INTERRUPTED
        run = dagster.instance.get_run_by_id(run_id)
        assert run is not None
        assert run.status == CANCELED
        told = dagster.log.read_text(encoding="utf-8")
        assert told.splitlines()[-1] == SENTENCE
        assert "Traceback" not in told
        with pytest.raises(httpx.ConnectError):
            httpx.get(dagster.url)

"""Dagster's daemon and its code server, where the alert sensor works: started in a moment, killed at a chosen step.

Belongs here: how they start and end. Not here: what a test expects.

Both are forks of a process that has imported Dagster, so that they can be killed often; what they run are Dagster's own
commands. They are one process group, and die together.
"""

import os
import re
import signal
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc
import pytest
from dagster._cli.api import grpc_command
from dagster._daemon import sensor
from dagster._daemon.cli import run_command
from sqlalchemy import Engine, event

from engagement_assets.alerts.alerting import Alerting
from engagement_assets.alerts.delivery import Backoff
from engagement_assets.settings import Settings
from tests.integration.alert_location import environment
from tests.integration.killed_processes import PROCESSES

PATIENCE_S = 60
TICK_IS_OVER = "the tick is over"
# Dagster looks at its sensors every five seconds.
LOOK_EVERY_S = 0.2
_BEAT = "worked_at/"
_WRITES = ("insert", "update", "delete", "begin", "commit")
_WHOSE = re.compile(r"(?:channel = |into facts values \()'(\w+)")


@contextmanager
def hasty_dagster() -> Iterator[None]:
    """Dagster's SQLite files do not wait for the disk: here processes are killed, and no power is lost."""

    def hasten(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("pragma synchronous = off")

    event.listen(Engine, "connect", hasten)
    try:
        yield
    finally:
        event.remove(Engine, "connect", hasten)


@dataclass(frozen=True)
class AlertDaemon:
    """The two processes, at work."""

    process: Any
    steps: Connection
    log: Path

    def kill(self) -> None:
        """End both as a loss of power would."""
        with suppress(ProcessLookupError):  # they are dead already, or no group yet
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.join()

    def died_before(self) -> str:
        """The step before which they were killed, when they are dead, or `TICK_IS_OVER`."""
        assert self.steps.poll(PATIENCE_S), self.log.read_text(encoding="utf-8")
        step = str(self.steps.recv())
        if step != TICK_IS_OVER:
            self.process.join(PATIENCE_S)
            assert self.process.exitcode == -signal.SIGKILL, self.log.read_text(encoding="utf-8")
        return step


@contextmanager
def daemon(
    settings: Settings, *, clock_ahead: timedelta = timedelta(), survived: Collection[str] | None = None
) -> Iterator[AlertDaemon]:
    """The daemon on the tests' code location, until the block ends.

    With `survived` it dies in its first tick, before the first step of the alerts' store that is not among these.
    """
    steps, telling = PROCESSES.Pipe(duplex=False)
    log = settings.dagster_home / "daemon.log"
    with TemporaryDirectory() as folder:
        arguments = (environment(settings), log, f"{folder}/code_server", clock_ahead, survived, telling)
        process = PROCESSES.Process(target=_work, args=arguments)
        process.start()
        telling.close()
        at_work = AlertDaemon(process, steps, log)
        try:
            yield at_work
        finally:
            at_work.kill()


def _work(
    environ: dict[str, str],
    log: Path,
    socket: str,
    clock_ahead: timedelta,
    survived: Collection[str] | None,
    telling: Connection,
) -> None:
    os.setsid()
    os.environ.update(environ)
    with log.open("ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    with hasty_dagster():
        if os.fork() == 0:
            _change_alerting(clock_ahead)
            if survived is not None:
                _die_before_a_step(survived, telling)
            grpc_command.main(["--socket", socket, "--module-name", "tests.integration.alert_location"])
        _run_daemon(socket)


def _run_daemon(socket: str) -> None:
    impatient = [(f"grpc.{name}_reconnect_backoff_ms", 50) for name in ("initial", "min", "max")]
    with grpc.insecure_channel(f"unix:{socket}", options=impatient) as code_server:
        grpc.channel_ready_future(code_server).result(timeout=PATIENCE_S)
    pytest.MonkeyPatch().setattr(sensor, "MIN_INTERVAL_LOOP_TIME", LOOK_EVERY_S)
    run_command.main(["--grpc-socket", socket])


def _change_alerting(clock_ahead: timedelta) -> None:
    """The clock, and how long a channel that was down is left alone at first: a second in place of ten."""
    of = Alerting.of

    def changed(settings: Settings) -> Alerting:
        backoff = Backoff(first=timedelta(seconds=1))
        return replace(of(settings), now=lambda: datetime.now(UTC) + clock_ahead, backoff=backoff)

    pytest.MonkeyPatch().setattr(Alerting, "of", changed)


def _die_before_a_step(survived: Collection[str], telling: Connection) -> None:
    """Kill the process group before the first step that is new; report which, or that a tick had none."""
    has_beaten = False
    connect = sqlite3.connect

    def watched(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        written = "nothing"

        def look(statement: str) -> None:
            nonlocal has_beaten, written
            words = statement.split()
            if has_beaten and words[0] == "begin":
                telling.send(TICK_IS_OVER)
                has_beaten = False
            elif words[0] in _WRITES:
                step = _name(words, statement, written)
                if step not in survived:
                    telling.send(step)
                    os.killpg(0, signal.SIGKILL)
                if len(words) > 2:
                    written = step
                has_beaten = has_beaten or _BEAT in statement

        connection.set_trace_callback(look)
        return connection

    pytest.MonkeyPatch().setattr(sqlite3, "connect", watched)


def _name(words: list[str], statement: str, written: str) -> str:
    """What a statement does; begin and commit are named by what was written before them."""
    if len(words) <= 2:
        return f"{words[0]} after {written}"
    whose = _WHOSE.search(statement)
    return " ".join(words[: words.index("into") + 2 if "into" in words else 3]) + (f" of {whose[1]}" if whose else "")

"""Processes that are killed, for real: before a chosen step on the file system, or at any moment.

Belongs here: how a child process begins and ends. Not here: what it was doing and what must be left (see the tests).
"""

import multiprocessing
import os
import random
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

# Forks of one process that has imported all this and opened nothing: a child starts in milliseconds. Python has one
# such process, which imports the list that was set last; so this is the list of all tests that fork.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        "engagement_assets.commands.backfill",
        "engagement_assets.commands.erase",
        "engagement_assets.commands.range_run",
        "dbt.cli.main",
        "dbt.adapters.duckdb",
        "pandas",
        "tests.lake_loads",
        "tests.integration.alert_daemon",
    ]
)

_STEPS = frozenset({"os.rename", "os.remove", "os.mkdir", "os.rmdir"})


def killed_before_step(number: int, work: Callable[..., None], *arguments: Any) -> bool:
    """Do the work in a child that is killed before its step of that number; False when it had fewer steps."""
    child = PROCESSES.Process(target=_work_until_step, args=(number, work, arguments))
    child.start()
    child.join()
    assert child.exitcode in (0, -signal.SIGKILL), child.exitcode
    return child.exitcode != 0


def killed_at_random(
    draw: random.Random, within_s: float, work: Callable[..., Any], *arguments: Any, after_rounds: int = 0
) -> bool:
    """Do the work in a child that is killed some time after it has begun; False when it was done before.

    Work that goes on and on yields after each round: then the kill comes in the round after `after_rounds`, however
    long a round takes here.
    """
    receiver, sender = PROCESSES.Pipe(duplex=False)
    child = PROCESSES.Process(target=_report_rounds, args=(sender, work, arguments))
    child.start()
    sender.close()  # or a child that ends early would be waited for without end
    for _ in range(1 + after_rounds):
        receiver.recv()
    child.join(draw.uniform(0, within_s))
    child.kill()
    child.join()
    assert child.exitcode in (0, -signal.SIGKILL), child.exitcode
    return child.exitcode != 0


@dataclass(frozen=True)
class Command:
    """A command that has been started, and what it prints, as it prints it."""

    process: Any
    output: BinaryIO

    def kill(self) -> None:
        """End it with all that it has started."""
        with suppress(ProcessLookupError):  # it has not begun yet
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.join()


def started(main: Callable[[], int], arguments: Sequence[str], environment: Mapping[str, str]) -> Command:
    """Start the main function of a command, as a process group of its own."""
    receiver, sender = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=_run_command, args=(main, arguments, environment, sender))
    process.start()
    sender.close()
    output = os.fdopen(os.dup(receiver.fileno()), "rb")
    receiver.close()
    return Command(process, output)


def all_at_once(*works: Callable[[], None] | partial[None]) -> list[int | None]:
    """Do all works at the same time, each in a child; their exit codes."""
    children = [PROCESSES.Process(target=work) for work in works]
    for child in children:
        child.start()
    for child in children:
        child.join()
    return [child.exitcode for child in children]


def _report_rounds(sender: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    sender.send("begun")
    for _ in work(*arguments) or ():
        sender.send("a round is done")


def _run_command(
    main: Callable[[], int], arguments: Sequence[str], environment: Mapping[str, str], output: Any
) -> None:
    os.setsid()
    os.environ.update(environment)
    os.dup2(output.fileno(), 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8")
    sys.argv[1:] = arguments
    sys.exit(main())


def _work_until_step(number: int, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    steps = 0

    def kill_before(event: str, details: tuple[Any, ...]) -> None:
        nonlocal steps
        if event in _STEPS or (event == "open" and "w" in str(details[1])):
            steps += 1
            if steps == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(kill_before)
    work(*arguments)

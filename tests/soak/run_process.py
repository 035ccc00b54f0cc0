"""One run of the graph as a process of its own, in a time zone of its own: to be killed, or to find its disk full.

Belongs here: how such a process begins, what it tells and how it ends. Not here: which runs a soak makes and what is
done to each of them (`soak.py`).
"""

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import wraps
from multiprocessing.connection import Connection
from typing import Any

from engagement_assets.commands.range_run import RangeRequest, run_range
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.services.client import Clock
from engagement_assets.lake.load import Load
from engagement_assets.settings import Settings
from tests.integration.killed_processes import PROCESSES

_OUTCOME = "OUTCOME "
# A Parquet file without rows is a few hundred bytes.
_FILE_SIZE_ON_A_FULL_DISK = 0
_UNTIL_THE_CLOCK_CHANGES = timedelta(seconds=3)
_SUMMER_TIME = timedelta(hours=-4)


@dataclass(frozen=True)
class RunOrder:
    """What a process is to run, at which simulated time (UTC), on a machine of which zone and disk.

    Services are read at the simulated time, files at the machine's own: the records of loads have years between them.
    """

    settings: Settings
    first: date
    last: date
    selection: str
    now: datetime
    zone: str = "UTC"
    clock_changes: bool = False
    lake_disk_is_full: bool = False


@dataclass(frozen=True)
class RunEnd:
    """How a process ended: killed, or with the failures of its run. `clock_jumped_s` is by how much local time did."""

    killed: bool
    failures: tuple[str, ...] = ()
    clock_jumped_s: int = 0
    lines: list[str] = field(default_factory=list, repr=False)


def run_as_process(order: RunOrder, kill_at_line: int | None = None, kill_after_s: float = 0) -> RunEnd:
    """Run to the end, or kill -9 the process and all that it started, so long after a line of its progress.

    Raises:
        RuntimeError: the process ended without saying how its run went.
    """
    reader, writer = PROCESSES.Pipe(duplex=False)
    child = PROCESSES.Process(target=_run, args=(order, writer))
    child.start()
    writer.close()
    lines: list[str] = []
    killed = False
    with os.fdopen(os.dup(reader.fileno()), encoding="utf-8") as output:
        for line in output:
            lines.append(line.rstrip("\n"))
            if len(lines) == kill_at_line:
                child.join(kill_after_s)
                killed = child.is_alive()
                if killed:
                    assert child.pid is not None
                    os.killpg(child.pid, signal.SIGKILL)
    reader.close()
    child.join()
    if killed:
        return RunEnd(killed, lines=lines)
    if not lines or not lines[-1].startswith(_OUTCOME):
        told = "\n".join(lines[-30:])
        raise RuntimeError(f"a run of {order.first} to {order.last} ended with code {child.exitcode}:\n{told}")
    outcome = json.loads(lines.pop().removeprefix(_OUTCOME))
    return RunEnd(killed, tuple(outcome["failures"]), outcome["clock_jumped_s"], lines)


def _run(order: RunOrder, output: Connection) -> None:
    os.setsid()
    for descriptor in (1, 2):
        os.dup2(output.fileno(), descriptor)
    output.close()
    sys.stdout = sys.stderr = os.fdopen(1, "w", encoding="utf-8", buffering=1, closefd=False)
    os.environ["TZ"] = _zone_that_changes_soon(datetime.now(UTC)) if order.clock_changes else order.zone
    time.tzset()
    changes_by = time.monotonic() + _UNTIL_THE_CLOCK_CHANGES.total_seconds()
    offset = time.localtime().tm_gmtoff
    with _full_lake_disk() if order.lake_disk_is_full else _nothing_special():
        window = DayWindow(order.first, order.last + timedelta(days=1))
        run = run_range(order.settings, RangeRequest(window, order.selection), clock=_clock_from(order.now))
    if order.clock_changes:
        time.sleep(max(0.0, changes_by - time.monotonic()))  # a run is longer than that
    outcome = {"failures": run.failures, "clock_jumped_s": time.localtime().tm_gmtoff - offset}
    sys.stdout.write(f"{_OUTCOME}{json.dumps(outcome)}\n")


def _clock_from(now: datetime) -> Clock:
    """The simulated time: it runs as the real one does, and to sleep is to move it on."""
    ahead = now - datetime.now(UTC)

    def sleep(seconds: float) -> None:
        nonlocal ahead
        ahead += timedelta(seconds=seconds)

    return Clock(lambda: datetime.now(UTC) + ahead, sleep)


def _zone_that_changes_soon(now: datetime) -> str:
    """A zone whose summer time ends in a moment: every local time of the run's next hour comes twice.

    The rule is POSIX's: which weekday of a month, counted from its first (the fifth is the last), at a time that clocks
    then show.
    """
    change = now + _SUMMER_TIME + _UNTIL_THE_CLOCK_CHANGES
    begin = (change.month + 1) % 12 + 1  # in two months: it has been summer ever since
    end = f"M{change.month}.{(change.day - 1) // 7 + 1}.{change.isoweekday() % 7}/{change:%H:%M:%S}"
    return f"EST5EDT4,M{begin}.1.0,{end}"


@contextmanager
def _nothing_special() -> Iterator[None]:
    yield


@contextmanager
def _full_lake_disk() -> Iterator[None]:
    """No file that a load writes aside can grow: the system itself refuses, as it does on a disk that is full."""
    stage = Load.stage

    @wraps(stage)
    def write_on_a_full_disk(*arguments: Any, **options: Any) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_SIZE_ON_A_FULL_DISK, hard))
        try:
            stage(*arguments, **options)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    replaced: Callable[..., None] = write_on_a_full_disk
    Load.stage = replaced  # type: ignore[method-assign]
    yield

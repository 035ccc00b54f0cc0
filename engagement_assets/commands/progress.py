"""What a run in this process shows while it goes on: a line per step, or a count with the lines in a file.

Belongs here: how the log of a run looks on a terminal, and that nobody wonders whether it still goes on. Not here: what
steps log, and the summary at the end (`range_command.py`).
"""

import io
import logging
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import dagster as dg

from engagement_assets.commands.install import TELLS_EVERY_S, every_few_seconds
from engagement_assets.shown_text import shown_lines

# What filelock logs while it waits.
_WAITS = "Lock %s not acquired on %s, waiting"


class Counter(logging.Handler):
    """Counts which of the tables that a command makes are there."""

    def __init__(self) -> None:
        """Before the first run, there is nothing to count."""
        super().__init__()
        self._wanted: set[dg.AssetKey] = set()
        self._made: set[dg.AssetKey] = set()

    def begin(self, wanted: set[dg.AssetKey]) -> None:
        """A command begins that makes these; tables that it makes beside them are not counted."""
        self._wanted = wanted
        self._made.clear()

    def emit(self, record: logging.LogRecord) -> None:
        """Count the table of an event that says that it was made."""
        event = getattr(record, "dagster_meta", {}).get("dagster_event")
        if event is not None and event.is_step_materialization and event.asset_key in self._wanted:
            self._made.add(event.asset_key)

    def __str__(self) -> str:
        """As the console shows it."""
        return f"{len(self._made)} of {len(self._wanted)} tables" if self._wanted else "preparing"


@contextmanager
def counted(log: Path) -> Iterator[Counter]:
    """What is printed in the block goes to the end of `log`; the console gets a count every few seconds."""
    counter, console, started = Counter(), sys.stdout, time.monotonic()

    def tell() -> None:
        print(f"     {counter}, {time.monotonic() - started:.0f} s", file=console, flush=True)

    with every_few_seconds(tell), log.open("a", encoding="utf-8") as file, redirect_stdout(file):
        yield counter
    tell()


class _Noted(io.TextIOBase):
    """A stream that knows when something was last written to it."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.written_at = stream, time.monotonic()

    def write(self, text: str) -> int:
        self.written_at = time.monotonic()
        return self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()

    def fileno(self) -> int:
        return self.stream.fileno()

    def isatty(self) -> bool:
        return self.stream.isatty()


@contextmanager
def silence_told() -> Iterator[None]:
    """While the block prints nothing, standard output says every few seconds for how long it has not."""
    noted = _Noted(sys.stdout)

    def tell() -> None:
        if (seconds := time.monotonic() - noted.written_at) >= TELLS_EVERY_S:
            print(f"  {seconds:.0f} s", file=noted.stream, flush=True)

    with every_few_seconds(tell), redirect_stdout(noted):
        yield


def step_lines(counter: logging.Handler | None = None) -> dg.LoggerDefinition:
    """A logger that writes the steps' lines of level INFO to standard output, and hands all events to `counter`."""

    @dg.logger(None, description="Progress lines for a person at a terminal.")
    def progress(_context: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.getLogger("engagement_assets.progress")
        logger.setLevel(logging.DEBUG if counter else logging.INFO)
        logger.propagate = False
        lines = logging.StreamHandler(sys.stdout)
        lines.setLevel(logging.INFO)
        lines.setFormatter(_StepLine())
        logger.handlers = [lines, *([counter] if counter else [])]
        return logger

    return progress


class _StepLine(logging.Formatter):
    """Time, step and message. Dagster's own format is for machines."""

    def format(self, record: logging.LogRecord) -> str:
        meta = getattr(record, "dagster_meta", {})
        message = meta.get("orig_message") or record.getMessage()
        if message.startswith("Dependencies for step"):
            # Dagster names a step once for each of its tables.
            steps = dict.fromkeys(re.findall(r"'([^']+)'", message))
            message = f"not run, because {', '.join(steps)} failed or did not run"
        step = f"{meta['step_key']}: " if meta.get("step_key") else ""
        return f"{datetime.fromtimestamp(record.created, tz=UTC):%H:%M:%S}  {step}{shown_lines(message)}"


class _Wait(logging.Handler):
    """Says once for each lock that this process waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self._told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if str(record.msg).startswith(_WAITS) and isinstance(record.args, tuple):
            lock = str(record.args[1])
            if lock not in self._told:
                self._told.add(lock)
                print(f"waiting until another process releases {lock}", file=sys.stderr, flush=True)


@contextmanager
def waits_told() -> Iterator[None]:
    """If the block waits for a lock, standard error says so once."""
    logger = logging.getLogger("filelock")
    before, handler = (logger.level, logger.propagate), _Wait()
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before

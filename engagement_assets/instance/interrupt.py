"""Ctrl-C: how a command ends when somebody interrupts it.

Belongs here: noticing an interrupt at any moment, and ending. Not here: what must be recorded before the end (code that
needs it registers a last act), or how a command ends by itself (`commands/process.py`).

A command may be killed at any moment, so there is nothing to shut down: a thread of its own ends it at once. As an
exception in the main thread, an interrupt would reach dbt, Dagster and DuckDB, and each would make something else of
it: a failed node, a failed run, an alert, a traceback.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from typing import NoReturn

# The exit code that a shell gives to a program that SIGINT has ended.
INTERRUPTED = 128 + signal.SIGINT
# Last acts take a tenth of this, unless another process holds a lock.
LONGEST_S = 1.5
SENTENCE = "interrupted: nothing more is done, and the next run continues where this one stopped"

_last_acts: list[Callable[[], None]] = []
# Acquired for the end, and never released.
_end_lock = threading.Lock()


def end_on_interrupt() -> None:
    """From now on Ctrl-C ends this process: last acts, one sentence, exit code 130.

    Call it in the main thread before any other is started. If the process was started so that Ctrl-C does not reach it
    (`nohup`, `&` in a script), nothing changes.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    signal.signal(signal.SIGINT, lambda *_: _end())
    _start_resource_tracker()
    # Blocked in all other threads, it goes to that thread. Child processes inherit the block and ignore it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    threading.Thread(target=_wait, name="interrupts", daemon=True).start()


@contextmanager
def last_act(act: Callable[[], None]) -> Iterator[None]:
    """If somebody interrupts the block, do `act` before the end, while the block goes on.

    The block is then never left: what follows it must not happen.
    """
    _last_acts.append(act)
    try:
        yield
    finally:
        with _end_lock:
            _last_acts.remove(act)


@contextmanager
def for_a_child_of_its_own() -> Iterator[None]:
    """A program that is started in the block, or that this process becomes, can be interrupted by its process id.

    Also if this one ignores that, as what a script starts in the background does: Dagster's programs take SIGTERM as
    they take SIGINT, so nothing but SIGKILL would end them.
    """
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    if ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _start_resource_tracker() -> None:
    """Start the process that removes the semaphores of dbt before dbt does.

    Starting it lets SIGINT through again. And it would warn about semaphores that are left.
    """
    before = dict(os.environ)
    os.environ["PYTHONWARNINGS"] = "ignore::UserWarning:multiprocessing.resource_tracker"
    resource_tracker.ensure_running()
    del os.environ["PYTHONWARNINGS"]
    os.environ |= before


def _wait() -> None:
    signal.sigwait({signal.SIGINT})
    _end()


def _end() -> NoReturn:
    _end_lock.acquire()
    at_the_latest = threading.Timer(LONGEST_S, os._exit, [INTERRUPTED])
    at_the_latest.daemon = True
    at_the_latest.start()
    terminal = _have_the_last_word()
    os.write(terminal, f"\n{SENTENCE}\n".encode())
    try:
        for act in reversed(_last_acts):
            act()
    finally:
        if error := sys.exception():
            os.write(terminal, f"error: {error}\n".encode())
        os._exit(INTERRUPTED)


def _have_the_last_word() -> int:
    """A copy of standard error. From now on whatever other threads print goes nowhere."""
    terminal = os.dup(sys.stderr.fileno())
    with suppress(OSError, ValueError):  # nobody reads any more
        sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    return terminal

"""Ctrl-C: how a command ends when somebody interrupts it.

Belongs here: noticing it at any moment, and the end. Not here: what must be written down before the end (whoever is at
work says so), or how a command ends by itself (`commands/exit_process.py`).

A command may be killed at any moment, so there is nothing to wind up: it ends at once, from a thread of its own. As an
exception in the main thread an interrupt would come to dbt, Dagster and DuckDB, and each makes something else of it: a
failed node, a failed run, an alert, a traceback.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from typing import NoReturn

# What a shell makes of a program that ended by SIGINT.
INTERRUPTED = 128 + signal.SIGINT
# Writing down what is to be written down takes a tenth of this; somebody else may hold a lock.
LONGEST_S = 1.5
SENTENCE = "interrupted: nothing more is done, and the next run goes on where this one stopped"

_last_acts: list[Callable[[], None]] = []
# Taken for the end, and never given back.
_nobody_ends = threading.Lock()


def end_on_interrupt() -> None:
    """From now on Ctrl-C ends this process: last acts, one sentence, exit code 130.

    To be called by the main thread before any other is started. Who started the process so that Ctrl-C is not for it
    (`nohup`, `&` in a script) gets what they want.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    signal.signal(signal.SIGINT, lambda *_: _end())
    _start_resource_tracker()
    # Blocked in all threads, it is this one's; in child processes, which inherit that, it does nothing.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    threading.Thread(target=_wait, name="interrupts", daemon=True).start()


@contextmanager
def last_act(act: Callable[[], None]) -> Iterator[None]:
    """Should somebody interrupt the block, `act` is what is done before the end, beside what the block is doing.

    The block is then never left: what comes after it must not happen.
    """
    _last_acts.append(act)
    try:
        yield
    finally:
        with _nobody_ends:
            _last_acts.remove(act)


@contextmanager
def for_a_child_of_its_own() -> Iterator[None]:
    """A process that is started in the block can be interrupted, by whoever knows it."""
    blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _start_resource_tracker() -> None:
    """The process that clears away the semaphores of dbt, which starts it otherwise.

    Whenever that is, Python lets SIGINT through again. And it warns of semaphores that were left to it.
    """
    given = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = "ignore::UserWarning:multiprocessing.resource_tracker"
    resource_tracker.ensure_running()
    del os.environ["PYTHONWARNINGS"]
    if given is not None:
        os.environ["PYTHONWARNINGS"] = given


def _wait() -> None:
    signal.sigwait({signal.SIGINT})
    _end()


def _end() -> NoReturn:
    _nobody_ends.acquire()
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
    """Where standard error goes; from now on what anybody else writes, who goes on until the end, goes nowhere."""
    terminal = os.dup(sys.stderr.fileno())
    with suppress(OSError, ValueError):  # nobody reads any more
        sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    return terminal

"""Runs from the shell that were interrupted or killed: they are marked as such, and their pools are freed.

Belongs here: the lock that a living run holds, and what is done about a run that was cut off. Not here: runs that the
daemon started; its run monitoring takes care of them (`instance/run_launcher.py`).
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout

from engagement_assets.instance.interrupt import last_act
from engagement_assets.instance.run_history import INTERRUPTED_TAG


@contextmanager
def living_run(instance: dg.DagsterInstance, dagster_home: Path, run_id: str) -> Iterator[None]:
    """Hold the run's lock while it runs; the system frees it when the process dies.

    A run that somebody interrupts is marked as cancelled. If there is no time for that, the next run does it.
    """
    path = _lock(dagster_home, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)

    def cancel() -> None:
        _interrupted(path).touch()
        cancel_run(instance, run_id)

    with FileLock(path), last_act(cancel):
        yield
        path.unlink()


def cancel_run(instance: dg.DagsterInstance, run_id: str) -> None:
    """Mark a run as cancelled because its process ends now, and free its pool slots; a finished run stays as it is."""
    run = instance.get_run_by_id(run_id)
    if run is not None and not run.is_finished:
        instance.add_run_tags(run_id, {INTERRUPTED_TAG: "true"})
        instance.report_run_canceled(run, "interrupted")
        instance.event_log_storage.free_concurrency_slots_for_run(run_id)


def mark_killed_runs(instance: dg.DagsterInstance, dagster_home: Path) -> list[str]:
    """Mark runs whose process has died as failed, and free their pool slots.

    Returns:
        The ids of these runs. Those that somebody interrupted are not among them; they are marked as cancelled.
    """
    killed = []
    for path in sorted(_folder(dagster_home).glob("*.lock")):
        # Under the lock, so of two commands that begin at the same time one alone marks the run. Whoever opened the
        # file before that one removed it gets the lock too, and finds a finished run and no files.
        with suppress(Timeout), FileLock(path, timeout=0):  # a run that is alive has it
            if _interrupted(path).exists():
                cancel_run(instance, path.stem)
                _interrupted(path).unlink()
            run = instance.get_run_by_id(path.stem)
            if run is not None and not run.is_finished:
                instance.report_run_failed(run, "the process of this run was killed")
                instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
                killed.append(run.run_id)
            path.unlink(missing_ok=True)
    return killed


def is_killed(dagster_home: Path, run_id: str) -> bool:
    """Whether this is a run from a shell whose process has died."""
    if not of_a_shell(dagster_home, run_id):
        return False
    try:
        with FileLock(_lock(dagster_home, run_id), timeout=0):
            return True
    except Timeout:
        return False


def of_a_shell(dagster_home: Path, run_id: str) -> bool:
    """Whether this is a run from a shell that is alive, or was cut off and not marked yet."""
    return _lock(dagster_home, run_id).exists()


def _interrupted(lock: Path) -> Path:
    """The file that marks the run of a lock as interrupted."""
    return lock.with_suffix(".interrupted")


def _folder(dagster_home: Path) -> Path:
    return dagster_home / "range_runs"


def _lock(dagster_home: Path, run_id: str) -> Path:
    return _folder(dagster_home) / f"{run_id}.lock"

"""Runs of this machine's shell that were killed: noticed by the next one, so that their pools are free again.

Belongs here: the lock that a living run holds, and what is done about a dead one. Not here: runs that the daemon
started, which its run monitoring looks after (`run_launcher.py`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout


@contextmanager
def living_run(dagster_home: Path, run_id: str) -> Iterator[None]:
    """Hold the run's lock while it runs; the system frees it when the process dies."""
    folder = _folder(dagster_home)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{run_id}.lock"
    with FileLock(path):
        yield
        path.unlink()


def mark_killed_runs(instance: dg.DagsterInstance, dagster_home: Path) -> list[str]:
    """Mark the runs as failed whose process has died, and free the pool slots that they hold.

    Returns:
        The ids of these runs.
    """
    killed = []
    for path in sorted(_folder(dagster_home).glob("*.lock")):
        try:
            with FileLock(path, timeout=0):
                path.unlink()
        except Timeout:
            continue  # alive
        run = instance.get_run_by_id(path.stem)
        if run is not None and not run.is_finished:
            instance.report_run_failed(run, "the process of this run was killed")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            killed.append(run.run_id)
    return killed


def is_killed(dagster_home: Path, run_id: str) -> bool:
    """Whether this is a run of a shell whose process has died."""
    path = _folder(dagster_home) / f"{run_id}.lock"
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return True
    except Timeout:
        return False


def _folder(dagster_home: Path) -> Path:
    return dagster_home / "range_runs"

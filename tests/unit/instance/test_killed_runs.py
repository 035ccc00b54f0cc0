"""Runs that were cut off: the next run marks them as failed or cancelled, and frees their pools."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test
from filelock import FileLock

from engagement_assets.instance import killed_runs
from engagement_assets.instance.killed_runs import living_run, mark_killed_runs

STARTED, CANCELED, FAILURE = (dg.DagsterRunStatus[name] for name in ("STARTED", "CANCELED", "FAILURE"))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def _status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    stored = instance.get_run_by_id(run.run_id)
    assert stored is not None
    return stored.status


def _cut_off(instance: dg.DagsterInstance, home: Path, *, interrupted: bool) -> dg.DagsterRun:
    """A run whose process has gone without writing anything down, though somebody may have interrupted it."""
    run: dg.DagsterRun = create_run_for_test(instance, job_name="daily_runna", status=STARTED)
    folder = home / "range_runs"
    folder.mkdir(exist_ok=True)
    (folder / f"{run.run_id}.lock").touch()
    if interrupted:
        (folder / f"{run.run_id}.interrupted").touch()
    return run


def test_a_killed_run_has_failed_and_an_interrupted_one_is_cancelled(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    killed, interrupted = (_cut_off(instance, tmp_path, interrupted=value) for value in (False, True))
    assert mark_killed_runs(instance, tmp_path) == [killed.run_id]
    assert (_status(instance, killed), _status(instance, interrupted)) == (FAILURE, CANCELED)
    assert list((tmp_path / "range_runs").iterdir()) == []


def test_a_run_that_another_command_marks_at_the_same_time_is_marked_once(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, by_the_other = _cut_off(instance, tmp_path, interrupted=False), list[str]()

    def late(*given: Any, **options: Any) -> FileLock:
        """The other command is done between this one's look at the folder and its lock."""
        monkeypatch.setattr(killed_runs, "FileLock", FileLock)
        by_the_other.extend(mark_killed_runs(instance, tmp_path))
        return FileLock(*given, **options)

    monkeypatch.setattr(killed_runs, "FileLock", late)
    assert (mark_killed_runs(instance, tmp_path), by_the_other) == ([], [run.run_id])
    assert _status(instance, run) == FAILURE
    assert list((tmp_path / "range_runs").iterdir()) == []


def test_a_lock_file_that_another_command_has_removed_is_no_error(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _cut_off(instance, tmp_path, interrupted=False)

    class Removed(FileLock):
        """Opened before the other command removed the file, and taken after that one let it go."""

        def acquire(self, *given: Any, **options: Any) -> Any:
            taken = super().acquire(*given, **options)
            Path(self.lock_file).unlink()
            return taken

    monkeypatch.setattr(killed_runs, "FileLock", Removed)
    assert mark_killed_runs(instance, tmp_path) == [run.run_id]
    assert list((tmp_path / "range_runs").iterdir()) == []


def test_a_run_that_lives_is_left_alone(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run = create_run_for_test(instance, job_name="daily_runna", status=STARTED)
    with living_run(instance, tmp_path, run.run_id):
        assert mark_killed_runs(instance, tmp_path) == []
    assert _status(instance, run) == STARTED

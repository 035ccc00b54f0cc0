"""How a load becomes visible: all of its files or none, also when it is killed.

Belongs here: one load of a name at a time, its staging folder, the journal, and recovery after a kill. Not here: what a
load writes (see `lake/load.py`), or where files lie (see `lake/lake.py`).

    .aside/<load>/           what a load has staged
    .journal/<load>.json     a commit under way
    .locks/<load>.lock       held while a load is at work
"""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.lake.lake import Lake, LakeBusyError
from engagement_assets.lake.object_commit import claimed, commit_objects, finish_commits_of_the_dead

LOCK_WAIT_S = 600


class LakeFullError(OSError):
    """There is no room left for what a load, an erasure or retention writes."""


@dataclass(frozen=True)
class FileChange:
    """One step of a commit: the staged file becomes `key`; without a staged file, `key` is removed."""

    key: str
    staged: Path | None


@contextmanager
def exclusive(lake: Lake, name: str, window: DayWindow | None = None) -> Iterator[Path]:
    """Be the only load called `name`; yields its staging folder, which is empty at first and is removed at the end.

    First finishes a commit that was killed half-way, and removes what a killed load left staged. On S3 this keeps away
    loads of the days of `window` alone, if one is given. Other URLs know neither locks nor conditions: there the caller
    must keep loads apart.

    Raises:
        LakeBusyError: another process has been at this load for longer than ten minutes.
        LakeFullError: the disk, a quota or a limit leaves no room for what the caller writes.
    """
    if lake.objects is not None:
        days = (window.start, window.days()[-1]) if window else None
        with claimed(lake, lake.objects, name, days) as folder:
            yield folder
        return
    if not lake.is_local:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    lock = _lock(lake, name)
    try:
        acquired = lock.acquire(timeout=LOCK_WAIT_S)
    except Timeout as error:
        raise LakeBusyError(
            f"another load of {name} has held {lock.lock_file} for {LOCK_WAIT_S} s; expected "
            "it to end. Wait for that run or cancel it, then run this one again."
        ) from error
    with acquired:
        _finish_commit(lake, name)
        staging = _staging(lake, name)
        if staging.exists():
            shutil.rmtree(staging)
        staging.mkdir(parents=True)
        try:
            yield staging
        except (OSError, duckdb.IOException) as error:
            if not _means_no_room(error):
                raise
            raise LakeFullError(
                f"no room left for the load of {name} in the lake {lake.uri}: {error}. No day is half "
                "written; make room there, then run the same again"
            ) from error
        finally:
            # A commit that broke off needs the staged files: the next load finishes it.
            if not _journal(lake, name).exists():
                shutil.rmtree(staging)


def commit(lake: Lake, name: str, changes: Sequence[FileChange]) -> None:
    """Make all changes visible. After a kill, either none of them is visible, or the next use finishes them all.

    The caller is inside `exclusive(lake, name)`, and staged files lie in its folder. The journal is the point of no
    return: nothing changes before it is in place, and once it is, a reader or the next load finishes what a kill
    interrupted. Each step can be repeated without harm. S3 has no rename, and its commit is in `object_commit.py`. At
    other URLs the changes are made one after another, each file whole, and a rerun completes what a kill left out.

    Raises:
        ClaimLostError: on S3, the load was silent for so long that others have taken its days.
    """
    if lake.objects is not None:
        commit_objects(lake, lake.objects, name, [(change.key, change.staged) for change in changes])
        return
    if not lake.is_local:
        for change in changes:
            if change.staged is not None:
                lake.filesystem.put_file(str(change.staged), f"{lake.root}/{change.key}")
            elif lake.exists(change.key):
                lake.filesystem.rm_file(f"{lake.root}/{change.key}")
        return
    steps = [(step.key, step.staged and step.staged.relative_to(lake.root).as_posix()) for step in changes]
    journal = _journal(lake, name)
    journal.parent.mkdir(exist_ok=True)
    draft = _staging(lake, name) / "journal.json"
    draft.write_text(json.dumps(steps), encoding="utf-8")
    # If the power fails, staged files must be on disk before the journal is. One call for all files takes a hundredth
    # of the time of one call per file.
    os.sync()
    draft.replace(journal)
    _finish_commit(lake, name)


def finish_commits(lake: Lake) -> None:
    """Finish the commits of killed loads; a load that is at work finishes its own, and on S3 is waited for."""
    if lake.objects is not None:
        finish_commits_of_the_dead(lake, lake.objects)
    if not lake.is_local:
        return
    for journal in sorted((Path(lake.root) / ".journal").glob("*.json")):
        try:
            with _lock(lake, journal.stem).acquire(timeout=0):
                _finish_commit(lake, journal.stem)
        except Timeout:
            continue


@contextmanager
def abandoned(lake: Lake, before: datetime) -> Iterator[list[Path]]:
    """Folders that killed loads left before `before`, locked while in use; without those that a commit still needs.

    Of a lake that is not local these are the pages on this machine, which no lock guards: the folders of runs that have
    kept no page since `before`.
    """
    if not lake.is_local:
        yield [run for run in sorted(lake.pages_root.glob("*/*")) if run.stat().st_mtime < before.timestamp()]
        return
    parents = (Path(lake.root) / ".aside", lake.pages_root)
    found = []
    with ExitStack() as locks:
        for folder in sorted(folder for parent in parents if parent.is_dir() for folder in parent.iterdir()):
            if datetime.fromtimestamp(folder.stat().st_mtime, UTC) >= before:
                continue
            try:
                locks.enter_context(_lock(lake, folder.name).acquire(timeout=0))
            except Timeout:
                continue  # its owner is alive
            if folder.exists() and not _journal(lake, folder.name).exists():
                found.append(folder)
        yield found


def _finish_commit(lake: Lake, name: str) -> None:
    journal = _journal(lake, name)
    if not journal.exists():
        return
    root = Path(lake.root)
    for key, staged in json.loads(journal.read_text(encoding="utf-8")):
        target = root / key
        if staged is None:
            target.unlink(missing_ok=True)
        elif (root / staged).exists():  # else this step was done before the kill
            target.parent.mkdir(parents=True, exist_ok=True)
            (root / staged).replace(target)
    journal.unlink()


def _staging(lake: Lake, name: str) -> Path:
    return Path(lake.root) / ".aside" / name


def _journal(lake: Lake, name: str) -> Path:
    return Path(lake.root) / ".journal" / f"{name}.json"


def _lock(lake: Lake, name: str) -> FileLock:
    folder = Path(lake.root) / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"{name}.lock")


def _means_no_room(error: OSError | duckdb.IOException) -> bool:
    """Whether a write failed because there was no room; DuckDB gives the system's reason only in its text."""
    reasons = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if isinstance(error, OSError):
        return error.errno in reasons
    return any(os.strerror(reason) in str(error) for reason in reasons)

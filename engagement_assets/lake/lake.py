"""The lake: where every dataset's days lie, and how a set of files becomes visible.

Belongs here: paths, the commit of a load and its recovery after a kill. Not here: what a load writes (see
`lake/load.py`), what the columns mean (see `contracts/datasets.py`) or how files get columns that are new (see
`lake/columns_of_files.py`).

Layout below `LAKE_URI`; one file a day and dataset, so that one rename changes a day:

    raw_<source>/<dataset>/day=YYYY-MM-DD/data.parquet              what dbt reads
    raw_<source>/<dataset>/day=YYYY-MM-DD/pruned.json               in its place where retention has removed it
    <folder of days>/day=1970-01-01/empty-<columns>.parquet         without rows: all of the folder has these columns
    records/rejected/day=YYYY-MM-DD/raw_<source>.<dataset>.parquet  the quarantine of the day
    records/loads/day=<day of the load>/<load>.parquet              a row per load, dataset and day
    records/replayed/day=<day of the replay>/<load>.parquet         a row per record that left the quarantine by it
    records/held/day=YYYY-MM-DD/<load>.parquet                      a row per dataset that is held of this day
    held/<raw_source or records>/…      days that failed a blocking check, with their quarantine
    index/<name>                        which landing file holds which days
    .aside/<load>/, .journal/<load>.json, .locks/                   a load at work
"""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import fsspec
from filelock import FileLock, Timeout
from fsspec.implementations.local import LocalFileSystem

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.lake.day_files import FILE_NAME

# A dataset without daily partitions lies in one folder with this day, so that all are read alike.
WHOLE_DATASET_DAY = date(1970, 1, 1)
LOCK_WAIT_S = 600

# DuckDB takes these for a pattern of file names, and `name=` for a column of that name.
_UNREADABLE_CHARACTERS = frozenset("*?[=")


class LakeBusyError(RuntimeError):
    """Another load of the same name did not end in time."""


class LakeFullError(OSError):
    """There is no room left for a load."""


@dataclass(frozen=True)
class FileChange:
    """One step of a commit: the file `written` aside becomes `key`, or `key` goes without one."""

    key: str
    written: Path | None


class Lake:
    """The lake at a local folder, or at any URL that fsspec knows (`s3://bucket/prefix`)."""

    def __init__(self, uri: str) -> None:
        """Know where the lake is; nothing is created or read yet.

        Raises:
            ValueError: the location holds a character that readers take for a pattern or a column.
        """
        # What another process has written since the last look must be seen, or it would be lost.
        filesystem, root = fsspec.core.url_to_fs(uri, use_listings_cache=False)
        self._filesystem: fsspec.AbstractFileSystem = filesystem
        self._root: str = root.rstrip("/")
        self.is_local = isinstance(filesystem, LocalFileSystem)
        self.uri = self._root if self.is_local else uri.rstrip("/")
        if wrong := sorted(_UNREADABLE_CHARACTERS.intersection(self.uri)):
            raise ValueError(
                f"the lake {self.uri!r} has {' '.join(wrong)} in its path, which DuckDB takes for a "
                "pattern or for a partition column; set LAKE_URI to a path without * ? [ ="
            )

    def location(self, key: str) -> str:
        """Where DuckDB finds a key of the lake."""
        return f"{self.uri}/{key}"

    def day_key(self, dataset: Dataset, day: date) -> str:
        """The file of one day of a raw dataset."""
        return f"{dataset.key}/day={day.isoformat()}/{FILE_NAME}"

    def pruned_key(self, dataset: Dataset, day: date) -> str:
        """What lies in place of a day that retention has removed."""
        return f"{dataset.key}/day={day.isoformat()}/pruned.json"

    def pruned_days(self, dataset: Dataset, days: Iterable[date]) -> list[date]:
        """Those of `days` that retention has removed."""
        return [day for day in days if self.exists(self.pruned_key(dataset, day))]

    def quarantine_key(self, dataset: Dataset, day: date) -> str:
        """The rejected records of one day of a raw dataset; there is no file without any."""
        name = dataset.key.replace("/", ".")
        return f"records/rejected/day={day.isoformat()}/{name}.parquet"

    def held_key(self, key: str) -> str:
        """Where what should have become `key` waits, after its day failed a blocking check."""
        return f"held/{key}"

    def held_record_key(self, name: str, day: date) -> str:
        """What is written down of a day of the load called `name` while it is held: the day is, if this is there."""
        return f"records/held/day={day.isoformat()}/{name}.parquet"

    def all_held_days(self) -> set[date]:
        """The days that are held, of whatever load."""
        keys = self.keys("records/held/day=*/*.parquet")
        return {date.fromisoformat(key.split("day=")[-1][:10]) for key in keys} - {WHOLE_DATASET_DAY}

    def held_days(self, name: str) -> list[date]:
        """The days of the load called `name` that are held, oldest first."""
        return sorted(self._days_with(f"records/held/day=*/{name}.parquet"))

    def quarantine_files(self, dataset: Dataset) -> list[str]:
        """Where DuckDB finds all rejected records of a dataset."""
        return [self.location(key) for key in self.quarantine_keys(dataset)]

    def quarantine_keys(self, dataset: Dataset) -> list[str]:
        """The keys of these files."""
        name = dataset.key.replace("/", ".")
        return self.keys(f"records/rejected/day=*/{name}.parquet")

    def pages_folder(self, name: str) -> Path:
        """Where the load called `name` keeps pages of a service until it is published; always on this machine."""
        if self.is_local:
            return Path(self._root) / ".pages" / name
        lake = hashlib.sha256(self.uri.encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / "engagement_assets" / lake / name

    def loads_key(self, name: str, day: date) -> str:
        """The records of the loads called `name` under one day (see `day_of_load_records`)."""
        return f"records/loads/day={day.isoformat()}/{name}.parquet"

    def replays_key(self, name: str, day: date) -> str:
        """What left the quarantine by replays of the load called `name` on one day."""
        return f"records/replayed/day={day.isoformat()}/{name}.parquet"

    def loads_files(self, name: str, since: date = date.min) -> list[str]:
        """Where DuckDB finds the records of the loads called `name` that ran on `since` or later."""
        found = self._days_with(f"records/loads/day=*/{name}.parquet")
        return [location for day, location in found.items() if day >= since]

    def newest_loads_files(self) -> list[str]:
        """Where DuckDB finds the records of the newest day of loads, and of the one before: it may just have ended."""
        days = self._days_below("records/loads")[-2:]
        return [self.location(key) for day in days for key in self.keys(f"records/loads/day={day}/*.parquet")]

    def exists(self, key: str) -> bool:
        """Whether the lake holds the key."""
        return bool(self._filesystem.exists(f"{self._root}/{key}"))

    def days(self, dataset: Dataset) -> list[date]:
        """The days that the lake holds of a dataset, oldest first, without those that retention has removed."""
        removed = self._days_with(f"{dataset.key}/day=*/pruned.json")
        return [day for day in self._days_below(dataset.key) if day not in removed]

    def day_of_load_records(self, today: date) -> date:
        """The day under which a load that ends now writes its records: `today`, or that of the newest records.

        A clock that was ahead and was put right is behind them. Who reads what came since a day would miss the load.
        """
        return max([today, *self._days_below("records/loads")])

    def _days_below(self, key: str) -> list[date]:
        """The days that have folders in a folder, oldest first."""
        folder = f"{self._root}/{key}"
        if not self._filesystem.isdir(folder):
            return []
        paths = self._filesystem.ls(folder, detail=False)
        names = (str(path).rstrip("/").rpartition("/")[2] for path in paths)
        days = {date.fromisoformat(name[4:]) for name in names if name.startswith("day=")}
        return sorted(days - {WHOLE_DATASET_DAY})

    def size(self, key: str) -> int:
        """The bytes of a key."""
        return int(self._filesystem.size(f"{self._root}/{key}"))

    def fetch(self, key: str, path: Path) -> None:
        """Copy a key of the lake to a file on this machine."""
        self._filesystem.get_file(f"{self._root}/{key}", str(path))

    def keys(self, pattern: str) -> list[str]:
        """The keys that match, in order."""
        found = self._filesystem.glob(f"{self._root}/{pattern}")
        return sorted(str(path).removeprefix(f"{self._root}/") for path in found)

    def _days_with(self, pattern: str) -> dict[date, str]:
        """Day → where DuckDB finds it, of the keys that match, oldest first; `pattern` has one file a day."""
        return {date.fromisoformat(key.split("day=")[1][:10]): self.location(key) for key in self.keys(pattern)}

    def connect(self, memory_limit: str, temporary_folder: Path) -> duckdb.DuckDBPyConnection:
        """A DuckDB in memory that reads the lake, keeps UTC and spills to `temporary_folder`."""
        connection = duckdb.connect(config={"memory_limit": memory_limit, "temp_directory": str(temporary_folder)})
        connection.execute("set TimeZone = 'UTC'")
        # No row's meaning lies in its place; keeping the order would cost memory.
        connection.execute("set preserve_insertion_order = false")
        self.lend_file_system(connection)
        return connection

    def lend_file_system(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let a connection read a lake that is not on this machine."""
        if not self.is_local:
            connection.register_filesystem(self._filesystem)

    @contextmanager
    def exclusive(self, name: str) -> Iterator[Path]:
        """The only load called `name` at a time: yields its empty staging folder, gone at the end.

        A commit that was killed half-way is finished first, and what a killed load left aside is
        removed. Object stores have no lock to take: there the caller keeps loads apart.

        Raises:
            LakeBusyError: another process has been at this load for longer than ten minutes.
            LakeFullError: the disk, a quota or a limit leaves no room for what the caller writes.
        """
        if not self.is_local:
            with tempfile.TemporaryDirectory() as folder:
                yield Path(folder)
            return
        lock = self._lock(name)
        try:
            held = lock.acquire(timeout=LOCK_WAIT_S)
        except Timeout as error:
            raise LakeBusyError(
                f"another load of {name} has held {lock.lock_file} for {LOCK_WAIT_S} s; expected "
                "it to end. Wait for that run or cancel it, then run this one again."
            ) from error
        with held:
            self._finish_commit(name)
            staging = self._staging(name)
            if staging.exists():
                shutil.rmtree(staging)
            staging.mkdir(parents=True)
            try:
                yield staging
            except (OSError, duckdb.IOException) as error:
                if not _tells_of_no_room(error):
                    raise
                raise LakeFullError(
                    f"no room left for the load of {name} in the lake {self.uri}: {error}. No day is half "
                    "written; make room there, then run the same days again"
                ) from error
            finally:
                # A commit that broke off needs what is staged: the next use goes on with it.
                if not self._journal(name).exists():
                    shutil.rmtree(staging)

    def finish_commits(self) -> None:
        """Finish what killed loads had begun to publish, unless the load is at work right now."""
        if not self.is_local:
            return
        for journal in sorted((Path(self._root) / ".journal").glob("*.json")):
            try:
                with self._lock(journal.stem).acquire(timeout=0):
                    self._finish_commit(journal.stem)
            except Timeout:
                continue  # its owner is alive and finishes it

    @contextmanager
    def abandoned(self, before: datetime) -> Iterator[list[Path]]:
        """What loads that were killed have left aside before a moment, while nobody can be at work with it.

        What belongs to a commit that is to be finished is not among it.
        """
        found = []
        with ExitStack() as locks:
            for folder in self._folders_of_loads():
                if datetime.fromtimestamp(folder.stat().st_mtime, UTC) >= before:
                    continue
                try:
                    locks.enter_context(self._lock(folder.name).acquire(timeout=0))
                except Timeout:
                    continue  # its owner is alive
                if folder.exists() and not self._journal(folder.name).exists():
                    found.append(folder)
            yield found

    def _folders_of_loads(self) -> list[Path]:
        """Where loads keep what they have not published, below `.aside` and `.pages`."""
        if not self.is_local:
            return []
        parents = (Path(self._root) / ".aside", Path(self._root) / ".pages")
        return sorted(folder for parent in parents if parent.is_dir() for folder in parent.iterdir())

    def commit(self, name: str, changes: Sequence[FileChange]) -> None:
        """Make all changes visible, or after a kill at any moment either none or, on the next use, all.

        The caller holds `exclusive(name)`, and what is written lies in its folder. The journal is the point of no
        return: before it is in place nothing has changed, after it a reader or the next load goes on where the killed
        one stopped. Each step can be repeated without harm. An object store has no rename: there the changes are made
        one after another, each file whole, and a rerun completes what a kill left out.
        """
        if not self.is_local:
            for change in changes:
                target = f"{self._root}/{change.key}"
                if change.written is not None:
                    self._filesystem.put_file(str(change.written), target)
                elif self.exists(change.key):
                    self._filesystem.rm_file(target)
            return
        steps = [(step.key, step.written and step.written.relative_to(self._root).as_posix()) for step in changes]
        journal = self._journal(name)
        journal.parent.mkdir(exist_ok=True)
        draft = self._staging(name) / "journal.json"
        draft.write_text(json.dumps(steps), encoding="utf-8")
        # Should the power fail, what is staged must be on disk before the journal is. One call for
        # all files takes a hundredth of the time of one per file.
        os.sync()
        draft.replace(journal)
        self._finish_commit(name)

    def _finish_commit(self, name: str) -> None:
        journal = self._journal(name)
        if not journal.exists():
            return
        root = Path(self._root)
        for key, written in json.loads(journal.read_text(encoding="utf-8")):
            target = root / key
            if written is None:
                target.unlink(missing_ok=True)
            elif (root / written).exists():  # else this step was done before the kill
                target.parent.mkdir(parents=True, exist_ok=True)
                (root / written).replace(target)
        journal.unlink()

    def _staging(self, name: str) -> Path:
        return Path(self._root) / ".aside" / name

    def _journal(self, name: str) -> Path:
        return Path(self._root) / ".journal" / f"{name}.json"

    def _lock(self, name: str) -> FileLock:
        folder = Path(self._root) / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{name}.lock")


def _tells_of_no_room(error: OSError | duckdb.IOException) -> bool:
    """Whether a write failed for want of room; DuckDB has the system's reason in its text alone."""
    reasons = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if isinstance(error, OSError):
        return error.errno in reasons
    return any(os.strerror(reason) in str(error) for reason in reasons)

"""The lake: where the days of every dataset lie, and how they are read.

Belongs here: paths and looking at them. Not here: making files visible (see `lake/commit.py`), what a load writes (see
`lake/load.py`), what the columns mean (see `contracts/datasets.py`) or how files get new columns (see
`lake/columns_of_files.py`).

Layout below `LAKE_URI`; one file per day and dataset, so that one rename changes a day:

    raw_<source>/<dataset>/day=YYYY-MM-DD/data.parquet              what dbt reads
    raw_<source>/<dataset>/day=YYYY-MM-DD/pruned.parquet            in its place where retention has removed it: no rows
    <folder of days>/day=1970-01-01/empty-<columns>.parquet         without rows: all of the folder has these columns
    records/rejected/day=YYYY-MM-DD/raw_<source>.<dataset>.parquet  the quarantine of the day
    records/loads/day=<day of the load>/<load>.parquet              a row per load, dataset and day; on S3 a file per
                                                                    load, <load>.<time>.parquet
    records/replayed/day=<day of the replay>/<load>.parquet         a row per record that left the quarantine by it
    records/held/day=YYYY-MM-DD/<load>.parquet                      a row per dataset that is held of this day
    records/erasures/day=<day of the request>/<request>.parquet     a row per person that was to be erased: tombstones
    held/<raw_source or records>/…      days that failed a blocking check, with their quarantine
    privacy/pseudonyms.json             under which key ids are pseudonyms (see `lake/pseudonym_key.py`)
    index/<name>                        which landing file holds which days
    places/<load>.json                  the coarse cell that was chosen for each season of an athlete
    .pages/<load>/                      pages of a service that a load keeps until it is published
    .aside/, .journal/, .locks/         loads at work (see `lake/commit.py`)
    .claims/                            the same on S3 (see `lake/object_commit.py`)
"""

import hashlib
import tempfile
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import duckdb
import fsspec
from fsspec.implementations.local import LocalFileSystem

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.lake.day_files import FILE_NAME
from engagement_assets.lake.object_store import ObjectStore
from engagement_assets.privacy.policy import PrivacyPolicy

# A dataset without daily partitions lies in one folder with this day, so that all datasets are read in the same way.
WHOLE_DATASET_DAY = date(1970, 1, 1)

PRUNED, PRUNED_BEFORE = "pruned.parquet", "pruned.json"
# DuckDB takes these for a pattern of file names, and `name=` for a column of that name.
_UNREADABLE_CHARACTERS = frozenset("*?[=")


class LakeBusyError(RuntimeError):
    """Another load of the same name did not end in time."""


class Lake:
    """The lake at a local folder, or at any URL that fsspec knows (`s3://bucket/prefix`)."""

    def __init__(self, uri: str, policy: PrivacyPolicy | None = None) -> None:
        """Remember where the lake is, and what loads into it hide; nothing is created or read yet.

        Raises:
            ValueError: the location has a character that readers take for a pattern or a column.
        """
        # A cached listing would hide what another process has written since.
        filesystem, root = fsspec.core.url_to_fs(uri, use_listings_cache=False)
        self.policy = policy or PrivacyPolicy()
        self.filesystem: fsspec.AbstractFileSystem = filesystem
        self.root: str = root.rstrip("/")
        self.is_local = isinstance(filesystem, LocalFileSystem)
        self.objects = ObjectStore(filesystem, self.root) if "s3" in filesystem.protocol else None
        # On S3: what has been claimed through this object, the name of a load → its token.
        self.claims: dict[str, str] = {}
        self.uri = self.root if self.is_local else uri.rstrip("/")
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
        return f"{dataset.key}/day={day}/{FILE_NAME}"

    def pruned_key(self, dataset: Dataset, day: date) -> str:
        """What lies in place of a day that retention has removed: a file without rows, which any engine can read."""
        return f"{dataset.key}/day={day}/{PRUNED}"

    def pruned_key_before(self, dataset: Dataset, day: date) -> str:
        """What versions before 0.3 put there; `columns_of_files.py` replaces it."""
        return f"{dataset.key}/day={day}/{PRUNED_BEFORE}"

    def quarantine_key(self, dataset: Dataset, day: date) -> str:
        """The rejected records of one day of a raw dataset; a day without any has no file."""
        return f"records/rejected/day={day}/{_dotted(dataset)}.parquet"

    def held_key(self, key: str) -> str:
        """Where the file for `key` waits while its day is held."""
        return f"held/{key}"

    def held_record_key(self, name: str, day: date) -> str:
        """The record of a held day of the load called `name`: the day is held as long as this file exists."""
        return f"records/held/day={day}/{name}.parquet"

    def loads_key(self, name: str, day: date, load_id: str) -> str:
        """The records of the loads called `name` under one day (see `day_of_load_records`).

        On S3 several of them may end at the same time, so each has a file of its own.
        """
        own = f".{load_id.removeprefix(f'{name}-')}" if self.objects else ""
        return f"records/loads/day={day}/{name}{own}.parquet"

    def replays_key(self, name: str, day: date) -> str:
        """What left the quarantine by replays of the load called `name` on one day."""
        return f"records/replayed/day={day}/{name}.parquet"

    def places_key(self, name: str) -> str:
        """The cells that stand for the places of the load called `name`."""
        return f"places/{name}.json"

    @property
    def pages_root(self) -> Path:
        """Where loads keep pages of services until they are published; always on this machine."""
        if self.is_local:
            return Path(self.root) / ".pages"
        lake = hashlib.sha256(self.uri.encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / "engagement_assets" / lake

    def pages_folder(self, name: str) -> Path:
        """Where the load called `name` keeps its pages, in a folder for each run."""
        return self.pages_root / name

    def exists(self, key: str) -> bool:
        """Whether the lake holds the key."""
        return bool(self.filesystem.exists(f"{self.root}/{key}"))

    def present(self, keys: Iterable[str]) -> list[str]:
        """Where DuckDB finds those of `keys` that the lake holds."""
        return [self.location(key) for key in keys if self.exists(key)]

    def size(self, key: str) -> int:
        """The bytes of a key."""
        return int(self.filesystem.size(f"{self.root}/{key}"))

    def version_of(self, key: str) -> str | None:
        """What changes whenever the file of a key is written anew; None without a file."""
        try:
            return str(self.filesystem.ukey(f"{self.root}/{key}"))
        except FileNotFoundError:
            return None

    def fetch(self, key: str, path: Path) -> None:
        """Copy a key of the lake to a file on this machine."""
        self.filesystem.get_file(f"{self.root}/{key}", str(path))

    def remove_folder(self, key: str) -> None:
        """Remove what lies below a key, if anything does."""
        if self.filesystem.exists(f"{self.root}/{key}"):
            self.filesystem.rm(f"{self.root}/{key}", recursive=True)

    def keys(self, pattern: str) -> list[str]:
        """The keys that match, in order."""
        # Without folders, since one of S3 goes with its last object, and to be told of it would then be an error.
        found = self.filesystem.glob(f"{self.root}/{pattern}", withdirs=False)
        return sorted(str(path).removeprefix(f"{self.root}/") for path in found)

    def names_below(self, key: str) -> list[str]:
        """The names of what lies directly in a folder; none if there is no such folder."""
        try:
            found = self.filesystem.ls(f"{self.root}/{key}", detail=False)
        except FileNotFoundError:
            return []
        return [str(path).rstrip("/").rpartition("/")[2] for path in found]

    def days(self, dataset: Dataset) -> list[date]:
        """The days that the lake holds of a dataset, oldest first, without those that retention has removed."""
        removed = self._days_with(f"{dataset.key}/day=*/pruned.*")
        return [day for day in self._days_below(dataset.key) if day not in removed]

    def newest_day(self, dataset: Dataset) -> date | None:
        """The newest day that the lake holds of a dataset, or that retention has removed."""
        return max(self._days_below(dataset.key), default=None)

    def pruned_days(self, dataset: Dataset, days: Iterable[date]) -> list[date]:
        """Those of `days` that retention has removed."""
        keys = (self.pruned_key, self.pruned_key_before)
        return [day for day in days if any(self.exists(key(dataset, day)) for key in keys)]

    def all_pruned_days(self, dataset: Dataset) -> list[date]:
        """The days of a dataset that retention has removed, oldest first."""
        return sorted(self._days_with(f"{dataset.key}/day=*/pruned.*"))

    def held_days(self, name: str) -> list[date]:
        """The days of the load called `name` that are held, oldest first."""
        return sorted(self._days_with(f"records/held/day=*/{name}.parquet"))

    def all_held_days(self) -> set[date]:
        """The days that are held, of any load."""
        return set(self._days_with("records/held/day=*/*.parquet")) - {WHOLE_DATASET_DAY}

    def quarantine_keys(self, dataset: Dataset) -> list[str]:
        """The files with rejected records of a dataset."""
        return self.keys(f"records/rejected/day=*/{_dotted(dataset)}.parquet")

    def all_quarantine_keys(self, dataset: Dataset | None = None) -> list[str]:
        """The files with rejected records of a dataset or of all, also of held days."""
        return self._also_held(f"records/rejected/day=*/{_dotted(dataset) if dataset else '*'}.parquet")

    def all_day_keys(self, dataset: Dataset | None = None) -> list[str]:
        """The files of the days of a dataset or of all, also of held days."""
        return self._also_held(f"{dataset.key if dataset else 'raw_*/*'}/day=*/{FILE_NAME}")

    def loads_files(self, name: str, since: date = date.min) -> list[str]:
        """Where DuckDB finds the records of the loads called `name` that ran on `since` or later."""
        return [self.location(key) for key in self.loads_keys(name) if day_of_key(key) >= since]

    def loads_keys(self, name: str) -> list[str]:
        """The records of the loads called `name`."""
        # The name of a load has no dot.
        return self.keys(f"records/loads/day=*/{name}.*parquet")

    def newest_loads_files(self) -> list[str]:
        """Where DuckDB finds the records of the newest day of loads, and of the one before: it may just have ended."""
        days = self._days_below("records/loads")[-2:]
        return [self.location(key) for day in days for key in self.keys(f"records/loads/day={day}/*.parquet")]

    def day_of_load_records(self, today: date) -> date:
        """The day under which a load that ends now writes its records: `today`, or that of the newest records if later.

        They are later if a clock ran ahead and has been corrected. Otherwise, somebody who reads everything since a day
        would miss the load.
        """
        return max([today, *self._days_below("records/loads")])

    def _days_below(self, key: str) -> list[date]:
        """The days that have folders in a folder, oldest first."""
        days = {date.fromisoformat(name[4:]) for name in self.names_below(key) if name.startswith("day=")}
        return sorted(days - {WHOLE_DATASET_DAY})

    def _days_with(self, pattern: str) -> dict[date, str]:
        """Day → a key that matches, oldest day first."""
        return {day_of_key(key): key for key in self.keys(pattern)}

    def _also_held(self, pattern: str) -> list[str]:
        return [*self.keys(pattern), *self.keys(self.held_key(pattern))]

    def connect(self, memory_limit: str, temporary_folder: Path) -> duckdb.DuckDBPyConnection:
        """A DuckDB in memory that reads the lake, keeps UTC and spills to `temporary_folder`."""
        connection = connect_in_memory(memory_limit, temporary_folder)
        self.lend_file_system(connection)
        return connection

    def lend_file_system(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let a connection read a lake that is not on this machine."""
        if not self.is_local:
            connection.register_filesystem(self.filesystem)


def connect_in_memory(memory_limit: str, temporary_folder: Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory, set as loads need it."""
    connection = duckdb.connect(config={"memory_limit": memory_limit, "temp_directory": str(temporary_folder)})
    connection.execute("set TimeZone = 'UTC'")
    # No row's meaning depends on its place, and keeping the order would cost memory.
    connection.execute("set preserve_insertion_order = false")
    return connection


def day_of_key(key: str) -> date:
    """The day of a file that lies in a folder of days."""
    return date.fromisoformat(key.split("day=")[1][:10])


def _dotted(dataset: Dataset) -> str:
    return dataset.key.replace("/", ".")

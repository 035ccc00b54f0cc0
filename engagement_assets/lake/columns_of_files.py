"""All files of a folder of days have the columns that this version knows, whatever version wrote them.

Belongs here: the mark that says so, adding new columns to old files, and replacing old marks of retention. Not here:
which columns there are (see `contracts/datasets.py` and `lake/record_columns.py`).

A reader of many files assumes that all have the columns of one. Comparing them in every query would open each file of
the history. So all files get the same columns once, and the name of the mark says which columns these are.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import duckdb

from engagement_assets.lake.commit import FileChange, commit, exclusive, finish_commits
from engagement_assets.lake.day_files import sql_text, write_empty_file
from engagement_assets.lake.lake import PRUNED, PRUNED_BEFORE, WHOLE_DATASET_DAY, Lake
from engagement_assets.lake.record_columns import (
    ERASURE_COLUMNS,
    HELD_COLUMNS,
    LOAD_COLUMNS,
    QUARANTINE_COLUMNS,
    REPLAY_COLUMNS,
)
from engagement_assets.sources import RAW_DATASETS

_LOAD = "columns_of_files"
# Grows when files must be looked at once more although their columns are the same.
_LAYOUT = 2
_COLUMNS_OF_FOLDERS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {dataset.key: dataset.columns for dataset in RAW_DATASETS}
    | {
        "records/rejected": QUARANTINE_COLUMNS,
        "records/replayed": REPLAY_COLUMNS,
        "records/loads": LOAD_COLUMNS,
        "records/held": HELD_COLUMNS,
        "records/erasures": ERASURE_COLUMNS,
    }
)


class UnknownColumnsError(ValueError):
    """A file of the lake has columns that this version cannot have written."""


def make_files_alike(lake: Lake) -> None:
    """Add missing columns to every file, NULL in all rows, and put a file without rows into every folder.

    DuckDB cannot read a folder without a file. Once this is done, a call costs one lookup per folder.

    Raises:
        UnknownColumnsError: a file has a column, or a column's type, of a newer version.
    """
    if all(lake.exists(_mark(folder)) for folder in _COLUMNS_OF_FOLDERS):
        return
    # What a killed load of an older version has staged would otherwise appear later, with that version's columns.
    finish_commits(lake)
    with exclusive(lake, _LOAD) as staging, lake.connect("1GB", staging / "spill") as connection:
        for folder in _COLUMNS_OF_FOLDERS:
            # Again, since another process may have done this while it held the lock.
            if not lake.exists(_mark(folder)):
                commit(lake, _LOAD, _changes(lake, connection, folder, staging))


def _mark(folder: str) -> str:
    """The key of the file without rows. A load may be writing a day's file now, so the name differs from those."""
    columns = json.dumps(list(_COLUMNS_OF_FOLDERS[folder].items()))
    digest = hashlib.sha256(f"{columns} {_LAYOUT}".encode()).hexdigest()[:8]
    return f"{folder}/day={WHOLE_DATASET_DAY}/empty-{digest}.parquet"


def _changes(lake: Lake, connection: duckdb.DuckDBPyConnection, folder: str, staging: Path) -> list[FileChange]:
    """The files of a folder that lack columns, rewritten; then the mark, which replaces those of other versions."""
    columns = _COLUMNS_OF_FOLDERS[folder]
    marks = lake.keys(f"{folder}/day={WHOLE_DATASET_DAY}/empty*.parquet")
    files = [*lake.keys(f"{folder}/day=*/*.parquet"), *lake.keys(f"held/{folder}/day=*/*.parquet")]
    changes = []
    for key in files:
        if key in marks:
            continue
        file = f"read_parquet({sql_text(lake.location(key))}, hive_partitioning = false)"
        columns_of_file = {row[0]: row[1] for row in connection.execute(f"describe select * from {file}").fetchall()}
        if list(columns_of_file.items()) == list(columns.items()):
            continue
        _refuse_unknown(lake.location(key), columns_of_file, columns)
        path = staging / key
        path.parent.mkdir(parents=True, exist_ok=True)
        selected = ", ".join(
            name if name in columns_of_file else f"cast(null as {kind}) as {name}" for name, kind in columns.items()
        )
        connection.execute(f"copy (select {selected} from {file}) to {sql_text(str(path))} (format parquet)")
        changes.append(FileChange(key, path))
    for key in lake.keys(f"{folder}/day=*/{PRUNED_BEFORE}"):
        mark_key = key.replace(PRUNED_BEFORE, PRUNED)
        path = staging / mark_key
        path.parent.mkdir(parents=True, exist_ok=True)
        write_empty_file(connection, columns, path)
        changes += [FileChange(mark_key, path), FileChange(key, None)]
    mark = staging / _mark(folder)
    mark.parent.mkdir(parents=True, exist_ok=True)
    write_empty_file(connection, columns, mark)
    return [*changes, *(FileChange(key, None) for key in marks), FileChange(_mark(folder), mark)]


def _refuse_unknown(location: str, found: Mapping[str, str], columns: Mapping[str, str]) -> None:
    unknown = {name: kind for name, kind in found.items() if columns.get(name) != kind}
    if unknown:
        expected = {name: columns.get(name, "no such column") for name in unknown}
        raise UnknownColumnsError(
            f"{location} has the columns {unknown}, expected {expected}: a newer version of this project wrote it. "
            "Install that version, or set LAKE_URI to a new folder and backfill it"
        )

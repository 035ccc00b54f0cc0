"""Parquet files by day: written from a query, one file per day, and read again as SQL.

Belongs here: how DuckDB writes and reads `day=YYYY-MM-DD/data.parquet`. Not here: which rows these are (see
`lake/load.py`) or when others see them (see `lake/commit.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

import duckdb

FILE_NAME = "data.parquet"

_ROWS_IN_MEMORY_PER_DAY = 20_000


def sql_text(text: str) -> str:
    """The text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def day_file(folder: Path, day: date) -> Path:
    """The file of one day in a folder of days."""
    return folder / f"day={day.isoformat()}" / FILE_NAME


def rows_of(files: Sequence[str], columns: Mapping[str, str]) -> str:
    """The rows of files as an SQL table: `columns`, and the `day` of their paths; no rows without files."""
    if not files:
        return f"(select {_nulls({**columns, 'day': 'DATE'})} where false)"
    listed = ", ".join(sql_text(file) for file in files)
    return f"read_parquet([{listed}], hive_partitioning = true, hive_types = {{'day': date}})"


def write_empty_file(connection: duckdb.DuckDBPyConnection, columns: Mapping[str, str], path: Path) -> None:
    """Write a Parquet file with these columns and no row."""
    connection.execute(f"copy (select {_nulls(columns)} where false) to {sql_text(str(path))} (format parquet)")


def write_days(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    columns: Mapping[str, str],
    days: Iterable[date],
    folder: Path,
) -> set[date]:
    """Write a query's `columns` and `day` to one file per day in `folder`, which must not exist.

    Returns:
        The days that have rows, and so a file.

    Raises:
        ValueError: a row's day is not among `days`.
    """
    folder.mkdir(parents=True)
    # By default each thread keeps half a million rows of each day in memory.
    connection.execute(f"set partitioned_write_flush_threshold = {_ROWS_IN_MEMORY_PER_DAY}")
    connection.execute(
        f"copy (select {', '.join(columns)}, day from ({rows})) "
        f"to {sql_text(str(folder))} (format parquet, partition_by (day))"
    )
    expected = {f"day={day.isoformat()}": day for day in days}
    written = sorted(folder.iterdir())
    if strays := [path.name for path in written if path.name not in expected]:
        raise ValueError(
            f"rows of {strays[:5]} were returned for {folder.name}, expected days from "
            f"{min(expected)} to {max(expected)} only; the extractor must leave other days out"
        )
    for day_folder in written:
        _join_parts(connection, day_folder)
    return {expected[path.name] for path in written}


def _join_parts(connection: duckdb.DuckDBPyConnection, day_folder: Path) -> None:
    """Make one file of the day: DuckDB writes several if it cannot keep the files of all days open."""
    parts = sorted(day_folder.iterdir())
    target = day_folder / FILE_NAME
    if len(parts) == 1:
        parts[0].rename(target)
        return
    listed = ", ".join(sql_text(str(part)) for part in parts)
    connection.execute(
        f"copy (select * from read_parquet([{listed}], hive_partitioning = false)) "
        f"to {sql_text(str(target))} (format parquet)"
    )
    for part in parts:
        part.unlink()


def _nulls(columns: Mapping[str, str]) -> str:
    return ", ".join(f"null::{kind} as {name}" for name, kind in columns.items())

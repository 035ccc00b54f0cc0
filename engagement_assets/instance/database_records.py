"""What Dagster keeps of runs in a PostgreSQL database, where an erasure looks for ids as it does in files.

Belongs here: searching Dagster's own tables, and overwriting ids in them. Not here: files, SQLite's among them, and how
an id may be written (`privacy/sweep.py`).

Statements name a row by its place in the table, never by its content, since servers may log statements.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import sqlalchemy as sa

from engagement_assets.dagster_internals import (
    RunStorageSqlMetadata,
    ScheduleStorageSqlMetadata,
    SqlEventLogStorageMetadata,
)
from engagement_assets.instance.home import INSTANCE_SETTINGS
from engagement_assets.privacy.sweep import Search


class DatabaseRecordsError(RuntimeError):
    """Dagster's records lie where nobody can search them."""


class _Hit(NamedTuple):
    """A row with ids: its table, its place until somebody changes it, and its values that hold one."""

    table: str
    place: str
    values: Mapping[str, str | bytes]


def places_in_database(dagster_home: Path, search: Search) -> list[str]:
    """The columns of Dagster's tables that hold one of the ids; none if the records of runs lie in files.

    Raises:
        DatabaseRecordsError: Dagster's storage is neither in files nor in PostgreSQL.
    """
    with _storages(dagster_home) as storages:
        found = {
            (hit.table, column)
            for connection, metadata in storages
            for hit in _hits(connection, metadata, search)
            for column in hit.values
        }
    return [f"Dagster's database, table {table}, column {column}" for table, column in sorted(found)]


def blank_in_database(dagster_home: Path, search: Search) -> None:
    """Replace the ids in all values of Dagster's tables, and write these tables anew, since old rows stay in them.

    Raises:
        DatabaseRecordsError: Dagster's storage is neither in files nor in PostgreSQL.
    """
    with _storages(dagster_home) as storages:
        for connection, metadata in storages:
            hits = list(_hits(connection, metadata, search))
            for hit in hits:
                changes = ", ".join(f'"{column}" = :{column}' for column in hit.values)
                connection.execute(
                    sa.text(f'update "{hit.table}" set {changes} where ctid = cast(:place as tid)'),
                    {column: search.blanked_value(value) for column, value in hit.values.items()}
                    | {"place": hit.place},
                )
            for table in sorted({hit.table for hit in hits}):
                connection.execute(sa.text(f'vacuum full "{table}"'))


@contextmanager
def _storages(dagster_home: Path) -> Iterator[list[tuple[sa.Connection, sa.MetaData]]]:
    """A connection to each storage of the instance that is in a database, with the tables that Dagster has there."""
    if not (dagster_home / INSTANCE_SETTINGS).exists():
        yield []
        return
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance, ExitStack() as stack:
        connect = (
            (getattr(instance.run_storage, "connect", None), RunStorageSqlMetadata),
            (getattr(instance.event_log_storage, "index_connection", None), SqlEventLogStorageMetadata),
            (getattr(instance.schedule_storage, "connect", None), ScheduleStorageSqlMetadata),
        )
        opened = [(stack.enter_context(begin()), metadata) for begin, metadata in connect if begin]
        dialects = {connection.dialect.name for connection, _ in opened}
        if len(opened) < len(connect) or dialects - {"sqlite", "postgresql"}:
            raise DatabaseRecordsError(
                f"{dagster_home / INSTANCE_SETTINGS}: expected a storage in SQLite or PostgreSQL, found "
                f"{', '.join(sorted(dialects)) or 'neither'}; look there for the ids yourself"
            )
        yield [(connection, metadata) for connection, metadata in opened if connection.dialect.name == "postgresql"]


def _hits(connection: sa.Connection, metadata: sa.MetaData, search: Search) -> Iterator[_Hit]:
    existing = set(sa.inspect(connection).get_table_names())
    for table in metadata.sorted_tables:
        # Not only words: an id may be the name of a partition, and snapshots are bytes.
        columns = [column.name for column in table.columns if isinstance(column.type, sa.String | sa.LargeBinary)]
        if table.name not in existing or not columns:
            continue
        names = ", ".join(f'"{column}"' for column in columns)
        reading = connection.engine.connect().execution_options(isolation_level="REPEATABLE READ", stream_results=True)
        with reading, reading.begin():
            rows: Iterator[Any] = iter(reading.execute(sa.text(f'select ctid::text, {names} from "{table.name}"')))
            for place, *values in rows:
                texts = {
                    column: bytes(value) if isinstance(value, memoryview) else value
                    for column, value in zip(columns, values, strict=True)
                    if value is not None
                }
                if found := {column: value for column, value in texts.items() if search.is_in_value(value)}:
                    yield _Hit(table.name, place, found)

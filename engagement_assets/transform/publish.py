"""The published warehouse: the copy that people and tools read, swapped after an area's build has passed.

Belongs here: copying schemas and the swap. Not here: when it happens (see `assets/published.py`).
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from filelock import FileLock

from engagement_assets.lake.day_files import rows_of, sql_text
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.record_columns import LOAD_COLUMNS
from engagement_assets.sources import AUDIT

# Shells and drivers of DuckDB 1.x can open it too.
STORAGE_VERSION = "v1.0.0"


@dataclass(frozen=True)
class Publisher:
    """Which run publishes, when (UTC), and by which columns a row of each table is found, by `schema.table`.

    With `anew` nothing of the old copy is taken over.
    """

    run_id: str | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    anew: bool = False


@dataclass(frozen=True)
class TableDescription:
    """A table that no model of dbt makes: its name `schema.table`, its meaning, and of each column type and meaning."""

    name: str
    meaning: str
    columns: Mapping[str, tuple[str, str]]


PUBLISHED_TABLES = TableDescription(
    "audit.published_tables",
    "One row per table of this copy: how many rows it has, and how old they are.",
    {
        "schema_name": ("VARCHAR", "The schema of the table."),
        "table_name": ("VARCHAR", "The table."),
        "row_count": ("BIGINT", "How many rows it has."),
        "published_at": ("TIMESTAMP", "When the table was put into this copy (UTC), after its checks had passed."),
        "run_id": ("VARCHAR", "The Dagster run that did so."),
    },
)


PRIMARY_KEYS = TableDescription(
    "audit.primary_keys",
    "One row per column of a primary key: what a row of a table of this copy is found by. NULL is a value like others: "
    "where a key has a NULL, compare with `is not distinct from`.",
    {
        "schema_name": ("VARCHAR", "The schema of the table."),
        "table_name": ("VARCHAR", "The table."),
        "position": ("INTEGER", "The column's place in the key, from 1."),
        "column_name": ("VARCHAR", "The column."),
    },
)


def publish_schemas(
    warehouse: Path,
    published: Path,
    schemas: tuple[str, ...],
    lake: Lake | None = None,
    publisher: Publisher | None = None,
) -> dict[str, int]:
    """Replace `schemas` in the published copy by those of the warehouse; its other schemas stay as they are.

    The new copy is written beside the old one and renamed over it: a reader sees the old or the new one, whole, and
    whoever has opened the old one goes on reading it. Views are published as tables, since they read the `lake`, which
    need not be on this machine. If the lake has newer records of loads than the copy, the schema `audit` is replaced
    too. It is left alone otherwise, since thousands of small files make it up. `audit.published_tables` in the copy
    says how many rows each table has, which run published it, and when; `audit.primary_keys` what a row is found by.

    Returns:
        Rows per published table, `schema.table`.

    Raises:
        LookupError: the warehouse has no table in one of the schemas; the published copy stays as it is.
    """
    publisher = publisher or Publisher()
    if not (schemas or publisher.anew) and lake and newest_load_not_shown(published, lake) is None:
        return {}
    rows: dict[str, int] = {}
    with _copy_to_be(published, anew=publisher.anew) as connection:
        if lake:
            lake.lend_file_system(connection)
        connection.execute(f"attach {sql_text(str(warehouse))} as built (read_only)")
        is_shown = _has_audit_table(connection, "ingestion_loads")
        if lake and AUDIT not in schemas and (not is_shown or _newest_load_not_shown(connection, lake)):
            schemas = (*schemas, AUDIT)
        _remember_other_schemas(connection, schemas)
        for schema in schemas:
            # Copies keep the order of tables by day. Without one, the small files of `audit` are read twice as fast.
            connection.execute(f"set preserve_insertion_order = {schema != AUDIT}")
            connection.execute(f"drop schema if exists published.{schema} cascade")
            connection.execute(f"create schema published.{schema}")
            names = _relations(connection, warehouse, schema)
            # DuckDB copies small tables, which most are, with one thread. Nobody reads the draft yet, so each table can
            # have a transaction of its own.
            with ThreadPoolExecutor(os.cpu_count()) as copies:
                counts = copies.map(
                    lambda name, of=schema: _copy_relation(
                        connection, of, name, publisher.keys.get(f"{of}.{name}", ())
                    ),
                    names,
                )
                rows |= {f"{schema}.{name}": count for name, count in zip(names, counts, strict=True)}
        connection.begin()
        _write_published_tables(connection, rows, publisher)
        _write_primary_keys(connection, publisher.keys)
        connection.commit()
    return rows


def publish_table(
    published: Path, table: TableDescription, rows: Sequence[Sequence[Any]], publisher: Publisher
) -> None:
    """Replace a table that no model makes; its schema holds nothing else, and all other schemas stay as they are.

    `rows` have the values of `table.columns` in their order. Readers see the old copy or the new one, as with
    `publish_schemas`.
    """
    schema = table.name.partition(".")[0]
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in table.columns.items())
    with _copy_to_be(published) as connection:
        _remember_other_schemas(connection, (schema,))
        connection.begin()
        connection.execute(f"drop schema if exists published.{schema} cascade")
        connection.execute(f"create schema published.{schema}")
        connection.execute(f"create table published.{table.name} ({columns})")
        if rows:
            places = ", ".join("?" * len(table.columns))
            connection.executemany(f"insert into published.{table.name} values ({places})", rows)
        _describe(connection, table)
        _write_published_tables(connection, {table.name: len(rows)}, publisher)
        connection.commit()


def publication_lock(published: Path) -> FileLock:
    """The lock of whoever writes the published copy or its exports; a thread that has it can take it again.

    The pool `warehouse` keeps steps apart. But commands that erase persons publish in a process of their own.
    """
    published.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(published.with_name(f".{published.name}.lock"), is_singleton=True)


@contextmanager
def _copy_to_be(published: Path, *, anew: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in UTC with a draft of the published copy attached as `published`, which then takes its place.

    It begins as the copy is, or `anew` as an empty one. If the block raises, the copy stays as it is. Another
    publication waits meanwhile: it would begin without what this one publishes, and in the same draft.
    """
    with publication_lock(published):
        draft = published.with_name(f".{published.name}.draft")
        # What a killed publication left behind; DuckDB would replay its log into the new draft.
        draft.unlink(missing_ok=True)
        _log_of(draft).unlink(missing_ok=True)
        if published.exists() and not anew:
            shutil.copyfile(published, draft)
        with duckdb.connect() as connection:
            connection.execute("set global TimeZone = 'UTC'")
            connection.execute(f"attach {sql_text(str(draft))} as published (storage_version '{STORAGE_VERSION}')")
            yield connection
            connection.execute("detach published")
        # If somebody wrote into the old copy, their log must not be replayed into the new one.
        _log_of(published).unlink(missing_ok=True)
        draft.replace(published)


def rows_published_by(published: Path, schema: str, run_id: str) -> dict[str, int]:
    """Rows per table of a schema of the published copy, `schema.table`; empty if another run has published it."""
    rows: list[tuple[str, int, str]] = []
    with suppress(duckdb.IOException, duckdb.CatalogException), duckdb.connect(str(published), read_only=True) as copy:
        query = "select table_name, row_count, run_id from audit.published_tables where schema_name = ?"
        rows = copy.execute(query, [schema]).fetchall()
    return {} if any(run != run_id for (*_, run) in rows) else {f"{schema}.{name}": count for name, count, _ in rows}


def newest_load_not_shown(published: Path, lake: Lake) -> str | None:
    """The id of the newest load that the lake has a record of, and the audit tables of the published copy do not.

    A copy that cannot be opened counts as one without loads.
    """
    with duckdb.connect() as connection:
        connection.execute("set global TimeZone = 'UTC'")
        lake.lend_file_system(connection)
        if published.exists():
            # A process that has the copy open for writing does not keep others from publishing, only from reading it.
            with suppress(duckdb.IOException):
                connection.execute(f"attach {sql_text(str(published))} as published (read_only)")
        return _newest_load_not_shown(connection, lake)


def _newest_load_not_shown(connection: duckdb.DuckDBPyConnection, lake: Lake) -> str | None:
    """The same, of the copy that is attached as `published`: if it has the newest records, it has all.

    Loads, releases and replays write their records in one commit with their changes to quarantine and held days.
    """
    newest_loads = rows_of(lake.newest_loads_files(), LOAD_COLUMNS)
    where = ""
    if _has_audit_table(connection, "ingestion_loads"):
        where = "where load_id not in (select load_id from published.audit.ingestion_loads)"
    query = f"select arg_max(load_id, loaded_at) from {newest_loads} {where}"
    ((newest,),) = connection.execute(query).fetchall()
    return None if newest is None else str(newest)


def _remember_other_schemas(connection: duckdb.DuckDBPyConnection, schemas: tuple[str, ...]) -> None:
    """Make the table `others`: what the copy says of the tables that stay."""
    columns = ", ".join(f"null::{kind} as {name}" for name, (kind, _) in PUBLISHED_TABLES.columns.items())
    connection.execute(f"create temp table others as select {columns} where false")
    if _has_audit_table(connection, "published_tables"):
        connection.execute(
            "insert into others select * from published.audit.published_tables "
            "where schema_name not in (select unnest($schemas::varchar[]))",
            {"schemas": list(schemas)},
        )


def _has_audit_table(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether the copy, attached as `published`, has this table in its schema `audit`."""
    found = connection.execute(
        "select 1 from information_schema.tables "
        "where table_catalog = 'published' and table_schema = 'audit' and table_name = ?",
        [name],
    ).fetchone()
    return found is not None


def _write_published_tables(
    connection: duckdb.DuckDBPyConnection, rows: Mapping[str, int], publisher: Publisher
) -> None:
    published_at = publisher.now.astimezone(UTC).replace(tzinfo=None)
    connection.execute("create schema if not exists published.audit")
    connection.execute(f"create or replace table published.{PUBLISHED_TABLES.name} as from others")
    connection.executemany(
        "insert into published.audit.published_tables values (?, ?, ?, ?, ?)",
        [(*table.split(".", 1), count, published_at, publisher.run_id) for table, count in rows.items()],
    )
    _describe(connection, PUBLISHED_TABLES)


def _write_primary_keys(connection: duckdb.DuckDBPyConnection, keys: Mapping[str, Sequence[str]]) -> None:
    """The keys of all tables that are in the copy, as a table: a constraint would keep DuckDB 1.0 from reading it."""
    tables = connection.execute("select schema_name, table_name from published.audit.published_tables").fetchall()
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in PRIMARY_KEYS.columns.items())
    connection.execute(f"create or replace table published.{PRIMARY_KEYS.name} ({columns})")
    rows = [
        (schema, table, position, column)
        for schema, table in tables
        for position, column in enumerate(keys.get(f"{schema}.{table}", ()), 1)
    ]
    if rows:
        connection.executemany(f"insert into published.{PRIMARY_KEYS.name} values (?, ?, ?, ?)", rows)
    _describe(connection, PRIMARY_KEYS)


def _describe(connection: duckdb.DuckDBPyConnection, table: TableDescription) -> None:
    connection.execute(f"comment on table published.{table.name} is {sql_text(table.meaning)}")
    for name, (_, meaning) in table.columns.items():
        connection.execute(f"comment on column published.{table.name}.{name} is {sql_text(meaning)}")


def _log_of(database: Path) -> Path:
    """DuckDB's write-ahead log of a database."""
    return database.with_name(f"{database.name}.wal")


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _relations(connection: duckdb.DuckDBPyConnection, warehouse: Path, schema: str) -> list[str]:
    """Tables and views of a schema; names with a leading underscore are temporary ones of dbt."""
    found = connection.execute(
        """
        select table_name from information_schema.tables
        where table_catalog = 'built' and table_schema = $schema and not starts_with(table_name, '_')
        order by table_name
        """,
        {"schema": schema},
    ).fetchall()
    if not found:
        raise LookupError(
            f"{warehouse} has no table in schema {schema}, expected the ones that were just built; check "
            "WAREHOUSE_PATH. The published copy has not been changed"
        )
    return [name for (name,) in found]


def _copy_relation(connection: duckdb.DuckDBPyConnection, schema: str, name: str, key: Sequence[str]) -> int:
    """Copy a table, or the rows of a view, with its descriptions; return how many rows."""
    relation = f"{schema}.{_identifier(name)}"
    with connection.cursor() as cursor:
        # One transaction: otherwise each of the many descriptions would wait for the disk.
        cursor.begin()
        created = cursor.execute(f"create table published.{relation} as select * from built.{relation}").fetchone()
        _copy_comments(cursor, schema, name, key)
        cursor.commit()
    return created[0] if created else 0


def _copy_comments(connection: duckdb.DuckDBPyConnection, schema: str, name: str, key: Sequence[str]) -> None:
    """The descriptions of a table and its columns, so that the copy explains itself; the table's names its key."""
    table = f"published.{schema}.{_identifier(name)}"
    described = connection.execute(
        """
        with described as (
            select 'table' as kind, schema_name, table_name, null as column_name, comment
            from duckdb_tables() where database_name = 'built'
            union all
            select 'table', schema_name, view_name, null, comment
            from duckdb_views() where database_name = 'built'
            union all
            select 'column', schema_name, table_name, column_name, comment
            from duckdb_columns() where database_name = 'built'
        )
        select kind, column_name, comment from described
        where schema_name = $schema and table_name = $name and comment is not null
        """,
        {"schema": schema, "name": name},
    ).fetchall()
    for kind, column, text in described:
        comment = f"{text.rstrip()}\n\nPrimary key: {', '.join(key)}." if kind == "table" and key else text
        target = table if kind == "table" else f"{table}.{_identifier(column)}"
        connection.execute(f"comment on {kind} {target} is {sql_text(comment)}")

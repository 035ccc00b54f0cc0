"""The published warehouse: the copy that people and tools read, swapped after an area's build has passed.

Belongs here: copying an area's schemas and the swap. Not here: when it happens (see `assets/published.py`).
"""

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from engagement_assets.lake.day_files import rows_of, sql_text
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.record_columns import LOAD_COLUMNS

# Written so that shells and drivers of DuckDB 1.x open it too.
STORAGE_VERSION = "v1.0.0"

PUBLISHED_TABLES_DESCRIPTION = "One row per table of this copy: how many rows it has, and how old they are."
# Of each column its type and what it means.
PUBLISHED_TABLES_COLUMNS = {
    "schema_name": ("VARCHAR", "The schema of the table."),
    "table_name": ("VARCHAR", "The table."),
    "row_count": ("BIGINT", "How many rows it has."),
    "published_at": ("TIMESTAMP", "When the table was put into this copy (UTC), after its checks had passed."),
    "run_id": ("VARCHAR", "The Dagster run that did so."),
}


def publish_schemas(  # noqa: PLR0913 - what is published, and what is written down of it
    warehouse: Path,
    published: Path,
    schemas: tuple[str, ...],
    lake: Lake | None = None,
    *,
    after_loads: str | None = None,
    run_id: str | None = None,
    now: datetime | None = None,
) -> dict[str, int]:
    """Replace `schemas` in the published copy by those of the warehouse, and leave its other schemas as they are.

    The new copy is written beside the old one and renamed over it: a reader sees the old or the new, whole, and one
    that holds the old open goes on reading it. Views are published as tables, since they read the `lake`, which need
    not be on this machine. The schema `after_loads` is replaced too where the copy lacks the newest records of loads in
    the lake, and only there: it is made of thousands of small files. `audit.published_tables` in the copy tells how
    many rows each table has, and since when: `now` (UTC), and the run `run_id`.

    Returns:
        Rows per published table, `schema.table`.

    Raises:
        LookupError: the warehouse has no table in one of the schemas; the published copy stays as it is.
    """
    published.parent.mkdir(parents=True, exist_ok=True)
    draft = published.with_name(f".{published.name}.draft")
    # What a killed publication left behind; DuckDB would replay its log into the new draft.
    draft.unlink(missing_ok=True)
    _log_of(draft).unlink(missing_ok=True)
    if published.exists():
        shutil.copyfile(published, draft)
    rows: dict[str, int] = {}
    with duckdb.connect() as connection:
        connection.execute("set global TimeZone = 'UTC'")
        if lake:
            lake.lend_file_system(connection)
        connection.execute(f"attach {sql_text(str(warehouse))} as built (read_only)")
        connection.execute(f"attach {sql_text(str(draft))} as published (storage_version '{STORAGE_VERSION}')")
        is_shown = _has_audit_table(connection, "ingestion_loads")
        if lake and after_loads and (not is_shown or _newest_load_not_shown(connection, lake)):
            schemas = (*schemas, after_loads)
        others = _published_tables_except(connection, schemas)
        for schema in schemas:
            # Tables lay days together, which their copies keep; small files are read twice as fast in any order.
            connection.execute(f"set preserve_insertion_order = {schema != after_loads}")
            connection.execute(f"drop schema if exists published.{schema} cascade")
            connection.execute(f"create schema published.{schema}")
            names = _relations(connection, warehouse, schema)
            # Most tables are too small for DuckDB to copy one with several threads. Nobody reads the draft yet, so that
            # each table has a transaction of its own.
            with ThreadPoolExecutor(os.cpu_count()) as copies:
                counts = copies.map(lambda name, of=schema: _copy_relation(connection, of, name), names)
                rows |= {f"{schema}.{name}": count for name, count in zip(names, counts, strict=True)}
        connection.begin()
        at = (now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)
        written = [(*table.split(".", 1), count, at, run_id) for table, count in rows.items()]
        _write_published_tables(connection, [*others, *written])
        connection.commit()
        connection.execute("detach published")
    # The log of somebody who wrote into the old copy: it must not be replayed into the new one.
    _log_of(published).unlink(missing_ok=True)
    draft.replace(published)
    return rows


def newest_load_not_shown(published: Path, lake: Lake) -> str | None:
    """The newest load that the lake has and the published copy lacks; a copy that cannot be opened lacks all."""
    with duckdb.connect() as connection:
        connection.execute("set global TimeZone = 'UTC'")
        lake.lend_file_system(connection)
        if published.exists():
            # Who holds the copy open for writing keeps nobody from publishing (see above), only from looking into it.
            with suppress(duckdb.IOException):
                connection.execute(f"attach {sql_text(str(published))} as published (read_only)")
        return _newest_load_not_shown(connection, lake)


def _newest_load_not_shown(connection: duckdb.DuckDBPyConnection, lake: Lake) -> str | None:
    """The same, of the copy that is attached as `published`: with the newest records it has all others.

    Loads, releases and replays write theirs in one commit with what they change of the quarantine and of held days.
    """
    query = f"select arg_max(load_id, loaded_at) from {rows_of(lake.newest_loads_files(), LOAD_COLUMNS)}"
    if _has_audit_table(connection, "ingestion_loads"):
        query += " where load_id not in (select load_id from published.audit.ingestion_loads)"
    ((newest,),) = connection.execute(query).fetchall()
    return None if newest is None else str(newest)


def _published_tables_except(connection: duckdb.DuckDBPyConnection, schemas: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """What the copy says of the tables that it keeps."""
    if not _has_audit_table(connection, "published_tables"):
        return []
    columns = ", ".join(PUBLISHED_TABLES_COLUMNS)
    rows = connection.execute(f"select {columns} from published.audit.published_tables").fetchall()
    return [row for row in rows if row[0] not in schemas]


def _has_audit_table(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether the copy, attached as `published`, has this table in its schema `audit`."""
    found = connection.execute(
        "select 1 from information_schema.tables "
        "where table_catalog = 'published' and table_schema = 'audit' and table_name = ?",
        [name],
    ).fetchone()
    return found is not None


def _write_published_tables(connection: duckdb.DuckDBPyConnection, rows: Sequence[tuple[Any, ...]]) -> None:
    table = "published.audit.published_tables"
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in PUBLISHED_TABLES_COLUMNS.items())
    connection.execute("create schema if not exists published.audit")
    connection.execute(f"create or replace table {table} ({columns})")
    connection.executemany(f"insert into {table} values (?, ?, ?, ?, ?)", rows)
    connection.execute(f"comment on table {table} is {sql_text(PUBLISHED_TABLES_DESCRIPTION)}")
    for name, (_, description) in PUBLISHED_TABLES_COLUMNS.items():
        connection.execute(f"comment on column {table}.{name} is {sql_text(description)}")


def _log_of(database: Path) -> Path:
    """Where DuckDB keeps what is not in a database's file yet."""
    return database.with_name(f"{database.name}.wal")


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _relations(connection: duckdb.DuckDBPyConnection, warehouse: Path, schema: str) -> list[str]:
    """Tables and views of a schema; names with a leading underscore are dbt's scratch."""
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


def _copy_relation(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> int:
    """Copy a table or what a view shows, with its descriptions; return the rows."""
    relation = f"{schema}.{_identifier(name)}"
    with connection.cursor() as cursor:
        # Else each of the many descriptions would wait for the disk.
        cursor.begin()
        created = cursor.execute(f"create table published.{relation} as select * from built.{relation}").fetchone()
        _copy_comments(cursor, schema, name)
        cursor.commit()
    return created[0] if created else 0


def _copy_comments(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> None:
    """The descriptions of a table and its columns, so that the copy explains itself."""
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
    for kind, column, comment in described:
        target = table if kind == "table" else f"{table}.{_identifier(column)}"
        connection.execute(f"comment on {kind} {target} is {sql_text(comment)}")

"""Erased persons and activities in the warehouse: rows that models keep of what is gone, and old pages of the files.

Belongs here: deleting such rows by key, writing the warehouse and the published copy anew. Not here: who was erased
(`privacy/tombstones.py`), or the lake (`lake/erasure.py`, `lake/deleted_activities.py`).

Change logs keep the keys of what has left the lake, so that everything built from it learns of it. Once that is built,
nobody needs the keys of an erased person any more.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import duckdb

from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.lake.day_files import sql_text
from engagement_assets.lake.lake import Lake
from engagement_assets.privacy.tombstones import ErasedPersons, columns_of, takes_all
from engagement_assets.sources import AREAS, CROSS_SOURCE_AREA, RAW_DATASETS, source_named
from engagement_assets.transform.build_inputs import forget_all_builds
from engagement_assets.transform.publish import Publisher, publication_lock, publish_schemas

# The column of the day in the first models, which keep the lake's rows in the warehouse.
_DAYS = ("event_date", "batch_date")


def forget_on_days(warehouse: Path, source: str, erased: ErasedPersons, days: Collection[date]) -> None:
    """Take erased persons out of the first models on days that cannot be built again.

    Retention has removed these days from the lake. The models' change numbers tell everything downstream.
    """
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.begin()
        forget_all_builds(connection)
        if takes_all(erased.kinds(source)):
            _delete_all(connection, source)
        for table, columns, _ in _tables(connection, source, erased):
            names = {name for (name, *_) in connection.execute(f"describe {table}").fetchall()}
            day = next((name for name in _DAYS if name in names), None)
            if not table.startswith("intermediate.") or day is None or "change_number" not in names:
                continue
            found = [
                value
                for column, kind in columns.items()
                for value in _found(connection, f"{table} where true", column, (source, kind), erased)
            ]
            is_erased = " or ".join(f"coalesce(list_contains($found, {column}), false)" for column in columns)
            given = {"found": found, "days": list(days)}
            hit = connection.execute(
                f"select distinct {day} from {table} where list_contains($days, {day}) and ({is_erased})", given
            ).fetchall()
            if not hit:
                continue
            number = _next_change_number(connection)
            given["days"] = [found_day for (found_day,) in hit]
            rows = f"list_contains($days, {day}) and ({is_erased})"
            if "is_in_lake" in names:
                change = f"is_in_lake = false, change_number = {number}"
                connection.execute(f"update {table} set {change} where {rows}", given)
            elif "position" in names:
                change = f"position = null, event_id = null, change_number = {number}"
                connection.execute(f"update {table} set {change} where {rows}", given)
            else:
                connection.execute(f"delete from {table} where {rows}", given)
                connection.execute(
                    f"update {table} set change_number = {number} where list_contains($days, {day})",
                    {"days": given["days"]},
                )
        connection.commit()


def _found(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    column: str,
    place: tuple[str, PersonalKind],
    erased: ErasedPersons,
) -> list[str]:
    """The ids of erased persons in a column of `rows`, a table with a condition."""
    values = connection.execute(f"select distinct {column} from {rows} and {column} is not null").fetchall()
    return list(erased.among(*place, (str(value) for (value,) in values)))


def _next_change_number(connection: duckdb.DuckDBPyConnection) -> int:
    """A number that no build has seen, as `create_change_ledger` in the dbt project gives."""
    newest = "consumer = 'newest invocation'"
    connection.execute(f"update intermediate.consumed_changes set change_number = change_number + 1 where {newest}")
    row = connection.execute(f"select max(change_number) from intermediate.consumed_changes where {newest}").fetchone()
    return int(row[0]) if row else 0


def delete_erased_rows(warehouse: Path, source: str, erased: ErasedPersons) -> int:
    """Delete the rows of a source's tables that name an erased person; returns how many.

    Everything downstream is built. So the keys that change logs keep of what is gone go too, since those of an erased
    device name its user.
    """
    deleted = 0
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        forget_all_builds(connection)
        for table, columns, condition in _tables(connection, source, erased):
            for column, kind in columns.items():
                if found := _found(connection, f"{table} where {condition}", column, (source, kind), erased):
                    result = connection.execute(
                        f"delete from {table} where {condition} and list_contains($found, {column})", {"found": found}
                    ).fetchone()
                    deleted += result[0] if result else 0
        if takes_all(erased.kinds(source)):
            deleted += _delete_all(connection, source)
        for table, is_gone in _logs_of_what_is_gone(connection, source):
            result = connection.execute(f"delete from {table} where {is_gone}").fetchone()
            deleted += result[0] if result else 0
    return deleted


def _logs_of_what_is_gone(connection: duckdb.DuckDBPyConnection, source: str) -> list[tuple[str, str]]:
    """The first models of a source that keep rows of what has left the lake, and which rows these are."""
    rows = connection.execute(
        """
        select table_name, list(column_name) from duckdb_columns()
        where schema_name = 'intermediate' and starts_with(table_name, $prefix)
        group by all having list_contains(list(column_name), 'change_number') order by all
        """,
        {"prefix": f"int_{source}_"},
    ).fetchall()
    marks = {"is_in_lake": "not is_in_lake", "position": "position is null"}
    return [
        (f"intermediate.{table}", is_gone) for table, names in rows for mark, is_gone in marks.items() if mark in names
    ]


def _tables(
    connection: duckdb.DuckDBPyConnection, source: str, erased: ErasedPersons
) -> list[tuple[str, dict[str, PersonalKind], str]]:
    """The tables that may name somebody of the source: names, columns with ids, and which rows are the source's."""
    kinds = erased.kinds(source)
    datasets = [item for item in RAW_DATASETS if item.source == source]
    ids = {name: kind for item in datasets for name, kind in columns_of(item, kinds).items()}
    rows = connection.execute(
        """
        select columns.schema_name, columns.table_name, list(columns.column_name)
        from duckdb_columns() as columns
        inner join duckdb_tables() as tables
            on columns.schema_name = tables.schema_name and columns.table_name = tables.table_name
        where columns.data_type = 'VARCHAR' and tables.database_name = current_database()
            and columns.database_name = current_database()
        group by all order by all
        """
    ).fetchall()
    area = source_named(source).area
    found = []
    for schema, table, columns in rows:
        is_of_all = schema == CROSS_SOURCE_AREA or table.startswith("int_engagement_")
        if not (schema == area or table.startswith(f"int_{source}_") or is_of_all):
            continue
        # A source may rename its ids in its tables; over all sources everybody is a user.
        named = {name: kind for name, kind in ids.items() if name in columns}
        if is_of_all and "user_id" in columns and PersonalKind.USER in kinds:
            named["user_id"] = PersonalKind.USER
        if named and (not is_of_all or "source" in columns):
            found.append((f"{schema}.{table}", named, f"source = {sql_text(source)}" if is_of_all else "true"))
    return found


def _delete_all(connection: duckdb.DuckDBPyConnection, source: str) -> int:
    """Empty the tables that keep what is gone of a source whose only person was erased."""
    tables = connection.execute(
        "select table_name from duckdb_tables() "
        "where schema_name = 'intermediate' and starts_with(table_name, $prefix)",
        {"prefix": f"int_{source}_"},
    ).fetchall()
    deleted = 0
    for (table,) in tables:
        result = connection.execute(f"delete from intermediate.{table}").fetchone()
        deleted += result[0] if result else 0
    return deleted


def activities_deleted_before(warehouse: Path, before: datetime) -> set[int]:
    """The ids of Strava's activities that a warehouse, or its published copy, has as deleted before `before` (UTC)."""
    if not warehouse.exists():
        return set()
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        table = "select 1 from duckdb_tables() where schema_name = 'strava' and table_name = 'fct__strava_activities'"
        if not connection.execute(table).fetchone():
            return set()
        found = connection.execute(
            "select activity_id from strava.fct__strava_activities where deleted_at < $before",
            {"before": before.replace(tzinfo=None)},
        ).fetchall()
    return {activity_id for (activity_id,) in found}


def forget_activities(warehouse: Path, ids: Collection[int]) -> None:
    """Take activities out of the models that keep the lake's rows of Strava; everything else is built from these."""
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        forget_all_builds(connection)
        for table in ("int_strava_activities_by_day", "int_strava_activity_kudos_by_day"):
            connection.execute(
                f"delete from intermediate.{table} where list_contains($ids, activity_id)", {"ids": list(ids)}
            )


def write_warehouse_anew(warehouse: Path) -> None:
    """Copy the warehouse into a new file, which takes its place: free pages of the old one hold deleted rows.

    The lock of the old file is held meanwhile, so nothing is written into what is about to go.
    """
    draft = warehouse.with_name(f".{warehouse.name}.compact")
    _remove(draft)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        version = connection.execute(
            "select tags['storage_version'] from duckdb_databases() where database_name = current_database()"
        ).fetchone()
        (name,) = connection.execute("select current_database()").fetchone() or ("",)
        storage = f" (storage_version {sql_text(_version(str(version[0])))})" if version and version[0] else ""
        connection.execute(f"attach {sql_text(str(draft))} as compact{storage}")
        connection.execute(f'copy from database "{name}" to compact')
        connection.execute("checkpoint compact")
        connection.execute("detach compact")
        connection.execute("checkpoint")
        draft.replace(warehouse)
    warehouse.with_name(f"{warehouse.name}.wal").unlink(missing_ok=True)


def _version(text: str) -> str:
    """`v1.0.0+` as DuckDB reads it again."""
    return text.split("+", maxsplit=1)[0].split(" ", maxsplit=1)[0]


def publish_anew(warehouse: Path, published: Path, lake: Lake, publisher: Publisher) -> None:
    """Write the published copy from nothing, with the areas that it has; its old pages hold deleted rows."""
    if not published.exists():
        return
    # An area that another process publishes for the first time stays.
    with publication_lock(published):
        with duckdb.connect(str(published), read_only=True) as connection:
            rows = connection.execute("select distinct schema_name from duckdb_tables()").fetchall()
        areas = tuple(area for area in AREAS if (area,) in rows)
        publish_schemas(warehouse, published, areas, lake, replace(publisher, anew=True))


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}.wal").unlink(missing_ok=True)

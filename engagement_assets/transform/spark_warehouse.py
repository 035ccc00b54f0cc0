"""Apache Spark as the warehouse, through its Thrift server (docs/decisions/0024-apache-spark.md).

Belongs here: what the graph asks of Spark beside dbt: which tables there are, a few rows, whole tables for the
published copy, and that builds do not overlap. Not here: building (dbt does), or starting a server
(`commands/spark.py`).
"""

import hashlib
import json
import os
import socket
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from engagement_assets.installation import PROGRAM
from engagement_assets.lake.day_files import sql_text
from engagement_assets.lake.lake import Lake
from engagement_assets.spark_settings import SparkEndpoint
from engagement_assets.transform.dbt_profile import SPARK, DbtProfile
from engagement_assets.transform.warehouse import Rows, WarehouseError, WarehouseLockedError

# What a session needs for the same numbers as on DuckDB; those of dbt are in `profiles.yml`.
SESSION = {"spark.sql.session.timeZone": "UTC", "spark.sql.timestampType": "TIMESTAMP_NTZ"}
# Names that dbt gives to tables of a build at work; the second one to a whole table, which then takes its name.
_UNFINISHED = ("__dbt_tmp", "__dbt_new")
_LOCK = "intermediate.build_lock"
# A row per event or activity, or per link between them.
_FACTS = ("fct__", "bdg__")
# Where Spark puts tables for the published copy. Both engines ignore names with a leading dot in the lake.
_EXPORTS = ".spark_exports"


class WarehouseUnreachableError(ConnectionError):
    """No Thrift server answers."""


@dataclass(frozen=True)
class SparkWarehouse:
    """The tables behind a Thrift server; `manifest` is dbt's, whose descriptions the published copy gets."""

    endpoint: SparkEndpoint
    lake: Lake
    manifest: Mapping[str, Any]

    @property
    def profile(self) -> DbtProfile:
        """How dbt finds it."""
        return DbtProfile(SPARK, "", self.endpoint.variables())

    @property
    def lake_uri(self) -> str:
        """Where Spark finds the lake: it may call an object store otherwise than everything else does."""
        return self.endpoint.lake_uri or self.lake.uri

    def relations(self) -> set[tuple[str, str]]:
        """Schema and name of each table and view in the schemas of the project."""
        return {(schema, name) for schema, name in self._tables() if not name.endswith(_UNFINISHED)}

    def _tables(self) -> set[tuple[str, str]]:
        wanted = {node["schema"] for node in self.manifest["nodes"].values() if node["resource_type"] != "test"}
        with self._cursor() as cursor:
            schemas = wanted & {row[0] for row in _rows(cursor, "show databases").values}
            return {(schema, row[1]) for schema in schemas for row in _rows(cursor, f"show tables in {schema}").values}

    def query(self, sql: str) -> Rows:
        """The rows of a query; dates and times are texts."""
        with self._cursor() as cursor:
            return _rows(cursor, sql)

    def quoted(self, name: str) -> str:
        """A column's name in backticks."""
        return "`" + name.replace("`", "``") + "`"

    @contextmanager
    def alone(self, run_id: str) -> Iterator[None]:
        """Hold a lock that every run on these tables takes: to create a table succeeds for one alone.

        Raises:
            WarehouseLockedError: another run holds the lock, or was quicker to take it from a process that is gone.
            WarehouseUnreachableError: no server answers.
        """
        holder = {"host": socket.gethostname(), "pid": os.getpid(), "run": run_id}
        with self._cursor() as cursor:
            dead_lock = _take_lock(cursor, holder)
        try:
            yield
        finally:
            # Another connection: the first may have ended during a long build. If the server has ended too, the next
            # run finds the lock of a process that is gone.
            with suppress(WarehouseUnreachableError), self._cursor() as cursor:
                # Somebody may have dropped it by hand, and another run may have taken it since.
                if _holder_of_lock(cursor) == holder:
                    _rows(cursor, f"drop table if exists {_LOCK}")
                if dead_lock:
                    _rows(cursor, f"drop table if exists {dead_lock}")

    @contextmanager
    def copy_of(self, schemas: Sequence[str], *, facts: bool) -> Iterator[Path]:
        """A file of DuckDB with the tables, which Spark writes as Parquet into the lake first, so that types stay.

        Raises:
            WarehouseError: a build that was killed has left a table under the name under which it was written.
            WarehouseUnreachableError: no server answers.
        """
        there = {(schema, name) for schema, name in self._tables() if schema in schemas}
        for schema, name in sorted(there):
            table = name.removesuffix("__dbt_new")
            if (schema, table) not in there:
                raise WarehouseError(
                    f"expected the table {schema}.{table}, found {schema}.{name} alone: a build was killed before it "
                    f"renamed that. Build the area {schema} again, which begins with renaming, then go on here"
                )
        tables = sorted(
            (schema, name)
            for schema, name in there
            if not name.endswith(_UNFINISHED) and (facts or not name.startswith(_FACTS))
        )
        folder = f"{_EXPORTS}/{uuid.uuid4().hex}"
        try:
            with tempfile.TemporaryDirectory(prefix="spark-") as local:
                path = Path(local) / "warehouse.duckdb"
                with self._cursor() as cursor, duckdb.connect(str(path)) as copy:
                    copy.execute("set TimeZone = 'UTC'")
                    self.lake.lend_file_system(copy)
                    for schema, name in tables:
                        self._export(cursor, f"{folder}/{schema}/{name}", f"{schema}.{name}")
                        self._import(copy, f"{folder}/{schema}/{name}", schema, name)
                yield path
        finally:
            self.lake.remove_folder(folder)

    def _export(self, cursor: Any, folder: str, table: str) -> None:
        uri = f"{self.lake_uri}/{folder}"
        uri = uri if "://" in uri else f"file://{uri}"
        _rows(cursor, f"insert overwrite directory {sql_text(uri)} using parquet select * from {table}")

    def _import(self, copy: duckdb.DuckDBPyConnection, folder: str, schema: str, name: str) -> None:
        files = sql_text(f"{self.lake.location(folder)}/*.parquet")
        copy.execute(f"create schema if not exists {schema}")
        copy.execute(f"create table {schema}.{name} as select * from read_parquet({files}, hive_partitioning = false)")
        for node in self.manifest["nodes"].values():
            if (node["schema"], node["alias"], node["resource_type"]) == (schema, name, "model"):
                copy.execute(f"comment on table {schema}.{name} is {sql_text(node['description'])}")
                for column, described in node["columns"].items():
                    copy.execute(f"comment on column {schema}.{name}.{column} is {sql_text(described['description'])}")

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        try:
            from pyhive import hive  # noqa: PLC0415 (an extra, and only Spark needs it)
            from thrift.transport.TTransport import TTransportException  # noqa: PLC0415
        except ImportError as error:
            raise WarehouseError(
                f"WAREHOUSE=spark needs the packages of the extra spark, found no {error.name}; run "
                "`pip install 'engagement-assets[spark]'`"
            ) from error
        try:
            connection = hive.connect(**self.endpoint.connection(), configuration=SESSION)
        except (TTransportException, OSError) as error:
            raise WarehouseUnreachableError(
                f"no Thrift server answers at {self.endpoint.host}:{self.endpoint.port} ({error}); start one on this "
                f"machine with `{PROGRAM} spark`, or set SPARK_THRIFT_HOST and SPARK_THRIFT_PORT to that of a cluster"
            ) from error
        with connection, connection.cursor() as cursor:
            yield cursor


def _take_lock(cursor: Any, holder: Mapping[str, Any]) -> str | None:
    """Create the lock; the name of a table to drop afterwards if it was that of a process that is gone."""
    _rows(cursor, "create schema if not exists intermediate")
    if _create_lock(cursor, holder):
        return None
    found = _holder_of_lock(cursor)
    if found is None:
        raise WarehouseLockedError(f"another run has just freed the lock {_LOCK}; start this run again")
    if found.get("host") != holder["host"] or _is_alive(int(found["pid"])):
        raise WarehouseLockedError(
            f"run {found.get('run')} of process {found.get('pid')} on {found.get('host')} builds on Spark; two "
            f"builds at once would lose each other's rows. If that process is gone: drop table {_LOCK}"
        )
    # The process that held it was killed. Of several runs that find this, one alone can give the lock this name, which
    # stays taken while that run builds: a slower one cannot move the new lock away.
    dead_lock = f"{_LOCK}_{hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]}"
    try:
        _rows(cursor, f"alter table {_LOCK} rename to {dead_lock}")
    except WarehouseError as error:
        raise WarehouseLockedError(
            f"expected to take over the lock of run {found.get('run')}, whose process is gone; another run may have "
            f"been quicker, and builds on Spark. Start this run again when that one has ended. Spark says: {error}"
        ) from error
    if not _create_lock(cursor, holder):
        raise WarehouseLockedError(
            f"another run took the lock {_LOCK} just now, and builds on Spark; start this run again when it has ended"
        )
    return dead_lock


def _create_lock(cursor: Any, holder: Mapping[str, Any]) -> bool:
    """Whether there was none."""
    try:
        _rows(
            cursor,
            f"create table {_LOCK} (nothing string) using parquet "
            f"tblproperties ('holder' = {sql_text(json.dumps(holder))})",
        )
    except WarehouseError as error:
        if "TABLE_OR_VIEW_ALREADY_EXISTS" not in str(error):
            raise
        return False
    return True


def _holder_of_lock(cursor: Any) -> dict[str, Any] | None:
    """Who holds the lock, none if nobody does."""
    try:
        properties = {row[0]: row[1] for row in _rows(cursor, f"show tblproperties {_LOCK}").values}
    except WarehouseError as error:
        if "TABLE_OR_VIEW_NOT_FOUND" not in str(error):
            raise
        return None
    found: dict[str, Any] = json.loads(properties.get("holder", "{}"))
    return found


def _rows(cursor: Any, statement: str) -> Rows:
    """The rows of a statement, none for one that has no result."""
    try:
        cursor.execute(statement)
        columns = [column[0].rpartition(".")[2] for column in cursor.description or ()]
        return Rows(columns, cursor.fetchall() if columns else [])
    except Exception as error:  # PyHive's errors share no base with Thrift's
        raise WarehouseError(_message(error)) from error


def _message(error: Exception) -> str:
    """The first line of what Spark says, without the trace of its Java."""
    response = error.args[0] if error.args else error
    text = getattr(getattr(response, "status", None), "errorMessage", None) or str(error)
    return str(text).splitlines()[0]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

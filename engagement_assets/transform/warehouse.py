"""What the graph asks of the engine that holds the tables, and the engine that is the default: a file of DuckDB.

Belongs here: the interface, and DuckDB behind it. Not here: building tables (dbt does), Apache Spark behind the same
interface (`transform/spark_warehouse.py`), or readers of the published copy that run without Dagster.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb
from dagster_duckdb import DuckDBResource

from engagement_assets.lake.lake import Lake
from engagement_assets.transform.dbt_profile import DbtProfile

READ_ONLY = {"access_mode": "READ_ONLY"}


class WarehouseLockedError(RuntimeError):
    """Another process builds in the warehouse, or has it open."""


class WarehouseError(RuntimeError):
    """A query could not be answered."""


@dataclass(frozen=True)
class Rows:
    """The answer to a query: the names of its columns, and a sequence of values per row."""

    columns: Sequence[str]
    values: Sequence[Sequence[Any]]


class Warehouse(Protocol):
    """Where dbt builds the tables, `<schema>.<table>`."""

    @property
    def profile(self) -> DbtProfile:
        """How dbt finds it."""

    @property
    def lake_uri(self) -> str:
        """Where it finds the lake."""

    def relations(self) -> set[tuple[str, str]]:
        """Schema and name of each table and view.

        Raises:
            WarehouseLockedError: another process has the warehouse open.
        """

    def query(self, sql: str) -> Rows:
        """The rows of a query.

        Raises:
            WarehouseError: it cannot be answered; the message is the engine's.
        """

    def quoted(self, name: str) -> str:
        """A column's name as the engine reads it."""

    def alone(self, run_id: str) -> AbstractContextManager[None]:
        """Build while nobody else does.

        Raises:
            WarehouseLockedError: somebody else builds.
        """

    def copy_of(self, schemas: Sequence[str], *, facts: bool) -> AbstractContextManager[Path]:
        """A file of DuckDB with these schemas, for as long as the block lasts; nobody writes into it.

        Without `facts`, a warehouse that would have to copy them may leave out facts and bridges, a row per event or
        activity.

        Raises:
            WarehouseError: a table cannot be read.
        """


@dataclass(frozen=True)
class DuckDBWarehouse:
    """The file of DuckDB that dbt writes, with the lake that its views read."""

    resource: DuckDBResource
    lake: Lake

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.resource.database)

    @property
    def profile(self) -> DbtProfile:
        """How dbt finds it."""
        return DbtProfile.duckdb(self.path)

    @property
    def lake_uri(self) -> str:
        """Where it finds the lake."""
        return self.lake.uri

    def relations(self) -> set[tuple[str, str]]:
        """Schema and name of each table and view; nothing without a file."""
        if not self.path.exists():
            return set()
        # Not through the resource, which would wait: if the warehouse is locked, the step gives way and is retried.
        with duckdb.connect(str(self.path), read_only=True) as connection:
            query = "select table_schema, table_name from information_schema.tables"
            return {(schema, name) for schema, name in connection.execute(query).fetchall()}

    def query(self, sql: str) -> Rows:
        """The rows of a query."""
        with self.reading() as connection:
            try:
                found = connection.sql(sql)
                return Rows(found.columns, found.fetchall())
            except duckdb.Error as error:
                raise WarehouseError(str(error)) from error

    def quoted(self, name: str) -> str:
        """A column's name in double quotes."""
        return '"' + name.replace('"', '""') + '"'

    def alone(self, run_id: str) -> AbstractContextManager[None]:  # noqa: ARG002 (DuckDB locks the file)
        """DuckDB lets one process open the file, and dbt says so."""
        return nullcontext()

    def copy_of(self, schemas: Sequence[str], *, facts: bool) -> AbstractContextManager[Path]:  # noqa: ARG002 (it has all)
        """The warehouse itself: the pool lets nobody write while it is read."""
        return nullcontext(self.path)

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection in UTC, whose views can read the lake; the resource alone leaves it open when reading fails."""
        with self.resource.get_connection() as connection, connection:
            connection.execute("set TimeZone = 'UTC'")
            self.lake.lend_file_system(connection)
            yield connection


def warehouse_resource(path: Path) -> DuckDBResource:
    """A resource that never writes; it waits up to two minutes while another process has the file open."""
    return DuckDBResource(database=str(path), connection_config=READ_ONLY)

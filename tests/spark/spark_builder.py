"""The lake and dbt of `WarehouseBuilder`, with the tables on Spark.

Belongs here: building on Spark, and reading its tables as DuckDB's are read. Not here: what they must hold.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from dbt.contracts.graph.manifest import Manifest

from engagement_assets.lake.lake import Lake
from engagement_assets.transform.dbt_profile import SPARK
from engagement_assets.transform.project import manifest, parsed_manifest
from engagement_assets.transform.spark_warehouse import SparkWarehouse
from tests.integration.warehouse_builder import WarehouseBuilder
from tests.spark.conftest import SparkServer

# Tables that are no model: what each engine keeps to follow change logs.
NOTES = ("consumed_changes", "build_inputs", "unpassed_builds")


class SparkBuilder(WarehouseBuilder):
    """A lake, and the tables of a server, which is emptied first."""

    def __init__(self, folder: Path, server: SparkServer, lake_folder: Path | None = None) -> None:
        parsed = parsed_manifest("", SPARK, server.endpoint.table_format)
        assert isinstance(parsed, Manifest)
        super().__init__(folder, parsed, lake_folder)
        self.server = server
        self.spark = SparkWarehouse(server.endpoint, Lake(str(self.lake_folder)), manifest())
        for schema in {node.schema for node in parsed.nodes.values()}:
            self.spark.query(f"drop schema if exists {schema} cascade")

    def _run(
        self, command: str, select: str | None, variables: Mapping[str, object], arguments: Sequence[str]
    ) -> Sequence[Any]:
        with self.spark.profile.environment():
            return super()._run(command, select, variables, arguments)

    @contextmanager
    def _opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Tables and views as they are published; nobody reads staging."""
        schemas = sorted({schema for schema, _ in self.spark.relations()} - {"staging"})
        with self.spark.copy_of(schemas, facts=True) as path, duckdb.connect(str(path), read_only=True) as connection:
            yield connection


def show_tables(connection: duckdb.DuckDBPyConnection, folder: Path) -> set[str]:
    """Make a view of each table of Spark, `schema.table`."""
    connection.execute("set TimeZone = 'UTC'")
    shown = set()
    for table in sorted(folder.glob("*.db/*")):
        if table.name not in NOTES and any(table.glob("*.parquet")):
            schema = table.parent.name.removesuffix(".db")
            connection.execute(f"create schema if not exists {schema}")
            connection.execute(f"create view {schema}.{table.name} as from read_parquet('{table}/*.parquet')")
            shown.add(f"{schema}.{table.name}")
    return shown


def differences(warehouse: Path, folder: Path) -> dict[str, str]:
    """Per table that is not the same in a file of DuckDB and on Spark: what differs; bits of numbers count."""
    found: dict[str, str] = {}
    with duckdb.connect() as connection:
        on_spark = show_tables(connection, folder)
        connection.execute(f"attach '{warehouse}' as built (read_only)")
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where database_name = 'built' "
            f"and table_name not in {NOTES} order by all"
        ).fetchall()
        for (table,) in tables:
            if table not in on_spark:
                found[table] = "missing on Spark"
                continue
            columns = _columns(connection, f"built.{table}")
            if (on_spark_columns := _columns(connection, table)) != columns:
                found[table] = f"columns {columns} and {on_spark_columns}"
                continue
            # Texts of doubles are those of their bits, and so tell 0 from -0.
            selected = ", ".join(
                f"{name}::varchar" if kind == "DOUBLE" else name
                for name, kind in columns.items()
                if name != "change_number"
            )
            here, there = (f"select {selected} from {place}" for place in (f"built.{table}", table))
            rows = connection.execute(
                f"select (select count(*) from ({here} except all {there})), "
                f"(select count(*) from ({there} except all {here}))"
            ).fetchone()
            if rows != (0, 0):
                found[table] = f"rows on DuckDB alone, rows on Spark alone: {rows}"
    return found


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"describe {table}").fetchall()}

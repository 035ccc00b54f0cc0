"""The warehouse as a resource of Dagster: what its steps read of the tables that they have built.

Belongs here: the resource, and reading through it. Not here: building tables (dbt does), or readers of the published
copy that run without Dagster.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from dagster_duckdb import DuckDBResource

from engagement_assets.lake.lake import Lake

READ_ONLY = {"access_mode": "READ_ONLY"}


def warehouse_resource(path: Path) -> DuckDBResource:
    """A resource that never writes; it waits up to two minutes while another process has the file open."""
    return DuckDBResource(database=str(path), connection_config=READ_ONLY)


@contextmanager
def reading(warehouse: DuckDBResource, lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in UTC, whose views can read the lake; the resource alone leaves it open when reading fails."""
    with warehouse.get_connection() as connection, connection:
        connection.execute("set TimeZone = 'UTC'")
        lake.lend_file_system(connection)
        yield connection

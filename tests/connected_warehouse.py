"""A warehouse of DuckDB that is open already, for tests of what is asked of one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from engagement_assets.lake.lake import Lake
from engagement_assets.transform.warehouse import DuckDBWarehouse, warehouse_resource


class ConnectedWarehouse(DuckDBWarehouse):
    """Reads through the connection that it is given, which stays open."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Take the connection."""
        super().__init__(warehouse_resource(Path("nowhere")), Lake("nowhere"))
        object.__setattr__(self, "connection", connection)

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The connection."""
        yield vars(self)["connection"]

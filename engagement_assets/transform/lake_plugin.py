"""A dbt-duckdb plugin: lets dbt's connection read a lake that is not on this machine.

Belongs here: nothing else. Not here: where the lake is (`LAKE_URI`, which every invocation sets).
"""

import os

from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection

from engagement_assets.lake.lake import Lake


class Plugin(BasePlugin):
    """Named in `profiles.yml`; dbt-duckdb looks for this name."""

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Give the connection the file system of the lake."""
        if uri := os.environ.get("LAKE_URI"):
            Lake(uri).lend_file_system(conn)

"""Which warehouse dbt builds in, as `dbt_project/profiles.yml` takes it from the environment.

Belongs here: the variables of an invocation. Not here: the settings they come from, or what else the graph asks of a
warehouse (see `transform/warehouse.py`).
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

DUCKDB, SPARK = "duckdb", "spark"


@dataclass(frozen=True)
class DbtProfile:
    """A target of the profile; `database` is what dbt calls its database in each relation, empty without one."""

    engine: str
    database: str
    variables: Mapping[str, str] = field(repr=False)

    @classmethod
    def duckdb(cls, path: Path) -> "DbtProfile":
        """The warehouse in a file of DuckDB, which calls the database as the file."""
        return cls(DUCKDB, path.stem, {"WAREHOUSE_PATH": str(path)})

    @property
    def table_format(self) -> str:
        """What tables are made of, which dbt keeps with what it has parsed; empty on DuckDB."""
        return self.variables.get("SPARK_TABLE_FORMAT", "")

    @contextmanager
    def environment(self, lake_uri: str = "") -> Iterator[None]:
        """Set the variables for one invocation."""
        wanted = {"WAREHOUSE": self.engine, "LAKE_URI": lake_uri, **self.variables}
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value

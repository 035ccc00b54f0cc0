"""A whole deployment in a temporary folder: landing zone, lake, warehouse, published copy, Dagster instance.

Belongs here: running the real graph in tests and reading what it left. Not here: what a test expects.
"""

from collections.abc import Collection
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from engagement_assets.commands import backfill
from engagement_assets.commands.range_run import RangeRequest, RangeRun, run_range
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.settings import Settings
from tests.integration.killed_processes import Command, started

# When a row was loaded says nothing about what it means; two deployments differ in it and in nothing else.
TIMES_OF_LOADING = {"extracted_at", "computed_at", "newest_input_at"}
# The areas whose sources are files; the services have tests of their own.
FILE_AREAS = "+group:training or +group:learning"
FILE_SCHEMAS = ("training", "learning", "mobility", "engagement")


class Deployment:
    """One deployment; several can share a landing zone or a lake."""

    def __init__(self, root: Path, *, landing: Path | None = None, lake: Path | None = None) -> None:
        self.root = root
        self.landing = landing or root / "landing"
        self.landing.mkdir(parents=True, exist_ok=True)
        self.settings = Settings(
            _env_file=None,
            landing_uri=str(self.landing),
            lake_uri=str(lake or root / "lake"),
            warehouse_path=root / "warehouse.duckdb",
            published_warehouse_path=root / "published.duckdb",
            dagster_home=root / "dagster_home",
            report_dir=root / "report",
            allow_shrink=False,
        )

    def run(self, first: date, last: date, selection: str = FILE_AREAS, *, allow_shrink: bool = False) -> RangeRun:
        """Run `selection` for days inclusive, in this process."""
        window = DayWindow(first, last + timedelta(days=1))
        return run_range(self.settings, RangeRequest(window, selection, allow_shrink=allow_shrink))

    def start(self, first: date, last: date, selection: str, **settings: str) -> Command:
        """The same as a process of its own, to be killed; its lines of progress come as they are written.

        `settings` are further ones, by their variables.
        """
        environment = {
            **settings,
            "LANDING_URI": self.settings.landing_uri,
            "LAKE_URI": self.settings.lake_uri,
            "WAREHOUSE_PATH": str(self.settings.warehouse_path),
            "PUBLISHED_WAREHOUSE_PATH": str(self.settings.published_warehouse_path),
            "DAGSTER_HOME": str(self.settings.dagster_home),
        }
        days = ["--from", first.isoformat(), "--to", last.isoformat()]
        return started(backfill.main, [*days, "--select", selection], environment)

    def query(self, sql: str, *, published: bool = True) -> list[tuple[Any, ...]]:
        """Rows of a query over the published copy, or over the warehouse."""
        path = self.settings.published_warehouse_path if published else self.settings.warehouse_path
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def tables(
        self, *, published: bool = True, schemas: Collection[str] = FILE_SCHEMAS
    ) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of all marts of `schemas`, sorted, without the times of loading."""
        columns = self.query(
            f"""
            select table_schema || '.' || table_name, list(column_name order by ordinal_position)
            from information_schema.columns
            where table_schema in ({", ".join(f"'{schema}'" for schema in schemas)})
            group by all order by all
            """,
            published=published,
        )
        return {
            table: self.query(
                f"select {', '.join(name for name in names if name not in TIMES_OF_LOADING)} from {table} order by all",
                published=published,
            )
            for table, names in columns
        }


def differences(found: dict[str, list[tuple[Any, ...]]], expected: dict[str, list[tuple[Any, ...]]]) -> dict[str, str]:
    """Per table that differs: how many rows each side has and up to three that only one side has."""
    told = {}
    for table in sorted(found.keys() | expected.keys()):
        left, right = found.get(table, []), expected.get(table, [])
        if left != right:
            only_found = [row for row in left if row not in right][:3]
            only_expected = [row for row in right if row not in left][:3]
            told[table] = (
                f"{len(left)} rows against {len(right)}; only found {only_found}; only expected {only_expected}"
            )
    return told

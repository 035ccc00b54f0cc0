"""A small lake and a warehouse built from it, as production does it: real Parquet, real dbt.

Belongs here: how integration tests write lake days, run dbt in this process and read the tables.
Not here: what any one area's tables must hold (see its own test module).
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.artifacts.resources.types import NodeType
from dbt.artifacts.schemas.run import RunExecutionResult
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.lake.columns_of_files import make_files_alike
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from tests.integration.quick_dbt import CommentingRunner

DBT_PROJECT_DIR = Path(__file__).parents[2] / "dbt_project"
# The prepared manifest calls the database `warehouse`, and a database is called as its file is.
WAREHOUSE_FILE_NAME = "warehouse.duckdb"

Row = Mapping[str, object]


class WarehouseBuilder:
    """A lake and a warehouse in `folder`, which may be deleted afterwards."""

    def __init__(
        self, folder: Path, manifest: Manifest, lake_folder: Path | None = None, *, comments: bool = False
    ) -> None:
        """Begin with an empty warehouse over the lake in `lake_folder`, by default an empty one."""
        self._folder = folder
        self._dbt = (CommentingRunner if comments else dbtRunner)(manifest=manifest)
        folder.mkdir(parents=True, exist_ok=True)
        self.warehouse_path = folder / WAREHOUSE_FILE_NAME
        self.lake_folder = lake_folder or folder / "lake"
        self._lake = Lake(str(self.lake_folder))
        make_files_alike(self._lake)

    def write_day(self, dataset: Dataset, day: date | str, rows: Sequence[Row]) -> None:
        """Replace a day of a dataset by `rows`; columns that a row does not name are NULL."""
        key = self._lake.day_key(dataset, date.fromisoformat(str(day)))
        path = Path(self._lake.location(key))
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = ", ".join(f"{name} {kind}" for name, kind in dataset.columns.items())
        with duckdb.cursor() as connection:
            connection.execute(f"create temp table day_rows ({columns})")
            for row in rows:
                assert set(row) <= set(dataset.columns), set(row) - set(dataset.columns)
            if rows:
                one = f"({', '.join('?' * len(dataset.columns))})"
                connection.execute(
                    f"insert into day_rows values {', '.join([one] * len(rows))}",
                    [row.get(name) for row in rows for name in dataset.columns],
                )
            connection.execute(f"copy day_rows to '{path}' (format parquet)")

    def write_whole(self, dataset: Dataset, rows: Sequence[Row]) -> None:
        """Replace a dataset that has no days."""
        self.write_day(dataset, WHOLE_DATASET_DAY, rows)

    def build(
        self,
        start: date | str,
        end: date | str,
        select: str | None = None,
        *,
        full_refresh: bool = False,
        exclude: str | None = None,
        variables: Mapping[str, object] | None = None,
    ) -> None:
        """Build seeds and models for the window `[start, end)`, without their tests; `variables` are dbt's.

        Raises:
            AssertionError: a model failed; the message has what each of them said.
        """
        arguments = ["--resource-type=model", "--resource-type=seed"]
        arguments += [f"--exclude={exclude}"] if exclude else []
        arguments += ["--full-refresh"] if full_refresh else []
        window = {"window_start": str(start), "window_end": str(end)}
        failed = _failed(self._run("build", select, {**window, **(variables or {})}, arguments))
        assert not failed, failed

    def failing_tests(self, select: str) -> dict[str, str]:
        """Run tests over the warehouse as it is; return those that fail or warn: name → message.

        `select` may name a kind of test: `test_type:unit`, `test_type:data`. Tests of another area that read one of the
        selected tables are not run.
        """
        return _failed(self._run("test", select, {}, ["--indirect-selection=empty"]))

    def compiled_tests(self, select: str) -> dict[str, str]:
        """The SQL of data tests, by their names; a test fails, or warns, when its SQL gives a row."""
        results = self._run("compile", select, {}, ["--indirect-selection=empty"])
        assert all(each.node.config.fail_calc == "count(*)" for each in results)
        assert all({each.node.config.warn_if, each.node.config.error_if} == {"!= 0"} for each in results)
        return {each.node.name: each.node.compiled_code for each in results}

    def execute(self, schema: str, statements: Sequence[str]) -> None:
        """Change the tables of a schema."""
        with duckdb.connect(str(self.warehouse_path)) as connection:
            connection.execute(f"set schema = '{schema}'")
            for statement in statements:
                connection.execute(statement)

    def failing_with(self, data_tests: Mapping[str, str], schema: str, statements: Sequence[str]) -> list[str]:
        """The tests that fail after the tables of a schema have been changed; afterwards they are as before.

        A call of dbt, which costs a second, is not made.
        """
        with duckdb.connect(str(self.warehouse_path)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute(f"set schema = '{schema}'")
            connection.begin()
            for statement in statements:
                connection.execute(statement)
            failing = [name for name, sql in data_tests.items() if connection.execute(sql).fetchone()]
            connection.rollback()
        return sorted(failing)

    def _run(
        self,
        command: str,
        select: str | None,
        variables: Mapping[str, object],
        arguments: Sequence[str],
    ) -> Sequence[Any]:
        settings = {"lake_uri": str(self.lake_folder), **variables}
        selection = [f"--select={select}"] if select else []
        result = _invoke(
            self._dbt,
            command,
            self._folder / "target",
            self.warehouse_path,
            [*arguments, *selection, f"--vars={settings}"],
        )
        if result.exception:
            raise result.exception
        assert isinstance(result.result, RunExecutionResult)
        assert any(node.node.resource_type != NodeType.Operation for node in result.result.results), (
            f"{select} selects nothing"
        )
        return result.result.results

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """The rows of a query over the warehouse."""
        with self._opened() as connection:
            return connection.execute(sql).fetchall()

    def _opened(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """The tables, to be read."""
        return duckdb.connect(str(self.warehouse_path), read_only=True)

    def rows(self, table: str, where: str = "true") -> list[dict[str, object]]:
        """All rows of `schema.table`, ordered by every column, without its change numbers."""
        return self.tables({table: where})[table]

    def tables(self, wheres: Iterable[str] | Mapping[str, str]) -> dict[str, list[dict[str, object]]]:
        """The same for several tables, or tables with a condition each: to open the file takes longer than to read."""
        wheres = wheres if isinstance(wheres, Mapping) else dict.fromkeys(wheres, "true")
        found = {}
        with self._opened() as connection:
            for table, where in wheres.items():
                relation = connection.sql(f"from {table} where {where}")
                names = [name for name in relation.columns if name != "change_number"]
                rows = relation.select(*names).order("all").fetchall()
                found[table] = [dict(zip(names, row, strict=True)) for row in rows]
        return found


def differing_tables(
    found: Mapping[str, Sequence[Row]], expected: Mapping[str, Sequence[Row]]
) -> dict[str, dict[str, list[Row]]]:
    """Per table of `expected` that has other rows in `found`: which rows are too many, and which are missing."""
    return {
        table: {
            "too many": [row for row in found[table] if row not in rows],
            "missing": [row for row in rows if row not in found[table]],
        }
        for table, rows in expected.items()
        if found[table] != rows
    }


def _failed(results: Sequence[Any]) -> dict[str, str]:
    """What did not succeed: name → message."""
    return {
        each.node.name: each.message or ""
        for each in results
        if each.status not in ("success", "pass", "skipped", "no-op")
    }


def _invoke(
    dbt: dbtRunner, command: str, target_path: Path, warehouse_path: Path, arguments: list[str]
) -> dbtRunnerResult:
    """Run dbt in this process; the warehouse file is free again afterwards."""
    before = os.environ.get("WAREHOUSE_PATH")
    os.environ["WAREHOUSE_PATH"] = str(warehouse_path)
    try:
        return dbt.invoke(
            [
                command,
                f"--project-dir={DBT_PROJECT_DIR}",
                f"--profiles-dir={DBT_PROJECT_DIR}",
                f"--target-path={target_path}",
                f"--log-path={target_path}",
                "--log-level=none",
                # The manifest and the graph, which nobody reads here, take as long to write as a small area to build.
                "--no-write-json",
                "--cache-selected-only",
                "--no-use-colors",
                "--no-send-anonymous-usage-stats",
                *arguments,
            ]
        )
    finally:
        DuckDBConnectionManager.close_all_connections()
        if before is None:
            del os.environ["WAREHOUSE_PATH"]
        else:
            os.environ["WAREHOUSE_PATH"] = before

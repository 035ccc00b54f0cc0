"""Spark without Spark: a connection of dbt that records statements, and answers what dbt asks of the catalogue.

Belongs here: the connection. Not here: what statements must be (`test_spark_statements.py`), or whether Spark gives the
right rows for them (`tests/spark`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from dbt.adapters.contracts.connection import Connection, ConnectionState
from dbt.adapters.spark.connections import SparkConnectionManager

# What a query for one number answers, such as the change number of an invocation.
NUMBER = 7


class RecordedSpark:
    """Every statement, in order; `tables` are those that exist, each with its columns."""

    def __init__(self, tables: Mapping[tuple[str, str], Sequence[str]], provider: str = "parquet") -> None:
        self.statements: list[str] = []
        self._tables = tables
        self._provider = provider
        self._rows: list[tuple[Any, ...]] = []
        self._columns: tuple[str, ...] = ()

    @property
    def description(self) -> list[tuple[Any, ...]]:
        return [(name, "STRING", None, None, None, None, True) for name in self._columns]

    def cursor(self) -> "RecordedSpark":
        return self

    def execute(self, sql: str, bindings: Sequence[Any] | None = None) -> None:  # noqa: ARG002 - only seeds have them
        statement = "\n".join(line for line in sql.splitlines() if not line.startswith("/*")).strip()
        self.statements.append(statement)
        self._columns, self._rows = self._answer(statement.lower())

    def _answer(self, statement: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        words = statement.split()
        if statement.startswith("show databases"):
            return ("namespace",), [(schema,) for schema in sorted({schema for schema, _ in self._tables})]
        if statement.startswith("show table extended in"):
            return ("namespace", "tableName", "isTemporary", "information"), [
                (schema, name, False, f"Type: MANAGED\nProvider: {self._provider}\n")
                for schema, name in self._tables
                if schema == words[4]
            ]
        if statement.startswith("show tables in"):
            return ("namespace", "tableName", "isTemporary"), []
        if statement.startswith("show tblproperties"):
            return ("key", "value"), [("newest_invocation", NUMBER), ("consumed_change_number", NUMBER - 1)]
        if statement.startswith("describe"):
            schema, name = words[-1].replace("`", "").removesuffix("__dbt_tmp").split(".")
            return ("col_name", "data_type", "comment"), [
                (column, "string", None) for column in self._tables.get((schema, name), ())
            ]
        return ("nothing",), []

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows

    def close(self) -> None:
        """Nothing is open."""

    def cancel(self) -> None:
        """Nothing runs."""

    def rollback(self, *_: object) -> None:
        """Spark has no transactions."""


@contextmanager
def recorded(spark: RecordedSpark) -> Iterator[None]:
    """Let dbt connect to it."""

    def opened(connection: Connection) -> Connection:
        connection.handle = spark
        connection.state = ConnectionState.OPEN
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SparkConnectionManager, "open", staticmethod(opened))
        yield

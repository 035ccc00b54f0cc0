"""What the graph asks of Spark: a lock that one build holds, errors in a sentence, tables of the project alone."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pyhive import hive
from thrift.transport.TTransport import TTransportException

from engagement_assets.lake.lake import Lake
from engagement_assets.spark_settings import SparkEndpoint, SparkTableFormat
from engagement_assets.transform.spark_warehouse import SparkWarehouse, WarehouseUnreachableError
from engagement_assets.transform.warehouse import WarehouseError, WarehouseLockedError

ENDPOINT = SparkEndpoint("spark.internal", 10000, "dbt", None, SparkTableFormat.PARQUET, 4, "")
NODES = {
    "model.one": {"schema": "training", "alias": "fct__activities", "resource_type": "model"},
    "test.two": {"schema": "dbt_test__audit", "alias": "a_test", "resource_type": "test"},
}


@dataclass
class Catalogue:
    """A server with a few tables, and a lock that is a table with one property."""

    tables: dict[str, list[str]] = field(default_factory=dict)
    holder: str | None = None
    statements: list[str] = field(default_factory=list)

    def __enter__(self) -> "Catalogue":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def cursor(self) -> "Cursor":
        return Cursor(self)


@dataclass
class Cursor:
    """The answers of the catalogue, as PyHive gives them."""

    catalogue: Catalogue
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def __enter__(self) -> "Cursor":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    @property
    def description(self) -> list[tuple[str]]:
        return [("t.value",)] if self.rows else []

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.rows

    def execute(self, statement: str) -> None:
        catalogue, self.rows = self.catalogue, []
        catalogue.statements.append(statement)
        if statement == "select broken":
            raise hive.OperationalError(
                "[UNRESOLVED_COLUMN] no such column\n    at org.apache.spark.Nobody(Reads.scala:1)"
            )
        if statement.startswith("show databases"):
            self.rows = [(schema,) for schema in catalogue.tables]
        elif statement.startswith("show tables in "):
            schema = statement.removeprefix("show tables in ")
            self.rows = [(schema, name, False) for name in catalogue.tables[schema]]
        elif statement.startswith("create table intermediate.build_lock"):
            if catalogue.holder is not None:
                raise hive.OperationalError("[TABLE_OR_VIEW_ALREADY_EXISTS] `build_lock`")
            catalogue.holder = statement.split("'holder' = '")[1].removesuffix("')")
        elif statement.startswith("show tblproperties"):
            self.rows = [("holder", catalogue.holder)]
        elif statement.startswith("drop table if exists intermediate.build_lock"):
            catalogue.holder = None


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    served = Catalogue({"training": ["fct__activities", "fct__activities__dbt_new"], "of_others": ["theirs"]})
    monkeypatch.setattr(hive, "connect", lambda **_: served)
    return served


@pytest.fixture
def spark(tmp_path: Path) -> SparkWarehouse:
    return SparkWarehouse(ENDPOINT, Lake(str(tmp_path / "lake")), {"nodes": NODES})


def test_only_finished_tables_of_the_project_are_there(catalogue: Catalogue, spark: SparkWarehouse) -> None:
    assert spark.relations() == {("training", "fct__activities")}
    assert "show tables in of_others" not in catalogue.statements


def test_an_error_is_its_first_line(catalogue: Catalogue, spark: SparkWarehouse) -> None:  # noqa: ARG001
    with pytest.raises(WarehouseError, match=r"^\[UNRESOLVED_COLUMN\] no such column$"):
        spark.query("select broken")


def test_a_build_holds_the_lock_and_frees_it_when_it_fails(catalogue: Catalogue, spark: SparkWarehouse) -> None:
    held = {}

    def fail() -> None:
        with spark.alone("run-1"):
            held.update(json.loads(catalogue.holder or ""))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert held == {"host": socket.gethostname(), "pid": os.getpid(), "run": "run-1"}
    assert catalogue.holder is None


@pytest.mark.parametrize("host", [socket.gethostname(), "another-host"])
def test_a_second_build_is_refused_with_who_holds_the_lock(
    catalogue: Catalogue, spark: SparkWarehouse, host: str
) -> None:
    alive = os.getpid() if host == socket.gethostname() else 1
    catalogue.holder = json.dumps({"host": host, "pid": alive, "run": "run-0"})
    with (
        pytest.raises(WarehouseLockedError, match=f"run run-0 of process {alive} on {host}.*drop table intermediate"),
        spark.alone("run-1"),
    ):
        pytest.fail("two builds at once")
    assert json.loads(catalogue.holder)["run"] == "run-0"


def test_the_lock_of_a_process_that_was_killed_is_taken_over(catalogue: Catalogue, spark: SparkWarehouse) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    catalogue.holder = json.dumps({"host": socket.gethostname(), "pid": gone.pid, "run": "run-0"})
    with spark.alone("run-1"):
        assert json.loads(catalogue.holder)["run"] == "run-1"
    assert catalogue.holder is None


def test_a_server_that_does_not_answer_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, spark: SparkWarehouse
) -> None:
    def refused(**_: object) -> None:
        raise TTransportException(message="Could not connect to any of [('127.0.0.1', 10000)]")

    monkeypatch.setattr(hive, "connect", refused)
    with pytest.raises(WarehouseUnreachableError, match=r"spark\.internal:10000.*make spark.*SPARK_THRIFT_HOST"):
        spark.relations()


def test_a_server_that_ends_during_a_build_hides_no_other_error(
    monkeypatch: pytest.MonkeyPatch, catalogue: Catalogue, spark: SparkWarehouse
) -> None:
    def refused(**_: object) -> None:
        raise TTransportException(message="connection refused")

    def fail() -> None:
        with spark.alone("run-1"):
            monkeypatch.setattr(hive, "connect", refused)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert catalogue.holder is not None

"""What the graph asks of Spark: a lock that one build holds, errors in a sentence, tables of the project alone."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
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
    # Names under which dead locks lie, and what another run does before the next rename.
    dead_locks: set[str] = field(default_factory=set)
    meanwhile: Callable[[], None] | None = None

    def __enter__(self) -> "Catalogue":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def cursor(self) -> "Cursor":
        return Cursor(self)

    def answer_about_the_lock(self, statement: str) -> list[tuple[Any, ...]]:
        name = statement.rpartition(" ")[2]
        if statement.startswith("create table intermediate.build_lock"):
            if self.holder is not None:
                raise hive.OperationalError("[TABLE_OR_VIEW_ALREADY_EXISTS] `build_lock`")
            self.holder = statement.split("'holder' = '")[1].removesuffix("')")
        elif statement.startswith("show tblproperties"):
            if self.holder is None:
                raise hive.OperationalError("[TABLE_OR_VIEW_NOT_FOUND] `build_lock`")
            return [("holder", self.holder)]
        elif statement.startswith("alter table intermediate.build_lock rename to "):
            first, self.meanwhile = self.meanwhile, None
            if first:
                first()
            if self.holder is None or name in self.dead_locks:
                raise hive.OperationalError("[TABLE_OR_VIEW_ALREADY_EXISTS] `build_lock_of_the_dead`")
            self.dead_locks.add(name)
            self.holder = None
        elif statement == "drop table if exists intermediate.build_lock":
            self.holder = None
        elif statement.startswith("drop table if exists "):
            self.dead_locks.discard(name)
        return []


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
        else:
            self.rows = catalogue.answer_about_the_lock(statement)


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


@pytest.fixture
def dead() -> str:
    """A lock whose process is gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    return json.dumps({"host": socket.gethostname(), "pid": gone.pid, "run": "run-0"})


def test_the_lock_of_a_process_that_was_killed_is_taken_over(
    catalogue: Catalogue, spark: SparkWarehouse, dead: str
) -> None:
    catalogue.holder = dead
    with spark.alone("run-1"):
        assert json.loads(catalogue.holder)["run"] == "run-1"
    assert catalogue.holder is None
    assert catalogue.dead_locks == set()


@pytest.mark.parametrize("ends_meanwhile", [False, True])
def test_of_two_runs_that_find_the_lock_of_the_dead_one_alone_takes_it(
    catalogue: Catalogue, spark: SparkWarehouse, dead: str, ends_meanwhile: bool
) -> None:
    """The slower run reads who held the lock; then the quicker one takes it, and may have ended before the rename."""
    catalogue.holder = dead
    quicker = spark.alone("run-1")

    def take_it() -> None:
        quicker.__enter__()
        if ends_meanwhile:
            quicker.__exit__(None, None, None)

    catalogue.meanwhile = take_it
    with (
        pytest.raises(WarehouseLockedError, match=r"lock of run run-0.*another run.*Start this run again"),
        spark.alone("run-2"),
    ):
        pytest.fail("two builds at once")
    if not ends_meanwhile:
        assert json.loads(catalogue.holder)["run"] == "run-1"
        quicker.__exit__(None, None, None)
    assert catalogue.holder is None
    assert catalogue.dead_locks == set()
    with spark.alone("run-2"):
        assert json.loads(catalogue.holder or "")["run"] == "run-2"


def test_a_build_frees_no_lock_but_its_own(catalogue: Catalogue, spark: SparkWarehouse) -> None:
    """Somebody dropped it by hand, and another run has taken it since, or none has."""
    of_another = json.dumps({"host": "another-host", "pid": 1, "run": "run-2"})
    for holder in (of_another, None):
        catalogue.holder = None
        with spark.alone("run-1"):
            catalogue.holder = holder
        assert catalogue.holder == holder


def test_an_area_is_not_copied_without_a_table_that_a_killed_build_has_not_renamed(
    catalogue: Catalogue, spark: SparkWarehouse
) -> None:
    catalogue.tables["training"] = ["fct__activities__dbt_new", "dim__plans"]
    with (
        pytest.raises(WarehouseError, match=r"training\.fct__activities, found training\.fct__activities__dbt_new"),
        spark.copy_of(["training"], facts=False),
    ):
        pytest.fail("a copy without the table")
    # Other areas do not wait for it.
    with spark.copy_of(["learning"], facts=False):
        pass


def test_a_table_at_work_beside_the_old_one_is_left_out_of_a_copy(
    catalogue: Catalogue, spark: SparkWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported: list[str] = []
    monkeypatch.setattr(SparkWarehouse, "_import", lambda *arguments: imported.append(arguments[-1]))
    catalogue.tables["training"] = ["fct__activities", "fct__activities__dbt_new", "dim__plans__dbt_tmp"]
    with spark.copy_of(["training"], facts=True):
        assert imported == ["fct__activities"]


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

"""What a failed dbt test tells: its sentence, its SQL, its rows; personal values never."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engagement_assets.privacy.pseudonyms import pseudonym
from engagement_assets.transform.data_tests import (
    FailedTest,
    check,
    check_description,
    failing_keys,
    readable_sql,
)
from tests.connected_warehouse import ConnectedWarehouse

TABLE = "training.runs"
MODEL: Mapping[str, Any] = {
    "unique_id": "model.runs",
    "name": "runs",
    "schema": "training",
    "fqn": ["engagement", "marts", "training", "runs"],
    "columns": {"run_id": {}, "user_id": {}, "distance_m": {}, "note": {}},
}


def node(name: str, kind: str | None = "row_satisfies", column: str | None = None, **kwargs: Any) -> dict[str, Any]:
    return {
        "name": name,
        "schema": "checks",
        "description": "A run would count twice.\n",
        "config": {"severity": "error"},
        "column_name": column,
        "attached_node": "model.runs" if kind else None,
        "test_metadata": {"name": kind, "kwargs": kwargs} if kind else None,
    }


UNIQUE = node("unique_runs_run_id", "unique", "run_id")
CONTENT: Mapping[str, Any] = {"nodes": {"model.runs": MODEL, "test.unique": UNIQUE}}


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Seven runs, the last two of which are one."""
    with duckdb.connect() as database:
        database.execute("create schema training")
        database.execute(
            """
            create table training.runs as
            select 'run ' || least(number, 6) as run_id, 'ana' as user_id, number + 0.5::double as distance_m,
                   repeat('x', 200) as note
            from range(1, 8) as numbers (number)
            """
        )
        yield database


def failed(test: Mapping[str, Any], sql: str, rows: int = 1, status: str = "fail") -> FailedTest:
    return FailedTest(test, status, rows, "Got results", sql)


def keys(
    connection: duckdb.DuckDBPyConnection, test: Mapping[str, Any], sql: str, key: str | None = None
) -> list[dict[str, Any]]:
    return failing_keys(ConnectedWarehouse(connection), failed(test, sql), CONTENT, TABLE, key)


@pytest.mark.parametrize(
    ("test", "words"),
    [
        (UNIQUE, "run_id is unique"),
        (node("not_null_runs_user_id", "not_null", "user_id"), "user_id is never NULL"),
        (node("runs_are_there_once", "unique_combination"), "runs are there once"),
        (node("unique_runs_have_a_user", "row_satisfies"), "unique runs have a user"),
        (node("assert_runs_add_up", None), "runs add up"),
    ],
)
def test_a_name_is_read_as_what_it_checks(test: Mapping[str, Any], words: str) -> None:
    assert check(test) == words


def test_a_check_says_what_its_failure_does_and_why() -> None:
    assert check_description(UNIQUE) == "run_id is unique. A failure blocks: A run would count twice."
    warning = {**node("assert_runs_add_up", None), "config": {"severity": "warn"}}
    assert check_description(warning) == "Runs add up. A failure warns: A run would count twice."


def test_a_failure_is_one_sentence_with_the_reason_and_the_figures() -> None:
    test = failed(UNIQUE, "select 1", rows=1_200)
    assert test.sentence(TABLE) == (
        "training.runs: 1,200 failing rows against “run_id is unique”. A run would count twice."
    )
    assert test.check_metadata() == {
        "blocked": True,
        "failing_rows": 1_200,
        "failing_rows_sql": "select 1",
        "observed": "1,200 failing rows",
        "expected": "no failing row",
    }


def test_a_warning_blocks_nothing_and_accepted_values_are_what_is_expected() -> None:
    test = failed(
        node("sports_are_known", "accepted_values", "sport", values=["run", "ride"]), "select 1", status="warn"
    )
    assert test.check_metadata() == {
        "blocked": False,
        "failing_rows": 1,
        "failing_rows_sql": "select 1",
        "observed": "1 failing row",
        "expected": "sport is one of run, ride",
    }


def test_a_test_that_cannot_be_run_shows_no_rows_and_says_what_dbt_says() -> None:
    test = FailedTest(UNIQUE, "error", 0, "no such column", "")
    assert test.sentence(TABLE) == "training.runs: it could not be tested that run_id is unique: `no such column`"
    assert test.check_metadata() == {"blocked": True}


def test_the_sql_runs_in_a_shell_on_any_copy_of_the_warehouse(tmp_path: Path) -> None:
    compiled = '\n\nselect * from "the warehouse"."training"."runs"   \n\n\nwhere note <> \'"x".\'\n'
    sql = readable_sql(compiled, "the warehouse")
    assert sql == 'select * from "training"."runs"\nwhere note <> \'"x".\''
    with duckdb.connect(str(tmp_path / "published.duckdb")) as copy:
        copy.execute("create schema training")
        copy.execute("create table training.runs as select 'a' as note")
        assert copy.execute(sql).fetchall() == [("a",)]


def test_rows_of_the_table_are_shown_by_its_grain_at_most_five_of_them_in_order(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    found = keys(connection, node("runs_are_long"), "select * from training.runs order by distance_m desc")
    assert found == [{"run_id": f"run {number}"} for number in range(1, 6)]


def test_what_the_test_has_worked_out_stands_beside_the_grain(connection: duckdb.DuckDBPyConnection) -> None:
    sql = "select run_id, max(distance_m) as longest_m, note from training.runs group by all having count(*) > 1"
    assert keys(connection, node("assert_runs", None), sql) == [{"run_id": "run 6", "longest_m": 7.5}]


def test_a_test_that_gives_nothing_of_the_grain_shows_all_that_it_gives(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    sql = "select note, distance_m from training.runs where distance_m < 2"
    assert keys(connection, node("assert_runs", None), sql) == [{"note": "x" * 99 + "…", "distance_m": 1.5}]


@pytest.mark.parametrize("name", ["unique_field", "value_field", "from_field"])
def test_the_tested_column_has_its_own_name(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    sql = f"select run_id as {name}, count(*) as n_records from training.runs group by all having count(*) > 1"
    assert keys(connection, UNIQUE, sql) == [{"run_id": "run 6", "n_records": 2}]


def test_personal_values_are_pseudonyms_or_masked_whatever_they_are_called(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    test = node("unique_runs_user_id", "unique", "user_id")
    sql = "select user_id as unique_field, user_id as previous_user_id, null as paces_json from training.runs"
    alias = pseudonym("a key", "ana")[:12]
    assert keys(connection, test, sql, "a key") == [{"user_id": alias, "previous_user_id": alias, "paces_json": None}]
    assert keys(connection, test, sql) == [
        {"user_id": "(personal)", "previous_user_id": "(personal)", "paces_json": None}
    ]


def test_values_are_those_of_json(connection: duckdb.DuckDBPyConnection) -> None:
    sql = "select date '2024-01-01' as day, true as is_run, 'nan'::double as ratio, 1.5::decimal(3, 1) as price"
    assert keys(connection, node("assert_runs", None), sql) == [
        {"day": "2024-01-01", "is_run": True, "ratio": "nan", "price": "1.5"}
    ]

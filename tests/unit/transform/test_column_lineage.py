"""Columns of models are traced to the columns of their parents."""

import logging
from typing import Any

import pytest

from engagement_assets.transform.column_lineage import column_parents

RUNS = "model.shop.int_runs"
TOTALS = "model.shop.run_totals"
SOURCE = "source.shop.raw_runna.activities"


def node(schema: str, name: str, *columns: str) -> dict[str, Any]:
    return {"resource_type": "model", "schema": schema, "alias": name, "columns": {column: {} for column in columns}}


MANIFEST: dict[str, Any] = {
    "nodes": {
        RUNS: node("intermediate", "int_runs", "run_id", "runner", "metres", "seconds", "change_number"),
        TOTALS: node("marts", "run_totals", "runner", "pace", "runs"),
    },
    "sources": {SOURCE: {"resource_type": "source", "source_name": "raw_runna", "name": "activities"}},
}


def parents(model: str, sql: str) -> dict[str, list[tuple[str, str]]]:
    return dict(column_parents(MANIFEST, {model: sql})[model])


def test_a_renamed_column_comes_from_the_files_of_the_lake() -> None:
    files = (
        "read_parquet('lake/raw_runna/activities/*/*.parquet', hive_partitioning = true, hive_types = {'day': date})"
    )
    found = parents(RUNS, f"select activity_id as run_id, cast(day as date) as batch_date from {files}")
    assert found == {"run_id": [(SOURCE, "activity_id")], "batch_date": [(SOURCE, "day")]}


def test_an_expression_comes_from_every_column_in_it_through_all_its_steps() -> None:
    found = parents(
        TOTALS,
        """
        with paced as (select *, metres / nullif(seconds, 0) as pace from intermediate.int_runs)
        select upper(runner) as runner, max_by(pace, metres) as pace, count(*) as runs from paced group by all
        """,
    )
    assert found == {"runner": [(RUNS, "runner")], "pace": [(RUNS, "metres"), (RUNS, "seconds")], "runs": []}


def test_a_column_of_a_union_comes_from_both_sides() -> None:
    found = parents(
        TOTALS,
        "select runner from intermediate.int_runs union all select user_id from raw_runna.activities",
    )
    assert found == {"runner": [(RUNS, "runner"), (SOURCE, "user_id")]}


def test_what_a_table_takes_from_itself_or_from_the_change_ledger_is_no_parent() -> None:
    found = parents(
        RUNS,
        """
        select runner, (select max(change_number) from intermediate.consumed_changes) as change_number
        from intermediate.int_runs
        """,
    )
    assert found == {"runner": [], "change_number": []}


def test_sql_that_cannot_be_read_costs_its_model_the_lineage_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    compiled = {RUNS: "select from where (", TOTALS: "select runner from intermediate.int_runs"}
    with caplog.at_level(logging.WARNING):
        found = column_parents(MANIFEST, compiled)
    assert found == {TOTALS: {"runner": [(RUNS, "runner")]}}
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        f"{RUNS} is shown without its columns' lineage"
    ]

"""What dbt sends to Apache Spark, read without a server: every model, in full and incrementally, on each table format.

Belongs here: whether Spark can read it, and the order of statements that a killed build depends on. Not here: the rows
(`tests/spark`, which needs Java).
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from dbt.cli.main import dbtRunner

from engagement_assets.transform.dbt_profile import SPARK, DbtProfile
from engagement_assets.transform.project import dbt_arguments, manifest, parsed_manifest
from tests.integration.recorded_spark import NUMBER, RecordedSpark, recorded

pytestmark = pytest.mark.integration

# `from t where (paid)` is a table with the alias `where` to Spark, and filters nothing.
FILTER_READ_AS_ALIAS = re.compile(r"\bwhere\s*\(\s*\w+(\s*,\s*\w+)*\s*\)\s*($|[);]|(group|order|limit|union|having)\b)")
# Types, functions and spellings that DuckDB knows and Spark does not, and which a parser of many dialects lets pass.
UNKNOWN_TO_SPARK = re.compile(
    r"\bvarchar\b(?!\()|\bhugeint\b|::|\bexclude\b|\bignore nulls\)|\bdate_(sub|diff)\('"
    r"|\b(read_parquet|generate_series|unnest|glob|strftime|strptime|epoch_ms|arg_max|list_\w+|replace) ?\((?!')"
)


# Of a model of each strategy, what changes rows between the table of this build and the note.
STRATEGIES = {
    "training.lap_pace_adherence": ["delete", "insert"],  # replace_changed
    "intermediate.int_lingokids_days_linked": ["insert"],  # append
    "intermediate.int_lingokids_days_changed": ["delete", "insert"],  # delete+insert
    "intermediate.int_lingokids_events_by_day": ["delete", "insert"],  # replace_window
    "intermediate.int_lingokids_users_latest": ["delete", "insert"],  # replace_all
    "intermediate.int_mobile_events_sessionized": ["delete", "insert"],  # replace_built
    "mobility.fct__mobile_sessions": ["delete", "delete", "insert"],  # replace_changed_and_built
}


def sent(folder: Path, *arguments: str, tables: bool, table_format: str = "parquet") -> dict[str, list[str]]:
    """The statements of a build of all models and seeds, per model; with or without tables that exist."""
    content = manifest()
    there = {
        (node["schema"], node["alias"]): tuple(node["columns"])
        for node in content["nodes"].values()
        if node["resource_type"] in {"model", "seed"} and tables
    }
    spark = RecordedSpark(there, table_format)
    profile = DbtProfile(SPARK, "", {"SPARK_TABLE_FORMAT": table_format, "SPARK_THREADS": "1"})
    variables = "{lake_uri: /lake, window_start: 2024-01-01, window_end: 2024-01-02}"
    with profile.environment(), recorded(spark):
        runner = dbtRunner(manifest=parsed_manifest("", SPARK, table_format))
        outcome = runner.invoke(
            [
                "build",
                "--exclude-resource-type=test",
                "--exclude-resource-type=unit_test",
                "--no-write-json",
                f"--vars={variables}",
                *arguments,
                *dbt_arguments(folder),
            ]
        )
    results: Sequence[Any] = getattr(outcome.result, "results", ())
    failed = {each.node.name: each.message for each in results if each.status not in ("success", "pass")}
    assert not failed
    assert outcome.exception is None
    return by_model(spark.statements, {f"{node['schema']}.{node['alias']}" for node in content["nodes"].values()})


def by_model(statements: Sequence[str], names: set[str]) -> dict[str, list[str]]:
    """Statements that change something, by the table that they are about."""
    found: dict[str, list[str]] = {}
    for statement in statements:
        words = re.sub(r"`", "", statement).split()
        if words and words[0] in {"create", "drop", "alter", "insert", "delete"}:
            table = next((word for word in words if "." in word), "")
            name = re.sub(r"__dbt_(tmp|new)$", "", table)
            if name in names:
                found.setdefault(name, []).append(statement)
    return found


def outlines(statements: Sequence[str]) -> list[str]:
    """The first words of each statement, without the query."""
    return [re.sub(r"`", "", re.split(r"\s+(?:using|as|where|select|set|comment|\()\s*", one)[0]) for one in statements]


@pytest.mark.parametrize("tables", [False, True])
def test_spark_can_read_every_statement(tmp_path: Path, tables: bool) -> None:
    statements = sent(tmp_path, tables=tables)

    assert len(statements) > 75
    refused: Mapping[str, list[str]] = {
        name: [
            reason
            for one in of_model
            for reason in (
                *(match[0] for match in UNKNOWN_TO_SPARK.finditer(without_texts(one))),
                *(match[0] for match in FILTER_READ_AS_ALIAS.finditer(without_texts(one))),
                *faults_of(one),
            )
        ]
        for name, of_model in statements.items()
    }
    assert {name: reasons for name, reasons in refused.items() if reasons} == {}


def without_texts(statement: str) -> str:
    """The statement without comments, and with nothing between quotes."""
    return re.sub(r"'(?:[^'\\]|\\.|'')*'|--[^\n]*", "''", statement.lower())


def faults_of(statement: str) -> list[str]:
    """Why it cannot be parsed, or what Spark could run only by comparing each row with each."""
    try:
        parsed = sqlglot.parse_one(statement.replace("%s", "?"), read="spark")
    except sqlglot.errors.ParseError as error:
        return [str(error)[:200]]
    negated = (each.this for each in parsed.find_all(sqlglot.exp.Not))
    # What NOT IN says about a NULL is no condition of a hash join; NOT EXISTS is one.
    return [f"not {each.sql()}" for each in negated if isinstance(each, sqlglot.exp.In) and each.args.get("query")]


@pytest.mark.parametrize(
    "sql",
    [
        "select a::string from t",
        "select * from t where (a)",
        "select cast(a as varchar) from t",
        "select (a from t",
        "select * from t where (a, b) not in (select a, b from other)",
    ],
)
def test_what_spark_cannot_read_is_found(sql: str) -> None:
    text = without_texts(sql)
    assert UNKNOWN_TO_SPARK.search(text) or FILTER_READ_AS_ALIAS.search(text) or faults_of(sql)


def test_a_table_of_parquet_is_written_beside_the_old_one_with_its_note_and_takes_its_name(tmp_path: Path) -> None:
    statements = sent(tmp_path, "--select=fct__activities", tables=True)["training.fct__activities"]

    table = "training.fct__activities"
    assert outlines(statements) == [
        f"drop table if exists {table}__dbt_tmp",
        f"create table {table}__dbt_tmp",
        f"drop table if exists {table}__dbt_new",
        f"create table {table}__dbt_new",
        f"drop table if exists {table}",
        f"alter table {table}__dbt_new rename to {table}",
        f"drop table if exists {table}__dbt_tmp",
    ]
    # No more than the log that it reads has consumed.
    assert f"tblproperties ('consumed_change_number' = '{NUMBER - 1}')" in statements[3]
    assert "left anti join" in statements[3]


def test_a_format_with_delete_deletes_inserts_and_notes_last(tmp_path: Path) -> None:
    statements = sent(tmp_path, tables=True, table_format="iceberg")

    table = "training.fct__activities"
    assert outlines(statements[table]) == [
        f"drop table if exists {table}__dbt_tmp",
        f"create table {table}__dbt_tmp",
        f"delete from {table}",
        f"insert into {table}",
        f"alter table {table}",
        f"drop table if exists {table}__dbt_tmp",
    ]
    assert "using iceberg" in statements[table][1]
    assert statements[table][4].endswith(f"set tblproperties ('consumed_change_number' = '{NUMBER - 1}')")
    assert {
        of_strategy: [one.split()[0] for one in statements[of_strategy][2:-2]] for of_strategy in STRATEGIES
    } == STRATEGIES


def test_a_full_refresh_of_a_format_with_delete_replaces_the_table_at_once(tmp_path: Path) -> None:
    chosen = ("--full-refresh", "--select=fct__activities")
    statements = sent(tmp_path, *chosen, tables=True, table_format="iceberg")["training.fct__activities"]

    assert outlines(statements) == [
        "create or replace table training.fct__activities",
        "drop table if exists training.fct__activities__dbt_tmp",
    ]

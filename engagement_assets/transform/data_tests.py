"""What a dbt test checks, and what shows its failure: rows, their keys, the SQL that shows them.

Belongs here: a test's sentences for people, and reading the rows of one that failed. Not here: running dbt (see
`transform/build.py`), or the tests themselves, their severities and reasons (YAML in `dbt_project/`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engagement_assets.contracts.check_metadata import (
    BLOCKED,
    EXPECTED,
    FAILING_ROWS,
    FAILING_ROWS_SQL,
    OBSERVED,
)
from engagement_assets.privacy.pseudonyms import pseudonym
from engagement_assets.shown_text import LONGEST_NAME, LONGEST_SENTENCE, as_markdown, shown
from engagement_assets.transform.personal_columns import kind_of
from engagement_assets.transform.warehouse import Warehouse

MAX_KEYS = 5
PSEUDONYM_CHARACTERS = 12
# What stands for a personal value where no key is set.
MASKED = "(personal)"
# Under these names dbt's own tests give back the column that they test.
TESTED_COLUMN_NAMES = ("unique_field", "value_field", "from_field")
# What tests with names made by dbt check, `unique_<table>_<column>`.
DBT_CHECKS = {"unique": "is unique", "not_null": "is never NULL"}

# The test could not run: its SQL is wrong, or a table is missing.
NO_OUTCOME = ("error", "runtime error")


@dataclass(frozen=True)
class FailedTest:
    """A dbt test that did not pass: `node` is the manifest's, `sql` selects the failing rows, and may be empty."""

    node: Mapping[str, Any]
    status: str
    failing_rows: int
    message: str
    sql: str

    @property
    def has_outcome(self) -> bool:
        """Whether the test ran."""
        return self.status not in NO_OUTCOME

    def sentence(self, table: str) -> str:
        """What failed about `schema.table`, and why it matters."""
        if not self.has_outcome:
            why = as_markdown(self.message, LONGEST_SENTENCE)
            return f"{table}: it could not be tested that {check(self.node)}: {why}"
        return f"{table}: {_rows(self.failing_rows)} against “{check(self.node)}”. {_reason(self.node)}"

    def check_metadata(self) -> dict[str, Any]:
        """What dbt's own result says, by the names of `contracts/check_metadata.py`."""
        metadata: dict[str, Any] = {BLOCKED: self.status != "warn"}
        if self.sql:
            metadata[FAILING_ROWS_SQL] = self.sql
        if self.has_outcome:
            metadata |= {
                FAILING_ROWS: self.failing_rows,
                OBSERVED: _rows(self.failing_rows),
                EXPECTED: _expected(self.node),
            }
        return metadata


def readable_sql(compiled: str, database: str) -> str:
    """A test's SQL without blank lines and the database's name, which differs in a copy of the warehouse."""
    lines = (line.rstrip() for line in compiled.replace(f'"{database}".', "").splitlines())
    return "\n".join(line for line in lines if line)


def check(node: Mapping[str, Any]) -> str:
    """What a test checks, in words: `laps are in the bridge once`, `activity_id is unique`."""
    kind = (node.get("test_metadata") or {}).get("name")
    if kind in DBT_CHECKS and node["name"].startswith(f"{kind}_"):
        return f"{node['column_name']} {DBT_CHECKS[kind]}"
    return str(node["name"]).removeprefix("assert_").replace("_", " ")


def check_description(node: Mapping[str, Any]) -> str:
    """What a test checks, what its failure does, and why."""
    does = "blocks" if node["config"]["severity"].lower() == "error" else "warns"
    checked = check(node)
    checked = checked if checked.startswith(node.get("column_name") or " ") else checked[0].upper() + checked[1:]
    return f"{checked}. A failure {does}: {_reason(node)}"


def failing_keys(
    warehouse: Warehouse,
    test: FailedTest,
    manifest: Mapping[str, Any],
    table: str,
    pseudonym_key: str | None,
) -> list[dict[str, Any]]:
    """Up to five different failing rows of `schema.table`, in order, with the columns that identify and explain them.

    Those are the columns of the table's grain, the tested column, and the columns that only the test has.
    Personal values are pseudonyms under the key, or masked without one.

    Raises:
        WarehouseError: the rows cannot be read.
    """
    columns = warehouse.query(f"select * from ({test.sql}) as failing limit 0").columns
    models = (item for item in manifest["nodes"].values() if f"{item['schema']}.{item['name']}" == table)
    model = next(models)
    names = _shown_columns(test.node, columns, manifest, model)
    selected = ", ".join(map(warehouse.quoted, names))
    rows = warehouse.query(f"select distinct {selected} from ({test.sql}) as failing order by all limit {MAX_KEYS}")
    tested = test.node.get("column_name")
    titles = [tested if tested and name in TESTED_COLUMN_NAMES else name for name in names]
    return [
        {
            title: _plain(value, pseudonym_key, personal=kind_of(model, title) is not None)
            for title, value in zip(titles, row, strict=True)
        }
        for row in rows.values
    ]


def grain(manifest: Mapping[str, Any], unique_id: str) -> tuple[str, ...]:
    """The columns that identify a row of a model, from its test of uniqueness; empty without one."""
    for node in manifest["nodes"].values():
        metadata = node.get("test_metadata")
        if metadata and node["attached_node"] == unique_id:
            if metadata["name"] == "unique":
                return (node["column_name"],)
            if metadata["name"] == "unique_combination":
                return tuple(metadata["kwargs"]["columns"])
    return ()


def primary_keys(manifest: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The grain of each model that has a test of it, by `schema.table`."""
    grains = {
        f"{node['schema']}.{node['alias']}": grain(manifest, unique_id)
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] == "model"
    }
    return {table: columns for table, columns in grains.items() if columns}


def _shown_columns(
    node: Mapping[str, Any], names: Sequence[str], manifest: Mapping[str, Any], model: Mapping[str, Any]
) -> Sequence[str]:
    wanted = {*grain(manifest, model["unique_id"]), node.get("column_name")}
    return [name for name in names if name in wanted or name not in model["columns"]] or names


def _plain(value: Any, pseudonym_key: str | None, *, personal: bool) -> Any:
    """A value for JSON, short enough for a message."""
    if value is None:
        return None
    if personal:
        return pseudonym(pseudonym_key, str(value))[:PSEUDONYM_CHARACTERS] if pseudonym_key else MASKED
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return shown(str(value), LONGEST_NAME)


def _expected(node: Mapping[str, Any]) -> str:
    metadata = node.get("test_metadata") or {}
    if metadata.get("name") == "accepted_values":
        return f"{node['column_name']} is one of {', '.join(map(str, metadata['kwargs']['values']))}"
    return "no failing row"


def _reason(node: Mapping[str, Any]) -> str:
    return " ".join(node["description"].split())


def _rows(count: int) -> str:
    return f"{count:,} failing row" if count == 1 else f"{count:,} failing rows"

"""From which columns of its parents a model's column comes, derived from the compiled SQL.

Belongs here: SQL in, columns out. Not here: compiling (see `transform/project.py`), or how the UI shows it (see
`assets/dbt_models.py`).
"""

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from sqlglot import MappingSchema, exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.lineage import lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from engagement_assets.sources import RAW_DATASETS
from engagement_assets.transform.project import ColumnParents

DIALECT = "duckdb"
# What the macro `lake_files` renders for a source.
LAKE_FILES = re.compile(r"read_parquet\('[^']*/(\w+)/(\w+)/\*/\*\.parquet'[^)]*\)")
# What the macro `lake_days` renders for one.
LAKE_DAYS = re.compile(r"glob\('[^']*/(\w+)/(\w+)/day=\*/\*'\)")
# Not a model, but models that write change logs read it (see the macro `create_change_ledger`).
CHANGE_LEDGER = ("intermediate", "consumed_changes")


def column_parents(manifest: Mapping[str, Any], compiled: Mapping[str, str]) -> dict[str, ColumnParents]:
    """The parents of every column of every model in `compiled`, by the model's id.

    A column without parents counts rows, or uses no column of a table. A model whose SQL cannot be parsed is left out,
    with a warning: it can still be built.
    """
    ids = {(node["schema"], node["alias"]): unique_id for unique_id, node in manifest["nodes"].items()}
    ids |= {(item["source_name"], item["name"]): unique_id for unique_id, item in manifest["sources"].items()}
    schema = _schema(manifest)
    parents: dict[str, ColumnParents] = {}
    for unique_id, sql in compiled.items():
        try:
            parents[unique_id] = _parents(sql, schema, {place: id_ for place, id_ in ids.items() if id_ != unique_id})
        except SqlglotError as error:
            logging.getLogger(__name__).warning("%s is shown without its columns' lineage: %s", unique_id, error)
    return parents


def _parents(sql: str, schema: MappingSchema, ids: Mapping[tuple[str, str], str]) -> ColumnParents:
    sql = LAKE_DAYS.sub(r'(select day as file from "\1"."\2")', LAKE_FILES.sub(r'"\1"."\2"', sql))
    tree = parse_one(sql, dialect=DIALECT)
    query = qualify(tree, schema=schema, dialect=DIALECT, validate_qualify_columns=False)
    # Once for the whole query: the usual scope per column would take ten times as long.
    scope = build_scope(query)
    if not isinstance(query, exp.Query) or scope is None:
        raise SqlglotError("no query")
    return {column: _leaves(column, query, schema, scope, ids) for column in query.named_selects}


def _leaves(
    column: str, query: exp.Query, schema: MappingSchema, scope: Scope, ids: Mapping[tuple[str, str], str]
) -> list[tuple[str, str]]:
    leaves = set()
    for node in lineage(column, query, schema, scope=scope, dialect=DIALECT, copy=False).walk():
        table = None if node.downstream else node.expression.find(exp.Table)
        if table and (table.db, table.name) in ids:
            leaves.add((ids[table.db, table.name], exp.to_column(node.name).name))
    return sorted(leaves)


def _schema(manifest: Mapping[str, Any]) -> MappingSchema:
    schema = MappingSchema(dialect=DIALECT)
    tables: dict[tuple[str, str], Iterable[str]] = {
        (node["schema"], node["alias"]): node["columns"]
        for node in manifest["nodes"].values()
        if node["resource_type"] in {"model", "seed"}
    }
    tables |= {(f"raw_{raw.source}", raw.name): (*raw.columns, "day") for raw in RAW_DATASETS}
    tables[CHANGE_LEDGER] = ("consumer", "change_number")
    for (database, name), columns in tables.items():
        schema.add_table(exp.table_(name, db=database), dict.fromkeys(columns, "unknown"), dialect=DIALECT)
    return schema

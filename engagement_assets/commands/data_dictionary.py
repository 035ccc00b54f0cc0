"""`make dictionary`: writes `docs/data_dictionary.md` from the descriptions in the dbt project and of the datasets.

Belongs here: rendering. Not here: the descriptions (YAML in `dbt_project/`, the sources in `extract/`); a test fails
when the file is stale.
"""

from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

from engagement_assets.commands.process import exit_process
from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.metrics.catalog import metrics_of
from engagement_assets.sources import RAW_DATASETS
from engagement_assets.transform.personal_columns import kind_of
from engagement_assets.transform.project import manifest

DICTIONARY_PATH = PROJECT_ROOT / "docs" / "data_dictionary.md"
INTERNAL_SCHEMAS = ("staging", "intermediate")
HEADER = """# Data dictionary

Generated from the dbt project by `make dictionary`; a test fails when it is stale. The tables that people query, by
schema. Instants are UTC, weeks begin on Monday, units stand in the column's name. Columns of personal data name its
kind (see [privacy.md](privacy.md)). [metrics.md](metrics.md) defines the metrics that are computed of the tables.
"""
RAW_DATA = """## Raw data

The Parquet files of the lake, and which of their columns say or help to find out who somebody is.
[privacy.md](privacy.md) says how long they are kept.
"""


def render(content: Mapping[str, Any]) -> str:
    """The dictionary of a dbt manifest as Markdown: one section per schema, one table per model."""
    nodes = (node for node in content["nodes"].values() if node["resource_type"] == "model")
    models = sorted(
        (node for node in nodes if node["schema"] not in INTERNAL_SCHEMAS), key=itemgetter("schema", "name")
    )
    parts = [HEADER, _raw_data()]
    for schema, described in groupby(models, key=itemgetter("schema")):
        parts += [f"## {schema}\n", *map(_table, described)]
    return "\n".join(parts)


def _raw_data() -> str:
    rows = [
        f"| `{dataset.key}` | {_one_line(dataset.description)} "
        f"| {', '.join(f'`{name}` ({dataset.kinds[name]})' for name in dataset.columns if name in dataset.kinds)} |"
        for dataset in RAW_DATASETS
    ]
    return "\n".join([RAW_DATA, "| dataset | meaning | personal columns |", "|---|---|---|", *rows]) + "\n"


def _table(node: Mapping[str, Any]) -> str:
    table = f"{node['schema']}.{node['name']}"
    heading = f"### {table}\n\n{_one_line(node['description'])}\n"
    if metrics := [f"[`{metric.name}`](metrics.md#{metric.name})" for metric in metrics_of(table)]:
        heading += f"\nMetrics: {', '.join(metrics)}.\n"
    rows = [
        f"| `{column['name']}` | {column['data_type']} | {kind_of(node, column['name']) or ''} | "
        f"{_one_line(column['description'])} |"
        for column in node["columns"].values()
    ]
    return "\n".join([heading, "| column | type | personal | meaning |", "|---|---|---|---|", *rows]) + "\n"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> int:
    """Write the file."""
    DICTIONARY_PATH.write_text(render(manifest()), encoding="utf-8")
    print(f"wrote {DICTIONARY_PATH}")
    return 0


if __name__ == "__main__":
    exit_process(main())

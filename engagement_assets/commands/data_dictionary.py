"""`make dictionary`: writes `docs/data_dictionary.md` from the descriptions in the dbt project.

Belongs here: rendering. Not here: the descriptions (YAML in `dbt_project/`); a test fails when the file is stale.
"""

from collections.abc import Mapping
from typing import Any

from engagement_assets.commands.exit_process import exit_process
from engagement_assets.settings import PROJECT_ROOT
from engagement_assets.transform.project import manifest

DICTIONARY_PATH = PROJECT_ROOT / "docs" / "data_dictionary.md"
INTERNAL_SCHEMAS = ("staging", "intermediate")
HEADER = """# Data dictionary

Generated from the dbt project by `make dictionary`; a test fails when it is stale. The tables that people query, by
schema. Instants are UTC, weeks begin on Monday, units stand in the column's name.
"""


def render(content: Mapping[str, Any]) -> str:
    """The dictionary of a dbt manifest as Markdown: one section per schema, one table per model."""
    models = sorted(
        (
            node
            for node in content["nodes"].values()
            if node["resource_type"] == "model" and node["schema"] not in INTERNAL_SCHEMAS
        ),
        key=lambda node: (node["schema"], node["name"]),
    )
    parts = [HEADER]
    for schema in dict.fromkeys(node["schema"] for node in models):
        parts.append(f"## {schema}\n")
        parts += [_table(node) for node in models if node["schema"] == schema]
    return "\n".join(parts)


def _table(node: Mapping[str, Any]) -> str:
    rows = [
        f"| `{column['name']}` | {column['data_type']} | {_one_line(column['description'])} |"
        for column in node["columns"].values()
    ]
    lines = [
        f"### {node['schema']}.{node['name']}\n",
        f"{_one_line(node['description'])}\n",
        "| column | type | meaning |",
        "|---|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> int:
    """Write the file."""
    DICTIONARY_PATH.write_text(render(manifest()), encoding="utf-8")
    print(f"wrote {DICTIONARY_PATH}")
    return 0


if __name__ == "__main__":
    exit_process(main())

"""The warehouse says of itself what the YAML says: dbt puts the descriptions on tables and columns.

Belongs here: reading them. Elsewhere in the tests dbt leaves them out (`quick_dbt.py`).
"""

import duckdb
import pytest
from dbt.artifacts.resources.types import NodeType
from dbt.contracts.graph.manifest import Manifest

from tests.integration.reports import Loaded

pytestmark = pytest.mark.integration


def test_tables_and_columns_of_every_area_carry_their_descriptions(loaded: Loaded, manifest: Manifest) -> None:
    with duckdb.connect(str(loaded.warehouse), read_only=True) as connection:
        written = connection.execute(
            """
            select schema_name, table_name, null, comment from duckdb_tables() where not internal
            union all
            select schema_name, view_name, null, comment from duckdb_views() where not internal
            union all
            select schema_name, table_name, column_name, comment from duckdb_columns() where not internal
            """
        ).fetchall()
    found = {tuple(place): comment for *place, comment in written}
    expected: dict[tuple[str, str, str | None], str] = {}
    for node in manifest.nodes.values():
        if node.resource_type == NodeType.Model:
            place = (node.schema, node.alias)
            expected |= {(*place, None): node.description}
            expected |= {(*place, name): column.description for name, column in node.columns.items()}
    assert len(expected) > 500
    assert {place: found.get(place) for place, text in expected.items() if found.get(place) != text} == {}

"""Of which kind of personal data a column of the warehouse is, by what the raw datasets declare.

Belongs here: the one rule for it. Not here: the declarations (the datasets in `extract/`, `lake/record_columns.py`), or
who shows and hides such columns.

A model's column is personal if it has the name of a personal column of its area's datasets, also with words before it:
`previous_user_id`. Lineage would not do: whatever counts users comes from their ids, too.
"""

from collections.abc import Mapping
from typing import Any

from engagement_assets.contracts.personal import OWN_PERSONAL, PersonalKind
from engagement_assets.lake.record_columns import QUARANTINE_PERSONAL
from engagement_assets.sources import AUDIT, CROSS_SOURCE_AREA, SOURCES


def kind_of(node: Mapping[str, Any], column: str) -> PersonalKind | None:
    """The kind of a column of a dbt node, or of a column that only a test of the node has; None if it is impersonal."""
    # The folder is an area, or a source in staging.
    folder = node["fqn"][-2]
    kinds = OWN_PERSONAL | (QUARANTINE_PERSONAL if folder == AUDIT else {})
    for source in SOURCES:
        if folder in (source.name, source.area, CROSS_SOURCE_AREA):
            for dataset in source.datasets:
                kinds |= dataset.kinds
    names = [name for name in kinds if column == name or column.endswith(f"_{name}")]
    return kinds[max(names, key=len)] if names else None

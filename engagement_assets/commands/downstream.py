"""The raw datasets that a person names, with all that is made of them.

Belongs here: what the commands that change single days of a source share. Not here: what they do with it.
"""

from collections.abc import Sequence

import duckdb

from engagement_assets.assets.dbt_models import CROSS_SOURCE_AREA
from engagement_assets.contracts.datasets import RAW_DATASETS, Dataset
from engagement_assets.settings import Settings

TABLES_OVER_ALL_SOURCES = 'group:engagement or key:"published/engagement" or key:"intermediate/int_engagement*"'


def datasets_meant(source: str, dataset: str | None, *, has_day: bool) -> list[Dataset]:
    """The datasets of a source, or one of them, that have days, or that have none.

    Raises:
        ValueError: the source has no such dataset, or a day is given for one without days, or none for one with days.
    """
    known = {item.name: item for item in RAW_DATASETS if item.source == source}
    if dataset is not None and dataset not in known:
        raise ValueError(f"{source} has no dataset {dataset!r}, expected one of {', '.join(known)}")
    meant = [item for item in known.values() if item.partitioned == has_day and dataset in (None, item.name)]
    if not meant:
        needed = "has no days: leave them out" if has_day else "has days: name one, such as 2024-01-31"
        raise ValueError(f"{source if dataset is None else f'{source}/{dataset}'} {needed}")
    return meant


def and_downstream(settings: Settings, datasets: Sequence[Dataset]) -> str:
    """The raw assets and what is downstream of them, in Dagster's syntax.

    Without the tables over all sources where there are none: who loads some of the sources only cannot build them.
    """
    selection = " or ".join(f'key:"{item.key}"+' for item in datasets)
    if _has_tables_over_all_sources(settings):
        return selection
    return f"({selection}) and not ({TABLES_OVER_ALL_SOURCES})"


def _has_tables_over_all_sources(settings: Settings) -> bool:
    if not settings.warehouse_path.exists():
        return False
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        found = connection.execute(
            "select count(*) from information_schema.tables where table_schema = $schema",
            {"schema": CROSS_SOURCE_AREA.name},
        ).fetchone()
    return bool(found and found[0])

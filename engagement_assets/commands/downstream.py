"""The raw datasets that a person names, with everything downstream.

Belongs here: what `make release` and `make replay` share. Not here: what they do with it.
"""

from collections.abc import Sequence

import duckdb

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.settings import Settings
from engagement_assets.sources import CROSS_SOURCE_AREA, RAW_DATASETS

TABLES_OVER_ALL_SOURCES = 'group:engagement or key:"published/engagement" or key:"intermediate/int_engagement*"'


def chosen_datasets(source: str, dataset: str | None, *, has_days: bool) -> list[Dataset]:
    """The datasets of a source, or the named one, with days or without.

    Raises:
        ValueError: the source has no such dataset, or days are given for a dataset without days, or the reverse.
    """
    known = {item.name: item for item in RAW_DATASETS if item.source == source}
    if dataset is not None and dataset not in known:
        raise ValueError(f"{source} has no dataset {dataset!r}, expected one of {', '.join(known)}")
    chosen = [item for item in known.values() if item.partitioned == has_days and dataset in (None, item.name)]
    if not chosen:
        needed = "has no days: leave them out" if has_days else "has days: name one, such as 2024-01-31"
        raise ValueError(f"{source if dataset is None else f'{source}/{dataset}'} {needed}")
    return chosen


def and_downstream(settings: Settings, datasets: Sequence[Dataset]) -> str:
    """The raw assets and everything downstream, in Dagster's selection syntax.

    Tables over all sources are left out if they do not exist yet: whoever loads only some sources cannot build them.
    """
    selection = " or ".join(f'key:"{item.key}"+' for item in datasets)
    if _has_tables_over_all_sources(settings):
        return selection
    return f"({selection}) and not ({TABLES_OVER_ALL_SOURCES})"


def _has_tables_over_all_sources(settings: Settings) -> bool:
    if not settings.warehouse_path.exists():
        return False
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        tables = connection.execute(
            "select table_name from information_schema.tables where table_schema = $schema",
            {"schema": CROSS_SOURCE_AREA},
        ).fetchall()
    return bool(tables)

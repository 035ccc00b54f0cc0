"""What a reload of an event log or of snapshots keeps of earlier rows, and any reload of earlier rejected records.

Belongs here: which earlier rows stay beside the new ones. Not here: writing them (see `lake/load.py`).
"""

from collections.abc import Sequence

import duckdb

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import Extraction
from engagement_assets.lake.day_files import rows_of


def same_record(dataset: Dataset, left: str, right: str) -> str:
    """SQL for whether two rows are one record of one day; a NULL in an identity equals a NULL."""
    return " and ".join(f"{left}.{name} is not distinct from {right}.{name}" for name in (*dataset.identity, "day"))


def not_read_now(table: str) -> str:
    """SQL for whether this load has not read the file of a row."""
    return f"not exists (select 1 from load_files_read as read where read.source_path = {table}.source_path)"


def rejects_that_stay(extraction: Extraction, *, keep: bool) -> str | None:
    """SQL for which rejected records of `earlier` loads stay beside the new ones: of an event log (`keep`), or unread.

    None stay if this is None.
    """
    if keep:
        return not_read_now("earlier")
    if extraction.rejects_stay is None:
        return None
    return f"""
        {extraction.rejects_stay}
        and not exists (select 1 from load_rejects as new where new.record_hash = earlier.record_hash)
    """


def not_there_now(table: str) -> str:
    """SQL for whether the file of a row has gone; one that is there and was not read holds nothing of these days."""
    return f"not exists (select 1 from load_files_there as there where there.source_path = {table}.source_path)"


def leave_out_older_versions(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, new: str, known: Sequence[str]
) -> None:
    """Delete from the table `new` the records that the lake has in a newer version, and count them as duplicates.

    For snapshots: if two have a record, the one with the last path wins, even if its file has gone since.
    """
    deleted = connection.execute(
        f"""
        delete from {new} as new
        where exists (
            select 1 from {rows_of(known, dataset.columns)} as old
            where {same_record(dataset, "new", "old")}
                and old.source_path > new.source_path and {not_there_now("old")}
        )
        """
    ).fetchone()
    connection.execute(
        "update load_counts set duplicates = duplicates + $deleted where dataset_key = $key",
        {"deleted": deleted[0] if deleted else 0, "key": dataset.key},
    )


def rows_with_known_ones(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, new: str, held: Sequence[str], published: Sequence[str]
) -> str:
    """A query for the rows of the table `new` and for the earlier ones that they do not replace.

    Published rows stay. Held rows stay if their file has gone: what a file that is there says now corrects them.
    """
    columns = ", ".join([*dataset.columns, "day"])
    connection.execute(
        f"""
        create or replace temp table load_held_rows as
        select {columns} from {rows_of(held, dataset.columns)} as held where {not_there_now("held")}
        """
    )
    return f"""
        select {columns} from {new}
        union all
        select {columns} from load_held_rows as old
        where not exists (select 1 from {new} as new where {same_record(dataset, "new", "old")})
        union all
        select {columns} from {rows_of(published, dataset.columns)} as old
        where
            not exists (select 1 from {new} as new where {same_record(dataset, "new", "old")})
            and not exists (select 1 from load_held_rows as held where {same_record(dataset, "held", "old")})
    """

"""What a reload of an event log or of snapshots keeps of the rows that were known before.

Belongs here: which known rows stay beside the new ones. Not here: writing them (see `lake/load.py`).
"""

from collections.abc import Sequence

import duckdb

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.lake.day_files import rows_of


def same_record(dataset: Dataset, left: str, right: str) -> str:
    """Whether two rows are one record of one day; a NULL in an identity is a value like others."""
    return " and ".join(f"{left}.{name} is not distinct from {right}.{name}" for name in (*dataset.identity, "day"))


def not_read_now(table: str) -> str:
    """Whether the load at work has not read the file of a row."""
    return f"not exists (select 1 from load_files_read as read where read.source_path = {table}.source_path)"


def leave_out_older_versions(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, new: str, known: Sequence[str]
) -> None:
    """Delete from the table `new` what the lake knows in a newer version, and count it as duplicates.

    For snapshots: of a record in two of them the last path wins, also where its file has gone since.
    """
    deleted = connection.execute(
        f"""
        delete from {new} as new
        where exists (
            select 1 from {rows_of(known, dataset.columns)} as old
            where {same_record(dataset, "new", "old")}
                and old.source_path > new.source_path and {not_read_now("old")}
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
    """A query for the rows of the table `new` and for the known ones that none of them replaces.

    What was published stays. What is held stays where its file was not read now: of a file that was, the new reading
    is the mended one.
    """
    columns = ", ".join([*dataset.columns, "day"])
    connection.execute(
        f"""
        create or replace temp table load_held_rows as
        select {columns} from {rows_of(held, dataset.columns)} as held where {not_read_now("held")}
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

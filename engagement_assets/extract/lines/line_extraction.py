"""From the tables of a reading line by line to the extraction that is handed over.

Belongs here: the day on which each record counts, the counts, and pseudonyms for what is personal.
Not here: how lines become tables (`jsonl_records.py`, `csv_records.py`), which files are read (the source's module).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Protocol

import duckdb

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import Extraction
from engagement_assets.extract.landing.files import LandingFile
from engagement_assets.extract.lines.line_files import PreparedFiles
from engagement_assets.extract.pseudonyms import (
    PERSONAL_KEYS,
    pseudonym_parameters,
    pseudonym_sql,
    without_personal_ids,
)

PSEUDONYMISED_COLUMNS = ("child_id", "device_id")


class LineReader(Protocol):
    """What has read lines into temporary tables whose names begin with `name`.

    The tables are those that `JsonlRecords` names; `columns` are those of the dataset. `prepared`
    may hold a file in several parts, which have one key.
    """

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """Holds the tables."""

    @property
    def name(self) -> str:
        """What the tables' names begin with."""

    @property
    def identity(self) -> str:
        """The column that tells two records of a day apart."""

    @property
    def prepared(self) -> PreparedFiles:
        """The files that were read."""

    def judge_irregular_lines(self) -> None:
        """Make `irregular` and `records`; what lies outside of the calendar is none."""

    def find_winners_and_rejected(self, winner_order: str) -> None:
        """Make `repeated`, `winners` and `rejected`."""


def extraction_of(  # noqa: PLR0913 - what only the source knows
    reader: LineReader,
    dataset: Dataset,
    *,
    winner_order: str,
    days: Sequence[date | None],
    homes: Sequence[date | None],
    refused: Sequence[LandingFile],
    pseudonym_key: str | None,
    extracted_at: datetime,
) -> Extraction:
    """Judge what `reader` has read, and give it out day by day.

    Args:
        reader: Has read its lines.
        dataset: What its records are.
        winner_order: What puts the winner of several records with one identity first.
        days: The days to give out; a single None for a dataset without days.
        homes: The day of lines without a day, for each of the reader's files and then `refused`.
        refused: Files that were not opened; each is one rejected record.
        pseudonym_key: When given, ids of children and devices become pseudonyms.
        extracted_at: The time of the load.
    """
    connection, name = reader.connection, reader.name
    reader.judge_irregular_lines()
    if pseudonym_key:
        with _redaction(connection, pseudonym_key):
            connection.execute(
                f"""
                update {name}_irregular set _extra = without_personal_ids(_extra)
                where regexp_matches(_extra, '{"|".join(PERSONAL_KEYS)}')
                """
            )
    reader.find_winners_and_rejected(winner_order)
    _place(reader, days, homes, refused)
    if pseudonym_key:
        with _redaction(connection, pseudonym_key):
            connection.execute(f"update {name}_quarantine set raw_text = without_personal_ids(raw_text)")
    _count(reader, dataset)
    personal = [column for column in PSEUDONYMISED_COLUMNS if column in dataset.columns and pseudonym_key]
    if pseudonym_key and personal:
        _make_pseudonyms(reader, personal, pseudonym_key)
    return Extraction(
        accepted={dataset.key: _accepted(reader, dataset, personal, extracted_at)},
        rejected=(
            f"select '{dataset.key}' as dataset, * exclude (file_id, line_bytes)"
            f"{', true as has_pseudonyms' if pseudonym_key else ''} from {name}_quarantine"
        ),
        counts=f"select * from {name}_counts",
        unknown_fields=f"""
            select '{dataset.key}' as dataset, day, field, count(*) as records
            from (
                select day, unnest(json_keys(_extra)) as field
                from {name}_irregular where verdict is null
            )
            group by day, field
        """,
        files_read=tuple(dict.fromkeys(_keys(reader, refused))),
    )


def _keys(reader: LineReader, refused: Sequence[LandingFile]) -> list[str]:
    return [*(file.key for file in reader.prepared.files), *(file.key for file in refused)]


def _place(
    reader: LineReader,
    days: Sequence[date | None],
    homes: Sequence[date | None],
    refused: Sequence[LandingFile],
) -> None:
    """Make `days`, `homes`, `refused` and `quarantine`: the rejected records of the days."""
    connection, name = reader.connection, reader.name
    connection.execute(
        f"create or replace temp table {name}_days as select unnest($days::date[]) as day",
        {"days": list(days)},
    )
    connection.execute(
        f"""
        create or replace temp table {name}_homes as
        select
            unnest($file_ids::bigint[]) as file_id, unnest($keys::varchar[]) as key,
            unnest($homes::date[]) as home
        """,
        {
            "file_ids": list(range(len(homes))),
            "keys": _keys(reader, refused),
            "homes": list(homes),
        },
    )
    first = len(reader.prepared.files)
    connection.execute(
        f"""
        create or replace temp table {name}_refused as
        select
            unnest($file_ids::bigint[]) as file_id, unnest($keys::varchar[]) as source_path,
            unnest($reasons::varchar[]) as reason
        """,
        {
            "file_ids": list(range(first, first + len(refused))),
            "keys": [file.key for file in refused],
            "reasons": [file.refused for file in refused],
        },
    )
    connection.execute(
        f"""
        create or replace temp table {name}_quarantine as
        with

        rejected as (
            select rejected.*, files.source_path
            from {name}_rejected as rejected
            inner join {name}_files as files on rejected.file_id = files.file_id
            union all by name
            select file_id, source_path, 'refused_path' as reason_code, reason as message
            from {name}_refused
        ),

        placed as (
            select * replace (coalesce(rejected.day, homes.home) as day)
            from rejected
            inner join {name}_homes as homes using (file_id)
        )

        select placed.* exclude (home, key)
        from placed
        semi join {name}_days as days on placed.day is not distinct from days.day
        """
    )


def _count(reader: LineReader, dataset: Dataset) -> None:
    """Make `counts`: what was read is counted where it was read, not where it ended."""
    name = reader.name
    reader.connection.execute(
        f"""
        create or replace temp table {name}_counts as
        with

        found as (
            select file_id, day, line_bytes from {name}_lines
            union all
            select file_id, cast(null as date), line_bytes
            from ({reader.prepared.malformed_lines_sql()})
            union all
            select file_id, cast(null as date), 0 from {name}_refused
        ),

        read as (
            select
                coalesce(found.day, homes.home) as day, count(distinct homes.key) as files,
                sum(found.line_bytes) as bytes, count(*) as records_read
            from found
            inner join {name}_homes as homes on found.file_id = homes.file_id
            group by all
        ),

        quarantined as (
            select day, count(*) as quarantined from {name}_quarantine group by day
        ),

        duplicates as (
            select day, sum(copies - 1) as duplicates from {name}_repeated group by day
        )

        select
            '{dataset.key}' as dataset,
            days.day,
            coalesce(read.files, 0) as files,
            cast(coalesce(read.bytes, 0) as bigint) as bytes,
            coalesce(read.records_read, 0) as records_read,
            coalesce(quarantined.quarantined, 0) as quarantined,
            cast(coalesce(duplicates.duplicates, 0) as bigint) as duplicates
        from {name}_days as days
        left join read on days.day is not distinct from read.day
        left join quarantined on days.day is not distinct from quarantined.day
        left join duplicates on days.day is not distinct from duplicates.day
        """
    )


def _make_pseudonyms(reader: LineReader, personal: Sequence[str], pseudonym_key: str) -> None:
    """Make `pseudonyms`: each id once, since to hash costs more than to look up."""
    ids = " union ".join(f"select {column} as id from {reader.name}_records" for column in personal)
    reader.connection.execute(
        f"""
        create or replace temp table {reader.name}_pseudonyms as
        select id, {pseudonym_sql("id")} as pseudonym from ({ids}) where id is not null
        """,
        pseudonym_parameters(pseudonym_key),
    )


def _accepted(reader: LineReader, dataset: Dataset, personal: Sequence[str], extracted_at: datetime) -> str:
    """The query for the records that stay, with the dataset's columns."""
    name, identity = reader.name, reader.identity
    now = extracted_at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
    values = {column: f"records.{column}" for column in dataset.columns}
    values |= {"source_path": "files.source_path", "extracted_at": f"timestamp '{now}'"}
    values |= {column: f"{column}s.pseudonym" for column in personal}
    if dataset.partitioned:
        values["day"] = "records.day"
    columns = ", ".join(f"{value} as {column}" for column, value in values.items())
    pseudonyms = "".join(
        f" left join {name}_pseudonyms as {column}s on records.{column} = {column}s.id" for column in personal
    )
    return f"""
        select {columns}
        from (
            select records.*
            from {name}_records as records
            anti join {name}_repeated as repeated
                on records.{identity} = repeated.{identity}
                and records.day is not distinct from repeated.day
            union all
            select * from {name}_winners
        ) as records
        inner join {name}_files as files on records.file_id = files.file_id
        {pseudonyms}
    """


@contextmanager
def _redaction(connection: duckdb.DuckDBPyConnection, pseudonym_key: str) -> Iterator[None]:
    """Lends the connection the function `without_personal_ids`, which knows the key by itself."""

    def redacted(text: str) -> str:
        return without_personal_ids(pseudonym_key, text)

    connection.create_function("without_personal_ids", redacted, ["VARCHAR"], "VARCHAR")
    try:
        yield
    finally:
        connection.remove_function("without_personal_ids")

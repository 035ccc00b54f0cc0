"""From the tables of a reading line by line to the extraction that is handed over.

Belongs here: the day on which each record counts, and the counts. Not here: how lines become
tables (`line_records.py`), which files are read (`readers.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from engagement_assets.contracts.extraction import Extraction
from engagement_assets.extract.lines.line_records import LineRecords
from engagement_assets.extract.reading import Reading


@dataclass(frozen=True, kw_only=True)
class Placement:
    """The days on which records count: `days` are those handed over, a single None for a dataset without days.

    `homes` maps the key of each file to the day of its lines that name none. `refused` maps the key of each file that
    was not opened to a reason code and a message; it is one rejected record.
    """

    days: Sequence[date | None]
    homes: Mapping[str, date | None]
    refused: Mapping[str, tuple[str, str]]


def extraction_of(reader: LineRecords, reading: Reading, placement: Placement, *, last_path_wins: bool) -> Extraction:
    """Judge what `reader` has read, and hand it over day by day; see `LineRecords` for which of several copies wins."""
    dataset, name = reader.dataset, reader.name
    reader.judge_irregular_lines()
    reader.find_winners_and_rejected(last_path_wins=last_path_wins)
    _place(reader, placement)
    _count(reader)
    return Extraction(
        accepted={dataset.key: _accepted(reader, reading.extracted_at)},
        rejected=f"select '{dataset.key}' as dataset, * exclude (file_id, line_bytes) from {name}_quarantine",
        counts=f"select * from {name}_counts",
        unknown_fields=f"""
            select '{dataset.key}' as dataset, day, field, count(*) as records
            from (
                select day, unnest(json_keys(_extra)) as field
                from {name}_irregular where rejection is null
            )
            group by day, field
        """,
        files_read=tuple(dict.fromkeys(_keys(reader, placement))),
        files_not_opened=tuple(placement.refused),
        copies={
            dataset.key: _rows(reader, reading.extracted_at, f"select * from {reader.name}_copies", ", records.place")
        },
    )


def _keys(reader: LineRecords, placement: Placement) -> list[str]:
    """The keys of files by their ids: first those that were read, then those that were refused."""
    return [*(file.key for file in reader.prepared.files), *placement.refused]


def _place(reader: LineRecords, placement: Placement) -> None:
    """Make `days`, `homes` and `quarantine`: the rejected records of the days."""
    connection, name = reader.connection, reader.name
    connection.execute(
        f"create or replace temp table {name}_days as select unnest($days::date[]) as day",
        {"days": list(placement.days)},
    )
    keys = _keys(reader, placement)
    no_reasons = [(None, None)] * len(reader.prepared.files)
    reason_codes, messages = zip(*no_reasons, *placement.refused.values(), strict=True) if keys else ((), ())
    connection.execute(
        f"""
        create or replace temp table {name}_homes as
        select
            unnest(range(len($keys)))::bigint as file_id, unnest($keys::varchar[]) as source_path,
            unnest($homes::date[]) as home, unnest($reason_codes::varchar[]) as reason_code,
            unnest($messages::varchar[]) as message
        """,
        {
            "keys": keys,
            "homes": [placement.homes.get(key) for key in keys],
            "reason_codes": reason_codes,
            "messages": messages,
        },
    )
    connection.execute(
        f"""
        create or replace temp table {name}_quarantine as
        with

        rejected as (
            select * from {name}_rejected
            union all by name
            select file_id, reason_code, message
            from {name}_homes where reason_code is not null
        ),

        placed as (
            select rejected.* replace (coalesce(rejected.day, homes.home) as day), homes.source_path
            from rejected
            inner join {name}_homes as homes on rejected.file_id = homes.file_id
        )

        select placed.*
        from placed
        semi join {name}_days as days on placed.day is not distinct from days.day
        """
    )


def _count(reader: LineRecords) -> None:
    """Make `counts`. The records read are counted from the lines themselves, not from what became of them."""
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
            select file_id, cast(null as date), 0 from {name}_homes where reason_code is not null
        ),

        read as (
            select
                coalesce(found.day, homes.home) as day, count(distinct homes.source_path) as files,
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
            '{reader.dataset.key}' as dataset,
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


def _accepted(reader: LineRecords, extracted_at: datetime) -> str:
    """The query for the records that stay, with the dataset's columns."""
    name, identity = reader.name, reader.identity
    return _rows(
        reader,
        extracted_at,
        f"""
            select records.*
            from {name}_records as records
            anti join {name}_repeated as repeated
                on records.{identity} = repeated.{identity}
                and records.day is not distinct from repeated.day
            union all
            select * from {name}_winners
        """,
    )


def _rows(reader: LineRecords, extracted_at: datetime, records: str, more: str = "") -> str:
    """The query for these records with the dataset's columns, and with the columns `more`."""
    dataset = reader.dataset
    now = extracted_at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
    values = {column: f"records.{column}" for column in dataset.columns}
    values |= {"source_path": "files.source_path", "extracted_at": f"timestamp '{now}'"}
    if dataset.partitioned:
        values["day"] = "records.day"
    columns = ", ".join(f"{value} as {column}" for column, value in values.items())
    return f"""
        select {columns}{more}
        from ({records}) as records
        inner join {reader.name}_files as files on records.file_id = files.file_id
    """

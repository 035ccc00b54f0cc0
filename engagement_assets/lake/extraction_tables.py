"""What an extraction returns beside its rows, kept as temporary tables of the load.

Belongs here: `load_rejects`, `load_counts`, `load_unknown_fields`, `load_placeholders`, `load_files_read` and
`load_files_there`, the check that they name only days of the load, and reading them. Not here: what becomes of them
(see `lake/load.py`).
"""

from collections.abc import Mapping, Sequence
from datetime import date

import duckdb

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import MAX_FIELD_NAMES, MAX_NAME, OTHER_FIELDS, Extraction
from engagement_assets.lake.day_files import rows_of, sql_text
from engagement_assets.lake.lake import WHOLE_DATASET_DAY
from engagement_assets.lake.record_columns import QUARANTINE_COLUMNS
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.privacy.rejected import record_hash_sql

# A dataset without days comes without a day.
_DAY = f"coalesce(day, date '{WHOLE_DATASET_DAY}') as day"

# Per dataset key and day: a name → how many records.
RecordsByName = dict[str, dict[date, dict[str, int]]]


def keep_extraction(
    connection: duckdb.DuckDBPyConnection,
    extraction: Extraction,
    run_id: str,
    now: str,
) -> None:
    """Make the tables of a protected extraction; `now` is the time of the load as an SQL literal.

    Each dataset and day keeps the names of the `MAX_FIELD_NAMES` fields with the most records, cut to `MAX_NAME`; the
    others are counted together as `OTHER_FIELDS`.
    """
    connection.execute(
        f"""
        create temp table load_rejects as
        select
            dataset as dataset_key,
            {_DAY},
            split_part(dataset, '/', 1)[5:] as source,
            split_part(dataset, '/', 2) as dataset,
            source_path,
            position,
            raw_text,
            header,
            has_pseudonyms,
            record,
            record_hash,
            reason_code,
            message,
            {sql_text(run_id)} as run_id,
            {now} as quarantined_at,
            {now} as first_quarantined_at
        from ({extraction.rejected})
        """
    )
    for table, files in (
        ("load_files_read", extraction.files_read),
        (
            "load_files_there",
            {*extraction.files_read, *extraction.files_there}.difference(extraction.files_not_opened),
        ),
    ):
        connection.execute(
            f"create temp table {table} as select unnest($files::varchar[]) as source_path", {"files": list(files)}
        )
    connection.execute(
        f"""
        create temp table load_counts as
        select dataset as dataset_key, {_DAY}, files, bytes, records_read, duplicates, coalesce(erased, 0) as erased
        from (
            select null::bigint as erased where false
            union all by name
            select * from ({extraction.counts})
        )
        """
    )
    for table, query in (
        ("load_unknown_fields", extraction.unknown_fields),
        ("load_placeholders", extraction.placeholders),
    ):
        connection.execute(
            f"""
            create temp table {table} as
            select dataset, day, case when place <= {MAX_FIELD_NAMES} then field else '{OTHER_FIELDS}' end as field,
                cast(sum(records) as bigint) as records
            from (
                select *, dense_rank() over (partition by dataset order by records_of_load desc, field) as place
                from (
                    select *, sum(records) over (partition by dataset, field) as records_of_load
                    from (
                        select dataset, {_DAY}, left(field, {MAX_NAME}) as field, sum(records) as records
                        from ({query})
                        group by all
                    )
                )
            )
            group by all
            """
        )


def keep_first_times(
    connection: duckdb.DuckDBPyConnection, quarantines: Mapping[str, Sequence[str]], policy: PrivacyPolicy
) -> None:
    """Give the rejected records the times at which they first came into quarantine.

    `quarantines` are the quarantine files of the load's days, per dataset key, and `policy` is what protects the load.
    A record is recognised by its file and its hash; a service's record by its hash alone, since each run names its
    pages anew. A record that an older version quarantined has no hash, and is recognised by that of its text, or by its
    file and position. It may have no first time either; the time of its load is used instead.
    """
    for dataset_key, quarantine in quarantines.items():
        if not quarantine:
            continue
        known = f"""
            select
                *, coalesce(first_quarantined_at, quarantined_at) as first_time,
                case when contains(source_path, '/') then source_path end as file,
                case
                    when record is null then {record_hash_sql(connection, "sha256(raw_text)", policy)}
                    else record_hash
                end as known_hash
            from {rows_of(quarantine, QUARANTINE_COLUMNS)}
        """
        for names, condition, is_same in (
            (
                "day, file, known_hash",
                "known_hash is not null",
                "new.record_hash = known.known_hash and (known.file is null or new.source_path = known.file)",
            ),
            (
                "day, file, position",
                "file is not null and (known_hash is null or record is null)",
                "new.source_path = known.file and new.position is not distinct from known.position "
                "and new.first_quarantined_at = new.quarantined_at",
            ),
        ):
            connection.execute(
                f"""
                update load_rejects as new
                set first_quarantined_at = known.first_time
                from (
                    select {names}, min(first_time) as first_time from ({known}) where {condition} group by all
                ) as known
                where new.dataset_key = '{dataset_key}' and new.day = known.day and {is_same}
                """
            )


def unknown_fields(connection: duckdb.DuckDBPyConnection) -> RecordsByName:
    """Per dataset and day: the fields that no contract names, and how many records hold each."""
    return _by_dataset_and_day(connection, "select dataset, day, field, records from load_unknown_fields order by all")


def placeholders(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> dict[str, int]:
    """Per field: how many of its values were what a device writes for "none", and became NULL."""
    rows = connection.execute(
        "select field, sum(records)::bigint from load_placeholders where dataset = $key group by all order by all",
        {"key": dataset.key},
    ).fetchall()
    return dict(rows)


def reject_reasons(connection: duckdb.DuckDBPyConnection) -> RecordsByName:
    """Per dataset and day: why records of the load could not be used, and how many."""
    return _by_dataset_and_day(
        connection, "select dataset_key, day, reason_code, count(*) from load_rejects group by all order by all"
    )


def _by_dataset_and_day(connection: duckdb.DuckDBPyConnection, query: str) -> RecordsByName:
    found: RecordsByName = {}
    for key, day, name, records in connection.execute(query).fetchall():
        found.setdefault(key, {}).setdefault(day, {})[name] = records
    return found


def reject_places(connection: duckdb.DuckDBPyConnection, dataset: Dataset, day: date, places: int) -> list[str]:
    """Where the first rejected records of a day were found: file and line, or page and index."""
    rows = connection.execute(
        """
        select source_path || coalesce(':' || position, '') as place from load_rejects
        where dataset_key = $key and day = $day
        order by source_path, position nulls first
        limit $places
        """,
        {"key": dataset.key, "day": day, "places": places},
    ).fetchall()
    return [place for (place,) in rows]


def first_reject(connection: duckdb.DuckDBPyConnection, dataset: Dataset, day: date) -> tuple[str, str]:
    """Where the first rejected record of a day was found, and its message; the day must have one."""
    ((place, message),) = connection.execute(
        """
        select source_path || coalesce(':' || position, ''), message from load_rejects
        where dataset_key = $key and day = $day
        order by source_path, position nulls first
        limit 1
        """,
        {"key": dataset.key, "day": day},
    ).fetchall()
    return place, message


def refuse_strays(connection: duckdb.DuckDBPyConnection, datasets: Sequence[Dataset], days: Sequence[date]) -> None:
    """Fail on rejects and counts that belong to no dataset and day of the load: they would be lost without a trace.

    Raises:
        ValueError: there are some.
    """
    keys = [dataset.key for dataset in datasets]
    strays = connection.execute(
        """
        select distinct dataset_key, day
        from (
            select dataset_key, day from load_rejects
            union all
            select dataset_key, day from load_counts
        )
        where
            dataset_key is null
            or dataset_key not in (select unnest($keys::varchar[]))
            or day not in (select unnest($days::date[]))
        order by all
        """,
        {"keys": keys, "days": list(days)},
    ).fetchall()
    if strays:
        found = ", ".join(f"{key} of {day}" for key, day in strays[:5])
        raise ValueError(
            f"rejects or counts were returned for {found}; expected only {', '.join(keys)} from "
            f"{days[0]} to {days[-1]}. The extractor must count them under a day of the window"
        )

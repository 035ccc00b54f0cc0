"""The records that loads keep of themselves, and what later loads read of them.

Belongs here: the rows of `records/loads` and `records/held`, and the history that checks compare with. Not here: what
becomes visible with them (see `lake/load.py`), or releasing a held day (see `lake/held_days.py`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.lake.day_files import rows_of, sql_text
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.lake.record_columns import HELD_COLUMNS, LOAD_COLUMNS
from engagement_assets.sources import RAW_DATASETS

Record = Mapping[str, Any]
# The status of what an erasure records of a day that it has rewritten.
ERASED = "erased"
_SEPARATOR = ", "
# What a load that finds the same again has found of a day.
_COUNTS = ("records_read", "accepted", "quarantined", "duplicates", "erased")
_DATASETS_BY_KEY = {dataset.key: dataset for dataset in RAW_DATASETS}


@dataclass(frozen=True)
class DayCounts:
    """What a load found for one day of one dataset.

    `staged_rows` are those of the day's file; in an event log also rows of earlier loads.
    """

    dataset: str
    day: date
    files: int
    bytes: int
    records_read: int
    accepted: int
    quarantined: int
    duplicates: int
    staged_rows: int
    erased: int = 0

    @property
    def unaccounted(self) -> int:
        """Records that were read and then lost: must be 0."""
        return self.records_read - self.accepted - self.quarantined - self.duplicates - self.erased


@dataclass(frozen=True)
class Release:
    """Why somebody released a day, and which checks it had failed, as `dataset.check`."""

    reason: str
    failed_checks: frozenset[str]


@dataclass(frozen=True)
class PublishedDay:
    """What the newest load that published a day found.

    `release` is the last one of the day, unless a load with other counts has published the day since.
    """

    loaded_at: datetime
    records_read: int
    accepted: int
    quarantined: int
    duplicates: int
    rows_in_day: int
    erased: int = 0
    release: Release | None = None


@dataclass(frozen=True)
class LoadHistory:
    """What earlier loads of one name published.

    `days` are per dataset key; a dataset without days has the days on which it was loaded. `unknown_fields` are, per
    dataset key, the fields that these loads have met and no contract names.
    """

    days: Mapping[str, Mapping[date, PublishedDay]]
    unknown_fields: Mapping[str, frozenset[str]]

    def newest(self, dataset: Dataset, day: date) -> PublishedDay | None:
        """What these loads have published of a day; a dataset without days ignores `day`."""
        days = self.days.get(dataset.key, {})
        if dataset.partitioned:
            return days.get(day)
        return max(days.values(), key=lambda published: published.loaded_at, default=None)


def day_records(
    counts: Sequence[DayCounts],
    unknown_fields: Mapping[str, Mapping[date, Mapping[str, int]]],
    held: Mapping[date, Collection[str]],
) -> list[Record]:
    """One record per dataset and day of a load, without the columns that all records of the load share."""
    return [
        {
            "source": _DATASETS_BY_KEY[of_day.dataset].source,
            "dataset": _DATASETS_BY_KEY[of_day.dataset].name,
            "partition_date": partition_date(of_day.day),
            "status": "held" if of_day.day in held else "published",
            "failed_checks": _SEPARATOR.join(sorted(held.get(of_day.day, ()))) or None,
            "unknown_fields": _SEPARATOR.join(unknown_fields.get(of_day.dataset, {}).get(of_day.day, {})) or None,
            "files": of_day.files,
            "bytes": of_day.bytes,
            "records_read": of_day.records_read,
            "accepted": of_day.accepted,
            "quarantined": of_day.quarantined,
            "duplicates": of_day.duplicates,
            "rows_in_day": of_day.staged_rows,
            "erased": of_day.erased,
        }
        for of_day in counts
    ]


def held_day_records(
    records: Sequence[Record],
    held: Mapping[date, Mapping[str, str]],
    earlier: Mapping[date, Sequence[Record]],
    load: Record,
) -> list[Record]:
    """The records of held days, with the `day`, from those of the load.

    Args:
        records: Those of all days of the load.
        held: What failed of each held day: a check's name → its sentence.
        earlier: The records of days that were held before: they keep the time since which they are held.
        load: What the records share.
    """
    held_records_of_load: list[Record] = []
    for record in records:
        day = record["partition_date"] or WHOLE_DATASET_DAY
        if day in held:
            reason = "; ".join(held[day][check] for check in sorted(held[day]))
            since = min((item["held_since"] for item in earlier.get(day, ())), default=load["held_at"])
            held_records_of_load.append({**record, **load, "day": day, "reason": reason, "held_since": since})
    return held_records_of_load


def keep_records(connection: duckdb.DuckDBPyConnection, columns: Mapping[str, str], records: Sequence[Record]) -> None:
    """Make the temporary table `records_to_write`; a column missing from a record is NULL."""
    values = ", ".join(
        f"unnest(${number}::{kind}[]) as {name}" for number, (name, kind) in enumerate(columns.items(), start=1)
    )
    by_column = [[record.get(name) for record in records] for name in columns]
    connection.execute(f"create or replace temp table records_to_write as select {values}", by_column)


def write_records(
    connection: duckdb.DuckDBPyConnection,
    columns: Mapping[str, str],
    records: Sequence[Record],
    path: Path,
    earlier: Sequence[str],
) -> None:
    """Write records to a Parquet file, after those of the files `earlier`."""
    keep_records(connection, columns, records)
    connection.execute(
        f"""
        copy (
            select {", ".join(columns)} from {rows_of(earlier, columns)}
            union all
            select * from records_to_write
        ) to {sql_text(str(path))} (format parquet)
        """
    )


def held_records(
    connection: duckdb.DuckDBPyConnection, lake: Lake, name: str, days: Sequence[date]
) -> dict[date, list[dict[str, Any]]]:
    """The records of the held ones of `days`, one per dataset."""
    files = lake.present(lake.held_record_key(name, day) for day in days)
    rows = connection.execute(
        f"select day, {', '.join(HELD_COLUMNS)} from {rows_of(files, HELD_COLUMNS)} order by day, dataset"
    ).fetchall()
    by_day: dict[date, list[dict[str, Any]]] = {}
    for day, *values in rows:
        by_day.setdefault(day, []).append(dict(zip(HELD_COLUMNS, values, strict=True)))
    return by_day


def read_history(connection: duckdb.DuckDBPyConnection, lake: Lake, name: str, since: date) -> LoadHistory:
    """What loads called `name` have published of the days from `since` on, and what erasures have left of it.

    No day is loaded before it begins, so older records need not be opened.
    """
    loads = rows_of(lake.loads_files(name, since), LOAD_COLUMNS)
    published = (
        f"(select * replace (coalesce(erased, 0) as erased) from {loads} where status in ('published', '{ERASED}'))"
    )
    releases = _releases(connection, published)
    measures = [name for name in PublishedDay.__dataclass_fields__ if name not in {"loaded_at", "release"}]
    rows = connection.execute(
        f"""
        select
            'raw_' || source || '/' || dataset as dataset_key,
            partition_date,
            coalesce(partition_date, day) as counted_day,
            max(loaded_at),
            {", ".join(f"arg_max_null({name}, loaded_at)" for name in measures)}
        from {published}
        group by all
        """
    ).fetchall()
    days: dict[str, dict[date, PublishedDay]] = {}
    for key, partition, day, loaded_at, *values in rows:
        found = PublishedDay(loaded_at, *values)
        released = releases.get((key, partition))
        if released and released[1] == counts_of(found):
            found = replace(found, release=released[0])
        days.setdefault(key, {})[day] = found
    fields = connection.execute(
        f"""
        select distinct 'raw_' || source || '/' || dataset, unknown_fields
        from {published}
        where unknown_fields is not null
        """
    ).fetchall()
    unknown: dict[str, set[str]] = {}
    for key, names in fields:
        unknown.setdefault(key, set()).update(names.split(_SEPARATOR))
    return LoadHistory(days, {key: frozenset(names) for key, names in unknown.items()})


def _releases(
    connection: duckdb.DuckDBPyConnection, published: str
) -> dict[tuple[str, date | None], tuple[Release, list[int]]]:
    """The last release of each dataset and day, with the counts of what was released."""
    rows = connection.execute(
        f"""
        select
            'raw_' || source || '/' || dataset,
            partition_date,
            arg_max([release_reason, failed_checks], loaded_at),
            arg_max([{", ".join(_COUNTS)}], loaded_at)
        from {published}
        where release_reason is not null
        group by all
        """
    ).fetchall()
    return {
        (key, day): (Release(reason, frozenset((checks or "").split(_SEPARATOR))), counts)
        for key, day, (reason, checks), counts in rows
    }


def counts_of(found: DayCounts | PublishedDay) -> list[int]:
    """What a load that finds the same again counts again."""
    return [getattr(found, name) for name in _COUNTS]


def partition_date(day: date) -> date | None:
    """The day as records have it: None for a dataset without days."""
    return None if day == WHOLE_DATASET_DAY else day

"""What loads write down about themselves, and what a later load reads of it.

Belongs here: the rows of `records/loads` and `records/held`, and the history that checks compare with. Not here: what
becomes visible with them (see `lake/load.py`), or letting a held day go (see `lake/held_days.py`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from engagement_assets.contracts.datasets import RAW_DATASETS, Dataset
from engagement_assets.lake.day_files import rows_of, sql_text
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.lake.record_columns import HELD_COLUMNS, LOAD_COLUMNS

Record = Mapping[str, Any]
_FIELD_SEPARATOR = ", "
_DATASETS_BY_KEY = {dataset.key: dataset for dataset in RAW_DATASETS}


@dataclass(frozen=True)
class DayCounts:
    """What a load found for one day of one dataset.

    `staged_rows` is what the day's file holds, of an event log with the rows of earlier loads.
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

    @property
    def unaccounted(self) -> int:
        """Records that were read and are nowhere: must be 0."""
        return self.records_read - self.accepted - self.quarantined - self.duplicates


@dataclass(frozen=True)
class PublishedDay:
    """What the newest load that published a day found in it."""

    loaded_at: datetime
    records_read: int
    accepted: int
    quarantined: int
    duplicates: int
    rows_in_day: int
    release_reason: str | None


@dataclass(frozen=True)
class LoadHistory:
    """What earlier loads of one name published.

    `days` are per dataset key; a dataset without days has the days on which it was loaded. `unknown_fields` are the
    fields per dataset key that no contract names and that these loads have met.
    """

    days: Mapping[str, Mapping[date, PublishedDay]]
    unknown_fields: Mapping[str, frozenset[str]]

    def newest(self, dataset: Dataset, day: date) -> PublishedDay | None:
        """What the lake holds of a day, if these loads put it there; `day` says nothing of a dataset without days."""
        days = self.days.get(dataset.key, {})
        if dataset.partitioned:
            return days.get(day)
        return max(days.values(), key=lambda found: found.loaded_at, default=None)


def day_records(
    counts: Sequence[DayCounts],
    unknown_fields: Mapping[str, Mapping[date, Mapping[str, int]]],
    held: Mapping[date, Collection[str]],
) -> list[Record]:
    """One record per dataset and day of a load, without what the load as a whole adds to each."""
    return [
        {
            "source": _DATASETS_BY_KEY[found.dataset].source,
            "dataset": _DATASETS_BY_KEY[found.dataset].name,
            "partition_date": partition_date(found.day),
            "status": "held" if found.day in held else "published",
            "failed_checks": ", ".join(sorted(held.get(found.day, ()))) or None,
            "unknown_fields": _FIELD_SEPARATOR.join(unknown_fields.get(found.dataset, {}).get(found.day, {})) or None,
            "files": found.files,
            "bytes": found.bytes,
            "records_read": found.records_read,
            "accepted": found.accepted,
            "quarantined": found.quarantined,
            "duplicates": found.duplicates,
            "rows_in_day": found.staged_rows,
        }
        for found in counts
    ]


def held_day_records(
    records: Sequence[Record],
    held: Mapping[date, Mapping[str, str]],
    known: Mapping[date, Sequence[Record]],
    load: Record,
) -> list[Record]:
    """The records of a load that are of held days, as records of held days, with the `day`.

    Args:
        records: Those of all days of the load.
        held: What failed of each held day: a check's name → its sentence.
        known: What is written down of days that have been held before: the time since which they are stays.
        load: What the records share.
    """
    found: list[Record] = []
    for record in records:
        day = record["partition_date"] or WHOLE_DATASET_DAY
        if day in held:
            reason = "; ".join(held[day][check] for check in sorted(held[day]))
            since = min((item["held_since"] for item in known.get(day, ())), default=load["held_at"])
            found.append({**record, **load, "day": day, "reason": reason, "held_since": since})
    return found


def keep_records(connection: duckdb.DuckDBPyConnection, columns: Mapping[str, str], records: Sequence[Record]) -> None:
    """Make the temporary table `records_to_write`; a column that a record lacks is NULL."""
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
    """What is written down of the held ones among `days`: a record per dataset."""
    keys = (lake.held_record_key(name, day) for day in days)
    files = [lake.location(key) for key in keys if lake.exists(key)]
    rows = connection.execute(
        f"select day, {', '.join(HELD_COLUMNS)} from {rows_of(files, HELD_COLUMNS)} order by day, dataset"
    ).fetchall()
    found: dict[date, list[dict[str, Any]]] = {}
    for day, *values in rows:
        found.setdefault(day, []).append(dict(zip(HELD_COLUMNS, values, strict=True)))
    return found


def read_history(connection: duckdb.DuckDBPyConnection, lake: Lake, name: str, since: date) -> LoadHistory:
    """What loads called `name` have published of the days from `since` on.

    No day is loaded before it begins, so that older records need not be opened.
    """
    loads = rows_of(lake.loads_files(name, since), LOAD_COLUMNS)
    published = f"(select * from {loads} where status = 'published')"
    measures = [name for name in PublishedDay.__dataclass_fields__ if name != "loaded_at"]
    rows = connection.execute(
        f"""
        select
            'raw_' || source || '/' || dataset as dataset_key,
            coalesce(partition_date, day) as counted_day,
            max(loaded_at),
            {", ".join(f"arg_max_null({name}, loaded_at)" for name in measures)}
        from {published}
        group by all
        """
    ).fetchall()
    days: dict[str, dict[date, PublishedDay]] = {}
    for key, day, loaded_at, *values in rows:
        days.setdefault(key, {})[day] = PublishedDay(loaded_at, *values)
    fields = connection.execute(
        f"""
        select distinct 'raw_' || source || '/' || dataset, unknown_fields
        from {published}
        where unknown_fields is not null
        """
    ).fetchall()
    unknown: dict[str, set[str]] = {}
    for key, names in fields:
        unknown.setdefault(key, set()).update(names.split(_FIELD_SEPARATOR))
    return LoadHistory(days, {key: frozenset(names) for key, names in unknown.items()})


def partition_date(day: date) -> date | None:
    """The day as records have it: none for a dataset without days."""
    return None if day == WHOLE_DATASET_DAY else day

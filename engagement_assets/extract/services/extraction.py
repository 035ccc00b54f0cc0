"""From the records of a service's pages to the extraction that is handed over.

Belongs here: rows on disk by the thousand, so that memory does not grow; which of several records with one
identity stays; the counts. Not here: what a record means and which days count (the source's own module).
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import MAX_FIELD_NAMES, MAX_NAME, OTHER_FIELDS, Extraction
from engagement_assets.extract.services.records import BadValueError, ReadRecord, Value

MAX_RAW_TEXT = 100_000

_ROWS_IN_MEMORY = 1_000

_ARROW_TYPES: Mapping[str, pa.DataType] = {
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
}
_REJECTED = {
    "day": "DATE",
    "source_path": "VARCHAR",
    "position": "BIGINT",
    "raw_text": "VARCHAR",
    "reason_code": "VARCHAR",
    "message": "VARCHAR",
}


@dataclass
class ApiRows:
    """The records of one dataset, as the pages of a load bring them.

    After `finish` the connection has the temporary tables `<name>_accepted` (the dataset's columns, `position`, `day`;
    one row per identity), `<name>_rejected` and `<name>_counts`.
    """

    connection: duckdb.DuckDBPyConnection
    dataset: Dataset
    workdir: Path
    extracted_at: datetime
    _rows: list[dict[str, Value]] = field(default_factory=list, init=False)
    _parts: list[Path] = field(default_factory=list, init=False)
    _rejected_parts: list[Path] = field(default_factory=list, init=False)
    _rejected: list[dict[str, Value]] = field(default_factory=list, init=False)
    _quarantined: Counter[date] = field(default_factory=Counter, init=False)
    _right: Counter[date] = field(default_factory=Counter, init=False)
    _read: Counter[date] = field(default_factory=Counter, init=False)
    _pages: Counter[date] = field(default_factory=Counter, init=False)
    _bytes: Counter[date] = field(default_factory=Counter, init=False)
    _unknown: Counter[tuple[date, str]] = field(default_factory=Counter, init=False)
    _names: set[str] = field(default_factory=set, init=False)
    _placeholders: Counter[tuple[date, str]] = field(default_factory=Counter, init=False)
    _paths: list[str] = field(default_factory=list, init=False)

    @property
    def name(self) -> str:
        """How the temporary tables begin."""
        return self.dataset.key.replace("/", "_")

    @property
    def days_read(self) -> Collection[date]:
        """The days that have a record, right or not."""
        return self._read.keys()

    @property
    def now(self) -> datetime:
        """The time of the load as columns hold it: UTC, naive."""
        return self.extracted_at.astimezone(UTC).replace(tzinfo=None)

    def accept(self, page: str, position: int, day: date, record: ReadRecord) -> None:
        """Take a record that was found right."""
        self._read[day] += 1
        self._right[day] += 1
        self._unknown.update((day, name) for name in {self._told(name) for name in record.extra})
        self._placeholders.update((day, path) for path in record.placeholders)
        extra = msgspec.json.encode(record.extra, order="deterministic").decode() if record.extra else None
        self._rows.append(
            {
                **record.columns,
                "_extra": extra,
                "source_path": page,
                "extracted_at": self.now,
                "position": position,
                "day": day,
            }
        )
        self._write_many()

    def _told(self, name: str) -> str:
        """The name of a new field, cut, or what stands for all that are too many."""
        told = name[:MAX_NAME]
        if told not in self._names and len(self._names) == MAX_FIELD_NAMES:
            return OTHER_FIELDS
        self._names.add(told)
        return told

    def reject(self, page: str, position: int, day: date, record: Any, error: BadValueError) -> None:
        """Take a record that cannot be used."""
        self._read[day] += 1
        self._quarantined[day] += 1
        self._rejected.append(
            {
                "day": day,
                "source_path": page,
                "position": position,
                "raw_text": msgspec.json.encode(record).decode()[:MAX_RAW_TEXT],
                "reason_code": error.reason_code,
                "message": str(error),
            }
        )
        self._write_many()

    def end_page(self, page: str, days: Sequence[date], size: int) -> None:
        """Count the page as read for each of `days`, its bytes for the first."""
        self._paths.append(page)
        self._pages.update(days)
        self._bytes[days[0]] += size

    def _write_many(self) -> None:
        """Many rows go to disk: a page may have any number."""
        if len(self._rows) + len(self._rejected) >= _ROWS_IN_MEMORY:
            self._write_parts()

    def _write_parts(self) -> None:
        if self._rows:
            path = self.workdir / f"{self.name}-{len(self._parts):06d}.parquet"
            pq.write_table(_table({**self.dataset.columns, "position": "BIGINT", "day": "DATE"}, self._rows), path)
            self._parts.append(path)
            self._rows = []
        if self._rejected:
            path = self.workdir / f"{self.name}-rejected-{len(self._rejected_parts):06d}.parquet"
            pq.write_table(_table(_REJECTED, self._rejected), path)
            self._rejected_parts.append(path)
            self._rejected = []

    def finish(self, days: Sequence[date], winner_order: str, *, unique_within_day: bool) -> None:
        """Make the tables, with counts for `days`; `winner_order` puts the winner of one identity's records first."""
        self._write_parts()
        columns = [*self.dataset.columns, "position", "day"]
        types = {**self.dataset.columns, "position": "BIGINT", "day": "DATE"}
        (identity,) = self.dataset.identity
        key = f"day, {identity}" if unique_within_day else identity
        # In the end all columns decide, so that one input has one outcome.
        order = ", ".join([winner_order, *(f"{column} desc nulls last" for column in columns)])
        self.connection.execute(
            f"""
            create or replace temp table {self.name}_accepted as
            with

            found as (
                {_rows_of(self._parts, types)}
            ),

            repeated as (
                select {key} from found group by all having count(*) > 1
            )

            select * from found anti join repeated using ({key})
            union all
            select * from found semi join repeated using ({key})
            qualify row_number() over (partition by {key} order by {order}) = 1
            """
        )
        self.connection.execute(
            f"create or replace temp table {self.name}_rejected as {_rows_of(self._rejected_parts, _REJECTED)}"
        )
        counted = dict(
            self.connection.execute(f"select day, count(*) from {self.name}_accepted group by day").fetchall()
        )
        self._make(
            "counts",
            {
                "day": "DATE",
                **dict.fromkeys(("files", "bytes", "records_read", "quarantined", "duplicates"), "BIGINT"),
            },
            [
                {
                    "day": day,
                    "files": self._pages[day],
                    "bytes": self._bytes[day],
                    "records_read": self._read[day],
                    "quarantined": self._quarantined[day],
                    "duplicates": self._right[day] - counted.get(day, 0),
                }
                for day in days
            ],
        )

    def extraction(self) -> Extraction:
        """The queries over the tables."""
        columns = ", ".join([*self.dataset.columns, "day"])
        for table, found in (("unknown", self._unknown), ("placeholders", self._placeholders)):
            self._make(
                table,
                {"day": "DATE", "field": "VARCHAR", "records": "BIGINT"},
                [{"day": day, "field": name, "records": records} for (day, name), records in found.items()],
            )
        return Extraction(
            accepted={self.dataset.key: f"select {columns} from {self.name}_accepted"},
            rejected=f"select '{self.dataset.key}' as dataset, * from {self.name}_rejected",
            counts=f"select '{self.dataset.key}' as dataset, * from {self.name}_counts",
            unknown_fields=f"select '{self.dataset.key}' as dataset, * from {self.name}_unknown",
            files_read=tuple(self._paths),
            placeholders=f"select '{self.dataset.key}' as dataset, * from {self.name}_placeholders",
        )

    def _make(self, table: str, types: Mapping[str, str], rows: Sequence[Mapping[str, Value]]) -> None:
        self.connection.register("api_rows_handed_over", _table(types, rows))
        self.connection.execute(
            f"create or replace temp table {self.name}_{table} as select * from api_rows_handed_over"
        )
        self.connection.unregister("api_rows_handed_over")


def _rows_of(parts: Sequence[Path], types: Mapping[str, str]) -> str:
    """The rows of parts as a query; none without parts."""
    if not parts:
        return f"select {', '.join(f'null::{kind} as {column}' for column, kind in types.items())} where false"
    listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in parts)
    return f"select {', '.join(types)} from read_parquet([{listed}], hive_partitioning = false)"


def _table(types: Mapping[str, str], rows: Sequence[Mapping[str, Value]]) -> pa.Table:
    """Rows as columns of their types; a column that a row does not name is NULL."""
    return pa.table(
        {name: pa.array([row.get(name) for row in rows], type=_ARROW_TYPES[kind]) for name, kind in types.items()}
    )

"""From the records of a service's pages to the extraction that is handed over.

Belongs here: writing rows to disk in portions, so that memory does not grow; which of several records with one identity
wins; the counts. Not here: what a record means and which days count (the source's own module).
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from engagement_assets.contracts.datasets import Dataset, sql_columns
from engagement_assets.contracts.extraction import MAX_FIELD_NAMES, MAX_NAME, OTHER_FIELDS, DayWindow, Extraction
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
_REJECTED = sql_columns(
    "day DATE, source_path VARCHAR, position BIGINT, raw_text VARCHAR, record_hash VARCHAR, reason_code VARCHAR, "
    "message VARCHAR"
)
_COUNTS = sql_columns(
    "day DATE, files BIGINT, bytes BIGINT, records_read BIGINT, quarantined BIGINT, duplicates BIGINT"
)
_FIELDS = sql_columns("day DATE, field VARCHAR, records BIGINT")


@dataclass(frozen=True)
class ServiceReading:
    """What a load gives to the extractor of a service: the requested `window`, and where and when the load works.

    `connection` holds the tables that the returned queries read; `workdir` is an existing folder for rows.
    """

    connection: duckdb.DuckDBPyConnection
    window: DayWindow
    workdir: Path
    extracted_at: datetime
    progress: Callable[[str], None]

    @property
    def now(self) -> datetime:
        """The time of the load as columns hold it: UTC, naive."""
        return self.extracted_at.astimezone(UTC).replace(tzinfo=None)


@dataclass
class _Parts:
    """Rows of one kind: those in memory, and the Parquet files of the others."""

    prefix: Path
    types: Mapping[str, str]
    rows: list[Mapping[str, Value]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def write(self) -> None:
        if self.rows:
            self.paths.append(f"{self.prefix}-{len(self.paths):06d}.parquet")
            pq.write_table(_table(self.types, self.rows), self.paths[-1])
            self.rows = []

    def query(self) -> str:
        if not self.paths:
            return f"select {', '.join(f'null::{kind} as {name}' for name, kind in self.types.items())} where false"
        listed = ", ".join("'" + path.replace("'", "''") + "'" for path in self.paths)
        return f"select {', '.join(self.types)} from read_parquet([{listed}], hive_partitioning = false)"


class ApiRows:
    """The records of one dataset, as the pages of a load bring them.

    After `finish` the connection has the temporary tables `<name>_accepted` (the dataset's columns, `position`, `day`;
    one row per identity), `<name>_rejected`, `<name>_counts`, `<name>_unknown` and `<name>_placeholders`.
    """

    def __init__(self, reading: ServiceReading, dataset: Dataset) -> None:
        """Begin without records."""
        self.reading, self.dataset = reading, dataset
        self.name = dataset.key.replace("/", "_")
        prefix = reading.workdir / self.name
        self._accepted = _Parts(prefix, {**dataset.columns, "position": "BIGINT", "day": "DATE"})
        self._rejected = _Parts(prefix.with_name(f"{self.name}-rejected"), _REJECTED)
        self._read, self._usable, self._quarantined = Counter[date](), Counter[date](), Counter[date]()
        self._pages, self._bytes = Counter[date](), Counter[date]()
        self._unknown, self._placeholders = Counter[tuple[date, str]](), Counter[tuple[date, str]]()
        self._names: set[str] = set()
        self._paths: list[str] = []

    @property
    def days_read(self) -> Collection[date]:
        """The days that have a record, usable or not."""
        return self._read.keys()

    def accept(self, page: str, position: int, day: date, record: ReadRecord) -> None:
        """Take a usable record."""
        self._read[day] += 1
        self._usable[day] += 1
        self._unknown.update((day, name) for name in {self._counted_as(name) for name in record.extra})
        self._placeholders.update((day, path) for path in record.placeholders)
        self._accepted.rows.append(
            {
                **record.columns,
                "_extra": msgspec.json.encode(record.extra, order="deterministic").decode() if record.extra else None,
                "source_path": page,
                "extracted_at": self.reading.now,
                "position": position,
                "day": day,
            }
        )
        self._write_many()

    def _counted_as(self, name: str) -> str:
        """The name of an unknown field, cut; beyond a thousand names, one name for all others."""
        cut = name[:MAX_NAME]
        if cut not in self._names and len(self._names) == MAX_FIELD_NAMES:
            return OTHER_FIELDS
        self._names.add(cut)
        return cut

    def reject(self, page: str, position: int, day: date, record: Any, error: BadValueError) -> None:
        """Take a record that cannot be used."""
        self._read[day] += 1
        self._quarantined[day] += 1
        encoded = msgspec.json.encode(record)
        digest = hashlib.sha256(encoded).hexdigest()
        values = (day, page, position, encoded.decode()[:MAX_RAW_TEXT], digest, error.reason_code, str(error))
        self._rejected.rows.append(dict(zip(_REJECTED, values, strict=True)))
        self._write_many()

    def end_page(self, page: str, days: Sequence[date], size: int) -> None:
        """Count the page as read for each of `days`, its bytes for the first."""
        self._paths.append(page)
        self._pages.update(days)
        self._bytes[days[0]] += size

    def _write_many(self) -> None:
        """A page may have any number of records: many go to disk."""
        if len(self._accepted.rows) + len(self._rejected.rows) >= _ROWS_IN_MEMORY:
            self._accepted.write()
            self._rejected.write()

    def finish(self, days: Sequence[date], winner_order: str, *, unique_within_day: bool) -> Extraction:
        """Make the tables, with counts for `days`, and the queries over them.

        `winner_order` sorts the records of one identity, the winner first. Among equals their values decide, so that
        the outcome does not depend on the order in which the service lists them.
        """
        self._accepted.write()
        self._rejected.write()
        (identity,) = self.dataset.identity
        key = f"day, {identity}" if unique_within_day else identity
        connection, name = self.reading.connection, self.name
        connection.execute(
            f"""
            create or replace temp table {name}_repeated as
            select {key} from ({self._accepted.query()}) group by all having count(*) > 1
            """
        )
        ranked = f"""
            select *, row_number() over (partition by {key} order by {winner_order}, found) as place
            from ({self._accepted.query()}) as found
            semi join {name}_repeated as repeated using ({key})
        """
        connection.execute(
            f"""
            create or replace temp table {name}_accepted as
            select * from ({self._accepted.query()}) as found anti join {name}_repeated as repeated using ({key})
            union all
            select * exclude (place) from ({ranked}) where place = 1
            """
        )
        connection.execute(f"create or replace temp table {name}_rejected as {self._rejected.query()}")
        accepted = dict(connection.execute(f"select day, count(*) from {name}_accepted group by day").fetchall())
        duplicates = {day: self._usable[day] - accepted.get(day, 0) for day in days}
        counted = self._pages, self._bytes, self._read, self._quarantined, duplicates
        counts = [dict(zip(_COUNTS, (day, *(count[day] for count in counted)), strict=True)) for day in days]
        key, columns = self.dataset.key, ", ".join([*self.dataset.columns, "day"])
        return Extraction(
            accepted={key: f"select {columns} from {name}_accepted"},
            copies={key: f"select {columns}, place from ({ranked}) where place > 1"},
            rejected=f"select '{key}' as dataset, * from {name}_rejected",
            counts=self._make("counts", _COUNTS, counts),
            unknown_fields=self._make("unknown", _FIELDS, _by_field(self._unknown)),
            files_read=tuple(self._paths),
            placeholders=self._make("placeholders", _FIELDS, _by_field(self._placeholders)),
        )

    def _make(self, table: str, types: Mapping[str, str], rows: Sequence[Mapping[str, Value]]) -> str:
        """Make a temporary table of the rows; returns the query over it."""
        connection = self.reading.connection
        connection.register("api_rows", _table(types, rows))
        connection.execute(f"create or replace temp table {self.name}_{table} as select * from api_rows")
        connection.unregister("api_rows")
        return f"select '{self.dataset.key}' as dataset, * from {self.name}_{table}"


def _by_field(counter: Counter[tuple[date, str]]) -> list[Mapping[str, Value]]:
    return [{"day": day, "field": name, "records": records} for (day, name), records in counter.items()]


def _table(types: Mapping[str, str], rows: Sequence[Mapping[str, Value]]) -> pa.Table:
    """Rows as columns of their types; a column that a row does not name is NULL."""
    schema = pa.schema([(name, _ARROW_TYPES[kind]) for name, kind in types.items()])
    return pa.Table.from_pylist(rows, schema=schema)

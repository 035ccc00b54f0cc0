"""Loads made of rows that a test names, and what the lake holds after them.

Belongs here: extractions without a source, and reading the lake's files. Not here: what a test expects.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import DayWindow, Extraction
from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import Load, open_load

DAY_1, DAY_2, DAY_3 = date(2024, 3, 1), date(2024, 3, 2), date(2024, 3, 3)
FIRST_LOAD = datetime(2024, 6, 1, 12, 0, tzinfo=UTC)

Row = Mapping[str, Any]


def load_time(number: int) -> datetime:
    """When the load of that number runs; all on one day."""
    return FIRST_LOAD + timedelta(seconds=number)


def window(first: date, last: date | None = None) -> DayWindow:
    """The days from `first` to `last`, both inclusive; one day without `last`."""
    return DayWindow(first, (last or first) + timedelta(days=1))


@dataclass(frozen=True)
class Reject:
    """One record that could not be used."""

    dataset: Dataset
    day: date | None
    source_path: str
    position: int | None = None
    reason_code: str = "not_json"
    raw_text: str = "{"


@dataclass(frozen=True)
class Found:
    """What a source is pretended to hold; `read` defaults to all rows, rejects and duplicates."""

    rows: Mapping[Dataset, Sequence[Row]]
    rejects: Sequence[Reject] = ()
    duplicates: Mapping[tuple[Dataset, date | None], int] = field(default_factory=dict)
    read: Mapping[tuple[Dataset, date | None], int] = field(default_factory=dict)
    unknown_fields: Sequence[tuple[Dataset, date | None, str, int]] = ()
    files_read: tuple[str, ...] = ()
    files_not_opened: tuple[str, ...] = ()
    files_there: tuple[str, ...] = ()

    def extraction(self, extracted_at: datetime) -> Extraction:
        """The queries that an extractor would hand over."""
        now = extracted_at.replace(tzinfo=None)
        accepted = {}
        for dataset, rows in self.rows.items():
            types = {**dataset.columns, "day": "DATE"} if dataset.partitioned else dataset.columns
            accepted[dataset.key] = _query(types, [{**row, "extracted_at": now} for row in rows])
        return Extraction(
            accepted=accepted,
            rejected=_query(
                {
                    **dict.fromkeys(
                        ("dataset", "source_path", "raw_text", "record_hash", "reason_code", "message"), "VARCHAR"
                    ),
                    "day": "DATE",
                    "position": "BIGINT",
                },
                [
                    {
                        **vars(reject),
                        "dataset": reject.dataset.key,
                        "record_hash": hashlib.sha256(reject.raw_text.encode()).hexdigest(),
                        "message": "?",
                    }
                    for reject in self.rejects
                ],
            ),
            counts=_query(
                {
                    "dataset": "VARCHAR",
                    "day": "DATE",
                    **dict.fromkeys(("files", "bytes", "records_read", "quarantined", "duplicates"), "BIGINT"),
                },
                self._counts(),
            ),
            unknown_fields=_query(
                {"dataset": "VARCHAR", "day": "DATE", "field": "VARCHAR", "records": "BIGINT"},
                [
                    {"dataset": dataset.key, "day": day, "field": name, "records": records}
                    for dataset, day, name, records in self.unknown_fields
                ],
            ),
            files_read=self.files_read,
            files_not_opened=self.files_not_opened,
            files_there=self.files_there,
        )

    def _counts(self) -> list[Row]:
        rows = {(dataset, row.get("day")) for dataset, rows in self.rows.items() for row in rows}
        places = rows | {(reject.dataset, reject.day) for reject in self.rejects} | {*self.duplicates, *self.read}
        counts: list[Row] = []
        for dataset, day in places:
            accepted = sum(row.get("day") == day for row in self.rows.get(dataset, ()))
            quarantined = sum((reject.dataset, reject.day) == (dataset, day) for reject in self.rejects)
            duplicates = self.duplicates.get((dataset, day), 0)
            counts.append(
                {
                    "dataset": dataset.key,
                    "day": day,
                    "files": 1,
                    "bytes": 100,
                    "records_read": self.read.get((dataset, day), accepted + quarantined + duplicates),
                    "quarantined": quarantined,
                    "duplicates": duplicates,
                }
            )
        return counts


def event(event_id: str | None, day: date | None, source_path: str = "events.jsonl", **columns: Any) -> Row:
    """A row of the learning app's event log, which is append-only."""
    return {"event_id": event_id, "day": day, "source_path": source_path, **columns}


def event_reject(day: date | None, source_path: str, position: int) -> Reject:
    """A rejected line of a file of Lingokids events."""
    return Reject(LINGOKIDS_EVENTS, day, source_path, position)


def events(*rows: Row, **found: Any) -> Found:
    """What a source of nothing but events holds."""
    return Found({LINGOKIDS_EVENTS: rows}, **found)


def write(load: Load, found: Found, days: DayWindow | None) -> None:
    """Stage what was found."""
    load.stage(found.extraction(load.started_at), days)


def publish(lake: Lake, found: Found, days: DayWindow | None, number: int, **options: Any) -> None:
    """A whole load; `held` (the checks that failed, each of which says so), `name`, `take_over_held` can be given."""
    held: Mapping[date, Iterable[str]] = options.get("held", {})
    name = options.get("name", "source")
    with open_load(lake, name, run_id=f"run-{number}", started_at=load_time(number)) as load:
        load.stage(found.extraction(load.started_at), days, take_over_held=options.get("take_over_held", False))
        load.publish({day: {check: f"{check} failed" for check in checks} for day, checks in held.items()})


def published(lake: Lake, dataset: Dataset, *columns: str) -> list[tuple[Any, ...]]:
    """The day and `columns` of all rows that the lake holds, sorted."""
    return parquet_rows(Path(lake.uri), f"{dataset.key}/*/data.parquet", "day", *columns)


def quarantined(lake: Lake, *columns: str) -> list[tuple[Any, ...]]:
    """The day and `columns` of the quarantine, sorted."""
    return parquet_rows(Path(lake.uri), "records/rejected/*/*.parquet", "day", *columns)


def records(lake: Lake, *columns: str) -> list[tuple[Any, ...]]:
    """`columns` of the records of all loads, sorted."""
    return parquet_rows(Path(lake.uri), "records/loads/*/*.parquet", *columns)


def parquet_rows(folder: Path, pattern: str, *columns: str) -> list[tuple[Any, ...]]:
    """`columns` of all files that match, sorted; none when there is no such file."""
    files = [str(path) for path in folder.glob(pattern)]
    if not files:
        return []
    query = (
        f"select {', '.join(columns)} "
        "from read_parquet($files, hive_partitioning = true, hive_types = {'day': date}) order by all"
    )
    # The connection that the module keeps: opening another costs more than most tests.
    return duckdb.execute(query, {"files": files}).fetchall()


def files_below(folder: Path) -> list[str]:
    """All files below a folder by their paths in it, sorted; without locks, files without rows and the lake's mark."""
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in paths if not path.startswith((".locks/", "privacy/")) and "/empty-" not in path)


def _query(types: Mapping[str, str], rows: Sequence[Row]) -> str:
    columns = ", ".join(f"{name}::{kind} as {name}" for name, kind in types.items())
    if not rows:
        return f"select {columns} from (select {', '.join(f'null as {name}' for name in types)}) where false"
    # One list of values: a union of thousands of selects takes DuckDB minutes.
    values = ", ".join(f"({', '.join(_literal(row.get(name)) for name in types)})" for row in rows)
    return f"select {columns} from (values {values}) as found ({', '.join(types)})"


def _literal(value: object) -> str:
    if value is None:
        return "null"
    text = str(value).replace("'", "''")
    return f"'{text}'"

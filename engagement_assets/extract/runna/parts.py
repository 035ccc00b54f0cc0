"""Runna files in, Parquet parts out: how one process reads files in bulk.

Belongs here: batches of files, the parts and their columns. Not here: what a file means (`activity_files.py`), which
process reads it (`processes.py`), what happens to the parts (`runna/extraction.py`).
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engagement_assets.contracts.datasets import Dataset, sql_columns
from engagement_assets.contracts.quarantine import part_digest
from engagement_assets.extract.runna.activity_files import raw_text_of, read_activity
from engagement_assets.extract.runna.documents import Rejection, Row, UnusableRecordError
from engagement_assets.extract.runna.source import RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS, RUNNA_WORKOUT_STEPS

# The columns of so many files take about 10 MB, more if many files are rejected with their text.
_FILES_PER_ROW_GROUP = 1_000
_BYTES_PER_ROW_GROUP = 64 * 1024 * 1024
# More than any reader reads, so that the files of all readers have different numbers.
_FILES_PER_READER = 10**12


def _columns(dataset: Dataset, *first: str, left_out: tuple[str, ...] = (), **further: str) -> Mapping[str, str]:
    order = [*first, *(name for name in dataset.columns if name not in (*first, *left_out, "extracted_at"))]
    return MappingProxyType({"file": "BIGINT"} | {name: dataset.columns[name] for name in order} | further)


# What the parts hold besides the day, with the types of the lake: the columns of the datasets, but ids and paths only
# once, with the activity of the same `file`. The parts store numbers as DOUBLE, with NaN for a missing one, instants as
# epoch milliseconds and dates as text.
PART_COLUMNS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "activities": _columns(RUNNA_ACTIVITIES, laps_read="BIGINT", steps_read="BIGINT"),
        "laps": _columns(RUNNA_ACTIVITY_LAPS, "lap_index", "_extra", left_out=("activity_id", "source_path")),
        "steps": _columns(
            RUNNA_WORKOUT_STEPS, "step_index", "repeat_number", left_out=("activity_id", "workout_id", "source_path")
        ),
        "rejected": sql_columns(
            "dataset VARCHAR, position BIGINT, raw_text VARCHAR, reason_code VARCHAR, message VARCHAR, "
            "source_path VARCHAR, record_hash VARCHAR"
        ),
        "unknown_fields": sql_columns("dataset VARCHAR, field VARCHAR, records BIGINT"),
    }
)


class FileToRead(msgspec.Struct, frozen=True):
    """One landing file: its key, and where it can be read or why not (reason code and message)."""

    key: str
    path: str = ""
    refused: tuple[str, str] | None = None


class Batch(msgspec.Struct, frozen=True):
    """Files of one day that are read together."""

    day: date
    files: list[FileToRead]


class PartWriter:
    """Reads batches of files into the parts of one reader; made by `open_parts`."""

    def __init__(self, folder: Path, number: int, max_file_bytes: int) -> None:
        """Begin the parts."""
        self._max_file_bytes = max_file_bytes
        self._schemas = {part: _stored_schema(columns) for part, columns in PART_COLUMNS.items()}
        self._writers = {
            part: pq.ParquetWriter(
                part_path(folder, part, number),
                schema,
                compression="none",
                write_statistics=False,
                use_dictionary=[item.name for item in schema if item.type == pa.string()],
            )
            for part, schema in self._schemas.items()
        }
        self._gathered: dict[str, list[pa.RecordBatch]] = {part: [] for part in PART_COLUMNS}
        self._file = number * _FILES_PER_READER
        self._files = self._bytes = 0

    def read(self, batch: Batch) -> None:
        """Read the files of a batch; what cannot be used goes to the rejected part."""
        rows: dict[str, list[Row]] = {part: [] for part in PART_COLUMNS}
        unknown_fields: Counter[tuple[str, str]] = Counter()
        for file in batch.files:
            content: bytes | None = None
            try:
                self._file += 1
                content = _content_of(file, self._max_file_bytes)
                found = read_activity(content, self._file)
            except UnusableRecordError as error:
                text = None if content is None else raw_text_of(content)
                whole_file = Rejection(RUNNA_ACTIVITIES.key, None, text, error.reason_code, str(error))
                rows["rejected"] += _rejected([whole_file], file.key, content)
                continue
            rows["activities"].append((*found.activity, file.key, found.laps_read, found.steps_read))
            rows["laps"] += found.laps
            rows["steps"] += found.steps
            if found.rejected:
                rows["rejected"] += _rejected(found.rejected, file.key, content)
            unknown_fields.update(found.unknown_fields)
        rows["unknown_fields"] = [(*field, records) for field, records in unknown_fields.items()]
        for part, part_rows in rows.items():
            if part_rows:
                columns = _columns_of(part_rows, batch.day, self._schemas[part])
                self._gathered[part].append(columns)
                self._bytes += columns.nbytes
        self._files += len(batch.files)
        if self._files >= _FILES_PER_ROW_GROUP or self._bytes >= _BYTES_PER_ROW_GROUP:
            self.flush()

    def flush(self) -> None:
        """Write what has accumulated, as one row group of each part."""
        for part, gathered in self._gathered.items():
            if gathered:
                self._writers[part].write_table(pa.Table.from_batches(gathered).combine_chunks())
                gathered.clear()
        self._files = self._bytes = 0

    def close(self) -> None:
        """Close the parts, complete or not."""
        for writer in self._writers.values():
            writer.close()


@contextmanager
def open_parts(folder: Path, number: int, max_file_bytes: int) -> Iterator[PartWriter]:
    """Begin the parts `<folder>/<part>-<number>.parquet`, which are complete when the block ends."""
    with closing(PartWriter(folder, number, max_file_bytes)) as writer:
        yield writer
        writer.flush()


def part_path(folder: Path, part: str, number: int) -> Path:
    """Where the reader `number` writes a part."""
    return folder / f"{part}-{number}.parquet"


def too_large(size: int, limit: int) -> UnusableRecordError:
    """Why a file of `size` bytes is not read."""
    return UnusableRecordError("file_too_large", f"expected at most {limit:,} bytes, found {size:,}; it was not read")


def _content_of(file: FileToRead, max_bytes: int) -> bytes:
    if file.refused:
        raise UnusableRecordError(*file.refused)
    try:
        # Building a Path takes as long as flattening the steps does.
        with open(file.path, "rb", buffering=0) as content:  # noqa: PTH123
            size = os.fstat(content.fileno()).st_size
            if size > max_bytes:
                raise too_large(size, max_bytes)
            return content.readall()
    except (FileNotFoundError, PermissionError) as error:
        message = f"the file is listed but cannot be opened: {error.strerror}"
        raise UnusableRecordError("unreadable_file", message) from error


def _rejected(rejections: Sequence[Rejection], key: str, content: bytes | None) -> list[Row]:
    """The rows of the rejected part, of one file; `content` is None if it was not read."""
    digest = None if content is None else hashlib.sha256(content).hexdigest()
    return [
        (*astuple(item), key, None if digest is None else part_digest(digest, item.dataset, item.position))
        for item in rejections
    ]


def _columns_of(rows: list[Row], day: date, schema: pa.Schema) -> pa.RecordBatch:
    """The rows by columns, with the day as the last one.

    The arrays are built from buffers, because the first call of `pa.array` imports pandas: 0.3 s and 40 MB in each
    process.
    """
    arrays = [
        _texts(column) if kind == pa.string() else _numbers(column)
        for column, kind in zip(zip(*rows, strict=True), schema.types, strict=False)
    ]
    days = np.full(len(rows), np.datetime64(day, "D").astype(np.int32), np.int32)
    arrays.append(pa.Array.from_buffers(pa.date32(), len(rows), [None, pa.py_buffer(days)]))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _texts(column: Sequence[object]) -> pa.Array:
    if column.count(None) == len(column):
        return pa.nulls(len(column), pa.string())
    builder = pa.lib.StringBuilder()
    builder.append_values(column)
    return builder.finish()


def _numbers(column: Sequence[Any]) -> pa.Array:
    """Missing numbers become NaN, which no document can hold."""
    try:
        numbers = np.fromiter(column, np.float64, len(column))
    except TypeError:  # there is a None, which only the slower way accepts
        numbers = np.array(column, np.float64)
    return pa.Array.from_buffers(pa.float64(), len(numbers), [None, pa.py_buffer(numbers)])


def _stored_schema(columns: Mapping[str, str]) -> pa.Schema:
    numbers = {"BIGINT", "DOUBLE", "TIMESTAMP"}
    fields = [(name, pa.float64() if kind in numbers else pa.string()) for name, kind in columns.items()]
    return pa.schema([*fields, ("day", pa.date32())])

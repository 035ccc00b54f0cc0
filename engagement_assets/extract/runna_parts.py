"""Runna files in, Parquet parts out: reading files in bulk, here or in several processes.

Belongs here: batches of files, the columns of the parts, the processes (run as a module, this is
one of them). Not here: what a file means (`runna_activity_files.py`), which files there are and
what becomes of the parts (`runna.py`).
"""

import os
import selectors
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import astuple
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import IO, cast

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engagement_assets.extract.runna_activity_files import (
    MAX_RAW_TEXT_BYTES,
    clipped,
    read_activity,
)
from engagement_assets.extract.runna_documents import (
    ActivityRows,
    Rejection,
    Row,
    UnusableRecordError,
)
from engagement_assets.lake.datasets import (
    RUNNA_ACTIVITIES,
    RUNNA_ACTIVITY_LAPS,
    RUNNA_WORKOUT_STEPS,
    Dataset,
)

# The columns of so many files take about 10 MB, unless most of it is the text of rejected files.
_FILES_PER_ROW_GROUP = 1_000
_BYTES_PER_ROW_GROUP = 64 * 1024 * 1024
# More than any reader reads, so that the files of all readers have different numbers.
_FILES_PER_READER = 10**12
# One batch that a helper reads and two that lie ready for it, while this process reads its own.
_BATCHES_PER_HELPER = 3


def _columns(dataset: Dataset, *left_out: str, **further: str) -> Mapping[str, str]:
    left_out = ("extracted_at", *left_out)
    kept = {name: kind for name, kind in dataset.columns.items() if name not in left_out}
    return MappingProxyType({"file": "BIGINT"} | kept | further)


# What the parts hold besides the day, with the types of the lake: the datasets' own columns, but the
# ids and paths of laps and steps only once, with the activity of the same `file`. In the parts
# numbers lie as DOUBLE, with NaN for a missing one, instants as epoch milliseconds and dates as text.
PART_COLUMNS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "activities": _columns(RUNNA_ACTIVITIES, laps_read="BIGINT", steps_read="BIGINT"),
        "laps": _columns(RUNNA_ACTIVITY_LAPS, "activity_id", "source_path"),
        "steps": _columns(RUNNA_WORKOUT_STEPS, "activity_id", "workout_id", "source_path"),
        "rejected": MappingProxyType(
            {
                "dataset": "VARCHAR",
                "position": "BIGINT",
                "raw_text": "VARCHAR",
                "reason_code": "VARCHAR",
                "message": "VARCHAR",
                "source_path": "VARCHAR",
            }
        ),
        "unknown_fields": MappingProxyType(
            {"dataset": "VARCHAR", "field": "VARCHAR", "records": "BIGINT"}
        ),
    }
)


class FileToRead(msgspec.Struct, frozen=True):
    """One landing file: its key and where it can be read, or why not (reason code and message)."""

    key: str
    path: str = ""
    refused: tuple[str, str] | None = None


class Batch(msgspec.Struct, frozen=True):
    """Files of one day that are read in one go."""

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
                compression="lz4",
                write_statistics=False,
                use_dictionary=[item.name for item in schema if item.type == pa.string()],
            )
            for part, schema in self._schemas.items()
        }
        self._gathered: dict[str, list[pa.RecordBatch]] = {part: [] for part in PART_COLUMNS}
        self._file = number * _FILES_PER_READER
        self._files = 0
        self._bytes = 0

    def read(self, batch: Batch) -> None:
        """Read the files of a batch; what cannot be used goes to the rejected part."""
        rows: dict[str, list[Row]] = {part: [] for part in PART_COLUMNS}
        unknown_fields: Counter[tuple[str, str]] = Counter()
        for file in batch.files:
            try:
                self._file += 1
                found = _read_file(file, self._file, self._max_file_bytes)
            except UnusableRecordError as error:
                whole_file = Rejection(
                    RUNNA_ACTIVITIES.key, None, _beginning(file), error.reason_code, str(error)
                )
                rows["rejected"].append((*astuple(whole_file), file.key))
                continue
            counts = (found.laps_read, found.steps_read)
            rows["activities"].append((*found.activity, file.key, *counts))
            rows["laps"] += found.laps
            rows["steps"] += found.steps
            rows["rejected"] += [(*astuple(rejection), file.key) for rejection in found.rejected]
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
        """Write what has gathered, as one row group of each part."""
        for part, gathered in self._gathered.items():
            if gathered:
                self._writers[part].write_table(pa.Table.from_batches(gathered).combine_chunks())
                gathered.clear()
        self._files = 0
        self._bytes = 0

    def close(self) -> None:
        """Close the parts, whole or not."""
        for writer in self._writers.values():
            writer.close()


@contextmanager
def open_parts(folder: Path, number: int, max_file_bytes: int) -> Iterator[PartWriter]:
    """Begin the parts `<folder>/<part>-<number>.parquet`, which are whole when the block ends."""
    with closing(PartWriter(folder, number, max_file_bytes)) as writer:
        yield writer
        writer.flush()


def part_path(folder: Path, part: str, number: int) -> Path:
    """Where the reader `number` writes a part."""
    return folder / f"{part}-{number}.parquet"


def too_large(size: int, limit: int) -> UnusableRecordError:
    """Why a file of `size` bytes is not read."""
    return UnusableRecordError(
        "file_too_large", f"expected at most {limit:,} bytes, found {size:,}; it was not read"
    )


def _read_file(file: FileToRead, number: int, max_bytes: int) -> ActivityRows:
    if file.refused:
        raise UnusableRecordError(*file.refused)
    try:
        with Path(file.path).open("rb", buffering=0) as content:
            size = os.fstat(content.fileno()).st_size
            if size > max_bytes:
                raise too_large(size, max_bytes)
            data = content.readall()
    except (FileNotFoundError, PermissionError) as error:
        raise UnusableRecordError(
            "unreadable_file", f"the file is listed but cannot be opened: {error.strerror}"
        ) from error
    return read_activity(data, number)


def _beginning(file: FileToRead) -> str | None:
    """The beginning of a rejected file, if it may be opened."""
    if file.refused:
        return None
    try:
        with Path(file.path).open("rb") as content:
            return clipped(content.read(MAX_RAW_TEXT_BYTES))
    except (FileNotFoundError, PermissionError):
        return None


def _columns_of(rows: list[Row], day: date, schema: pa.Schema) -> pa.RecordBatch:
    """The rows by columns, with the day as the last one.

    The arrays are put together from buffers, because `pa.array` imports pandas when it is first
    called: 0.3 s and 40 MB in each process.
    """
    arrays = [
        _texts(column) if kind == pa.string() else _numbers(column)
        for column, kind in zip(zip(*rows, strict=True), schema.types, strict=False)
    ]
    days = np.full(len(rows), np.datetime64(day, "D").astype(np.int32), np.int32)
    arrays.append(pa.Array.from_buffers(pa.date32(), len(rows), [None, pa.py_buffer(days)]))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _texts(column: Sequence[object]) -> pa.Array:
    builder = pa.lib.StringBuilder()
    builder.append_values(column)
    return builder.finish()


def _numbers(column: Sequence[object]) -> pa.Array:
    """Missing numbers become NaN, which no document can hold."""
    numbers = np.array(column, dtype=np.float64)
    return pa.Array.from_buffers(pa.float64(), len(numbers), [None, pa.py_buffer(numbers)])


def _stored_schema(columns: Mapping[str, str]) -> pa.Schema:
    numbers = {"BIGINT", "DOUBLE", "TIMESTAMP"}
    fields = [
        (name, pa.float64() if kind in numbers else pa.string()) for name, kind in columns.items()
    ]
    return pa.schema([*fields, ("day", pa.date32())])


class HelperDiedError(RuntimeError):
    """A process that helps to read files ended before its work was done."""


def read_batches(
    batches: Iterator[Batch],
    helpers: int,
    folder: Path,
    max_file_bytes: int,
    done: Callable[[Batch], None],
) -> None:
    """Read all batches, here and in `helpers` more processes, each into its own parts.

    `done` is told of each batch that has been read.

    Raises:
        HelperDiedError: a helper ended before its work was done.
    """
    with ExitStack() as stack:
        busy = stack.enter_context(selectors.DefaultSelector())
        helping = [
            stack.enter_context(closing(_Helper(folder, number, max_file_bytes)))
            for number in range(1, helpers + 1)
        ]

        def hand_over(timeout: float | None) -> None:
            for key, _ in busy.select(timeout):
                helper: _Helper = key.data
                for batch in helper.take_answers():
                    done(batch)
                    helper.send(next(batches, None))
                if not helper.unanswered:
                    busy.unregister(helper.answers)

        for helper in helping:
            busy.register(helper.answers, selectors.EVENT_READ, helper)
            for _ in range(_BATCHES_PER_HELPER):
                helper.send(next(batches, None))
        with open_parts(folder, 0, max_file_bytes) as writer:
            for batch in batches:
                writer.read(batch)
                done(batch)
                hand_over(timeout=0)
        while busy.get_map():
            hand_over(timeout=None)
        for helper in helping:
            helper.finish()


class _Helper:
    """A process that runs `main`, and the batches that it has not answered yet.

    It is started by this module's name, because a `multiprocessing` child would first import the
    main module of this program: with Dagster that is seconds and 150 MB for each process.
    """

    def __init__(self, folder: Path, number: int, max_file_bytes: int) -> None:
        """Start the process."""
        self._log = folder / f"helper-{number}.log"
        arguments = [str(folder), str(number), str(max_file_bytes)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", __spec__.name, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self._batches = cast("IO[bytes]", self._process.stdin)
        self.answers = cast("IO[bytes]", self._process.stdout)
        self.unanswered: deque[Batch] = deque()

    def send(self, batch: Batch | None) -> None:
        """Give the process a batch, if there is one."""
        if batch is None:
            return
        self.unanswered.append(batch)
        try:
            self._batches.write(msgspec.json.encode(batch) + b"\n")
            self._batches.flush()
        except BrokenPipeError as error:
            raise self._death() from error

    def take_answers(self) -> list[Batch]:
        """The batches that the process has read since; waits for one at least."""
        answers = os.read(self.answers.fileno(), _BATCHES_PER_HELPER)
        if not answers:
            raise self._death()
        return [self.unanswered.popleft() for _ in answers]

    def finish(self) -> None:
        """Tell the process that there is no more, and wait until its parts are whole."""
        self._batches.close()
        if self._process.wait() != 0:
            raise self._death()

    def close(self) -> None:
        """End the process, if it still runs, and let go of it."""
        self._process.kill()
        with suppress(BrokenPipeError):
            self._batches.close()
        self.answers.close()
        self._process.wait()

    def _death(self) -> HelperDiedError:
        code = self._process.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        files = [file.key for batch in self.unanswered for file in batch.files]
        where = f"between {files[0]} and {files[-1]}" if files else "while closing its parts"
        words = self._log.read_text("utf-8", "replace").strip().splitlines()
        return HelperDiedError(
            f"a process that reads Runna files {how} {where}; nothing of this load is published. "
            f"Its last words: {words[-1] if words else 'none'}. Run the load again; signal 9 "
            "mostly means that memory ran out: set EXTRACT_PROCESSES=1"
        )


def main(arguments: Sequence[str]) -> None:
    """Read batches from standard input, one JSON document a line; answer each with a byte."""
    folder, number, max_file_bytes = arguments
    decoder = msgspec.json.Decoder(Batch)
    with open_parts(Path(folder), int(number), int(max_file_bytes)) as writer:
        for line in sys.stdin.buffer:
            writer.read(decoder.decode(line))
            sys.stdout.buffer.write(b".")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1:])

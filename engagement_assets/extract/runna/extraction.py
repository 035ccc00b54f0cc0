"""Runna activity batches: the landing files of a window of batch dates, as three datasets.

Belongs here: which files belong to which day, which of two equal activities wins, the counts; all as queries over
Parquet parts, so that memory does not grow. Not here: what a file means (`activity_files.py`), the parts (`parts.py`).
"""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from itertools import chain
from pathlib import Path

import duckdb

from engagement_assets.contracts.extraction import Calendar, DayWindow, Extraction, UnreadPath
from engagement_assets.extract.landing.event_files import date_in_path
from engagement_assets.extract.landing.files import Landing, LandingFile, printable_key
from engagement_assets.extract.runna.device_values import placeholders, plausible_instant, plausible_number
from engagement_assets.extract.runna.parts import PART_COLUMNS, Batch, FileToRead, part_path, too_large
from engagement_assets.extract.runna.processes import read_batches
from engagement_assets.extract.runna.source import BATCHES, RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS, RUNNA_WORKOUT_STEPS

DATASET_PARTS = ((RUNNA_ACTIVITIES, "activities"), (RUNNA_ACTIVITY_LAPS, "laps"), (RUNNA_WORKOUT_STEPS, "steps"))
BATCHES_PREFIX = BATCHES.prefix
SUFFIX = ".json"
MAX_FILE_BYTES = 64 * 1024 * 1024

_FILES_PER_BATCH = 32
_FILES_PER_PROGRESS_LINE = 2_000
# Starting a second process takes as long as reading some hundred files.
_MIN_FILES_FOR_HELPERS = 1_000
_FETCHES_AT_A_TIME = 32
# Fetched while others are read, so that neither waits for the other.
_BATCHES_AHEAD = 4
_WRONG_SUFFIX = f"its name does not end with {SUFFIX}"


@dataclass(frozen=True)
class BatchReading:
    """What a load gives to the extractor.

    `connection` gets temporary views `runna_*`, which the returned queries need, over parts in the empty folder
    `workdir`. `window` has the batch dates to read; folders of dates outside of `calendar` are only reported.
    `extracted_at` is the time of the load (UTC). `processes` read side by side, by default two if there are two cores;
    a small window is read in this process alone. Files larger than `max_file_bytes` are quarantined unread.
    """

    connection: duckdb.DuckDBPyConnection
    landing: Landing
    window: DayWindow
    workdir: Path
    calendar: Calendar
    extracted_at: datetime
    progress: Callable[[str], None]
    processes: int | None = None
    max_file_bytes: int = MAX_FILE_BYTES


@dataclass
class _Found:
    """What the landing zone held, day by day."""

    files: Counter[date] = field(default_factory=Counter)
    bytes: Counter[date] = field(default_factory=Counter)
    keys: list[str] = field(default_factory=list)
    never_read: list[UnreadPath] = field(default_factory=list)


def extract(reading: BatchReading) -> Extraction:
    """Read the activity files of the window: `runna/activities/<batch_date>/**/*.json`.

    Of two files of a batch with the same activity the one with the greater path wins, with its laps and steps.

    Raises:
        NotADirectoryError: the landing zone does not exist.
        HelperDiedError: a process that helps to read ended before its work was done.
    """
    found = _Found(never_read=_never_read(reading.landing, reading.calendar))
    batches, files_done = _batches(reading, found), Counter[date]()

    def done(batch: Batch) -> None:
        before, after = files_done[batch.day], files_done[batch.day] + len(batch.files)
        files_done[batch.day], total = after, found.files[batch.day]
        if after // _FILES_PER_PROGRESS_LINE > before // _FILES_PER_PROGRESS_LINE:
            reading.progress(f"{RUNNA_ACTIVITIES.key} {batch.day}: {after:,} of {total:,} files")
        if not reading.landing.is_local:
            for file in batch.files:
                if file.path:
                    Path(file.path).unlink()

    first: list[Batch] = []
    files = 0
    while files < _MIN_FILES_FOR_HELPERS and (batch := next(batches, None)):
        first.append(batch)
        files += len(batch.files)
    is_small = files < _MIN_FILES_FOR_HELPERS
    helpers = 0 if is_small else (reading.processes or min(2, os.cpu_count() or 1)) - 1
    read_batches(chain(first, batches), helpers, reading.workdir, reading.max_file_bytes, done)
    _create_views(reading.connection, reading.workdir, helpers + 1)
    return _extraction(found, reading.extracted_at)


def _batches(reading: BatchReading, found: _Found) -> Iterator[Batch]:
    """The window's files, listed and, from a remote landing zone, fetched ahead of their reading."""
    to_read = partial(_file_to_read, reading)
    if reading.landing.is_local:
        yield from (Batch(day, list(map(to_read, files))) for day, files in _files_listed(reading, found))
        return
    with ThreadPoolExecutor(_FETCHES_AT_A_TIME) as fetches:
        ahead: deque[tuple[date, Iterator[FileToRead]]] = deque()
        for day, files in _files_listed(reading, found):
            ahead.append((day, fetches.map(to_read, files)))
            if len(ahead) > _BATCHES_AHEAD:
                fetched_day, fetched = ahead.popleft()
                yield Batch(fetched_day, list(fetched))
        yield from (Batch(day, list(fetched)) for day, fetched in ahead)


def _files_listed(reading: BatchReading, found: _Found) -> Iterator[tuple[date, Sequence[LandingFile]]]:
    """The window's files as the landing zone lists them, as many together as are read together."""
    for day in reading.window.days():
        files = []
        for file in reading.landing.files(f"{BATCHES_PREFIX}/{day}", ("",)):
            if file.refused or file.key.endswith(SUFFIX):
                files.append(file)
            else:
                found.never_read.append(UnreadPath(printable_key(file.key), _WRONG_SUFFIX))
        found.files[day] = len(files)
        found.bytes[day] = sum(file.size for file in files)
        found.keys += [printable_key(file.key) for file in files]
        for start in range(0, len(files), _FILES_PER_BATCH):
            yield day, files[start : start + _FILES_PER_BATCH]


def _file_to_read(reading: BatchReading, file: LandingFile) -> FileToRead:
    """Where a reader finds the file, or why it is not read."""
    landing, limit = reading.landing, reading.max_file_bytes
    key = printable_key(file.key)
    if key != file.key:
        return FileToRead(key, refused=("refused_path", "the file name is not UTF-8"))
    if file.refused:
        return FileToRead(key, refused=("refused_path", file.refused))
    if file.size > limit and not landing.is_local:
        error = too_large(file.size, limit)
        return FileToRead(key, refused=(error.reason_code, str(error)))
    try:
        return FileToRead(key, str(landing.local_path(file, reading.workdir)))
    except (FileNotFoundError, PermissionError) as error:
        return FileToRead(key, refused=("unreadable_file", f"it cannot be fetched: {error}"))


def _never_read(landing: Landing, calendar: Calendar) -> list[UnreadPath]:
    """Folders of dates that no run is for, and files beside the folders."""
    found = []
    folders = set(landing.batch_names(BATCHES_PREFIX))
    for name in landing.names_in(BATCHES_PREFIX):
        key, day = f"{BATCHES_PREFIX}/{name}", date_in_path(name)
        if name not in folders:
            found.append(UnreadPath(key, "it lies in no folder of a batch date"))
        elif not day or name != day.isoformat():
            found.append(UnreadPath(key, "its name is not a date YYYY-MM-DD"))
        elif day not in calendar:
            found.append(UnreadPath(key, f"its date lies outside of {calendar}; the first is START_DATE"))
    return found


def _create_views(connection: duckdb.DuckDBPyConnection, workdir: Path, readers: int) -> None:
    """Two temporary views for each part, as stored and with the datasets' types, and a table of the winning files."""
    for part in PART_COLUMNS:
        paths = [str(part_path(workdir, part, number)).replace("'", "''") for number in range(readers)]
        files = ", ".join(f"'{path}'" for path in paths)
        connection.execute(
            f"create or replace temp view runna_{part}_stored as "
            f"select * from read_parquet([{files}], hive_partitioning = false)"
        )
    # An activity without a time of its own, or with an impossible one, gets that of its earliest lap.
    connection.execute(
        f"""
        create or replace temp table runna_first_laps as
        select file, min({plausible_instant("started_at")}) as first_started_at
        from runna_laps_stored
        where file in (select file from runna_activities_stored where {plausible_instant("created_on")} is null)
        group by file
        """
    )
    for part, columns in PART_COLUMNS.items():
        typed = {name: _typed(name, kind) for name, kind in columns.items()}
        first_laps = ""
        if part == "activities":
            typed["created_on"] = f"coalesce({typed['created_on']}, first_started_at)"
            first_laps = "left join runna_first_laps using (file)"
        selected = ", ".join(f"{value} as {name}" for name, value in typed.items())
        connection.execute(
            f"create or replace temp view runna_{part} as select {selected}, day from runna_{part}_stored {first_laps}"
        )
    connection.execute(
        """
        create or replace temp table runna_winners as
        select file, activity_id, workout_id, source_path from runna_activities
        qualify row_number() over (partition by day, activity_id order by source_path desc) = 1
        """
    )
    connection.execute(
        """
        create or replace temp view runna_losers as
        select file, activity_id, workout_id, source_path, place
        from (
            select *, row_number() over (partition by day, activity_id order by source_path desc) as place
            from runna_activities
        )
        where place > 1
        """
    )


def _typed(name: str, kind: str) -> str:
    """A stored column with its type; fractions of whole units are rounded."""
    number = plausible_number(name)
    return {
        "DOUBLE": number,
        "BIGINT": f"cast(round_even({number}, 0) as bigint)",
        "TIMESTAMP": plausible_instant(name),
        "DATE": f"cast({name} as date)",
    }.get(kind, name)


def _extraction(found: _Found, extracted_at: datetime) -> Extraction:
    now = f"timestamp '{extracted_at.astimezone(UTC).replace(tzinfo=None)}' as extracted_at"
    accepted, copies = {}, {}
    for dataset, part in DATASET_PARTS:
        columns = ", ".join(now if name == "extracted_at" else name for name in dataset.columns)
        # Laps and steps have the ids and the path from their activity.
        is_activity = dataset is RUNNA_ACTIVITIES
        join = "semi join" if is_activity else "join"
        losers = "(select file, place from runna_losers)" if is_activity else "runna_losers"
        accepted[dataset.key] = f"select {columns}, day from runna_{part} {join} runna_winners using (file)"
        copies[dataset.key] = f"select {columns}, day, place from runna_{part} join {losers} using (file)"
    return Extraction(
        accepted=accepted,
        copies=copies,
        rejected=(
            "select dataset, day, source_path, position, raw_text, record_hash, reason_code, message "
            "from runna_rejected"
        ),
        counts=_counts(found),
        unknown_fields=(
            "select dataset, day, field, cast(sum(records) as bigint) as records "
            "from runna_unknown_fields group by dataset, day, field"
        ),
        files_read=tuple(found.keys),
        placeholders=placeholders("runna_activities_stored", "runna_laps_stored"),
        never_read=tuple(found.never_read),
    )


def _counts(found: _Found) -> str:
    """The counts. What was read is counted where it was read, not as the sum of the outcomes."""
    days = ", ".join(f"(date '{day}', {found.files[day]}, {found.bytes[day]})" for day in found.files)
    duplicates = " union all ".join(
        f"select '{dataset.key}' as dataset, day, count(*) as duplicates from runna_{part} "
        "anti join runna_winners using (file) group by day"
        for dataset, part in DATASET_PARTS
    )
    return f"""
        with

        days (day, files, bytes) as (values {days}),
        quarantined as (select dataset, day, count(*) as quarantined from runna_rejected group by dataset, day),
        duplicates as ({duplicates}),
        read as (
            select '{RUNNA_ACTIVITIES.key}' as dataset, day, files as records_read from days
            union all
            select '{RUNNA_ACTIVITY_LAPS.key}', day, sum(laps_read) from runna_activities group by day
            union all
            select '{RUNNA_WORKOUT_STEPS.key}', day, sum(steps_read) from runna_activities group by day
        )

        select
            datasets.dataset,
            days.day,
            cast(days.files as bigint) as files, cast(days.bytes as bigint) as bytes,
            cast(coalesce(read.records_read, 0) as bigint) as records_read,
            coalesce(quarantined.quarantined, 0) as quarantined,
            coalesce(duplicates.duplicates, 0) as duplicates
        from days
        cross join (select unnest({[dataset.key for dataset, _ in DATASET_PARTS]}) as dataset) as datasets
        left join read using (dataset, day)
        left join quarantined using (dataset, day)
        left join duplicates using (dataset, day)
    """

"""What a load would make of the files of a landing zone, file by file, without a lake.

Belongs here: running the readers of the sources over all their days, and counting what becomes of each file. Not here:
how files are read (`extract/`), what is printed (`check.py`).

Nothing is written but copies in a temporary folder. What is told of a rejected record is what a load would keep of it
(`privacy/redaction.py`).
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import Calendar, DayWindow, Extraction, UnreadPath
from engagement_assets.contracts.source import LandingReader
from engagement_assets.extract.landing.batch_folder import BatchFolder
from engagement_assets.extract.landing.event_files import WantedDays, date_in_path
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.landing.index import FileIndex
from engagement_assets.extract.landing.unread_paths import unread_paths
from engagement_assets.extract.lines.readers import EventLog, Snapshots
from engagement_assets.extract.reading import Reading
from engagement_assets.extract.runna import extraction as runna
from engagement_assets.lake.lake import connect_in_memory
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.privacy.redaction import Redactor
from engagement_assets.privacy.shapes import shown_name
from engagement_assets.settings import Settings
from engagement_assets.sources import LANDING_PREFIXES, RAW_DATASETS, SENT_FIELDS, SOURCES

MAX_FILES = 10
MAX_REASONS = 5
MAX_FIELDS = 20


@dataclass(frozen=True)
class Reason:
    """Why `records` of a file would be rejected.

    The first of them has the `position`: its line, or its index in the document; None for a whole file.
    """

    reason_code: str
    records: int
    position: int | None
    message: str


@dataclass(frozen=True)
class FileVerdict:
    """What would become of the records of one file, with the most frequent reasons of those rejected."""

    key: str
    accepted: int
    rejected: int
    reasons: tuple[Reason, ...]
    more_reasons: int


@dataclass(frozen=True)
class DatasetVerdict:
    """What would become of all records of a dataset: of its `worst` files, the worst first, and of `others` more.

    `unknown_fields` are fields that no contract names, with how many records hold each. `is_of_files` says whether the
    records are the files' own, not parts of them.
    """

    dataset: Dataset
    is_of_files: bool
    prefix: str
    files: int
    records_read: int
    accepted: int
    rejected: int
    duplicates: int
    worst: tuple[FileVerdict, ...]
    others: int
    others_with_rejects: int
    unknown_fields: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class FolderVerdict:
    """What would become of the files that one reader reads, and which lie beside them."""

    datasets: tuple[DatasetVerdict, ...]
    never_read: tuple[UnreadPath, ...]


def read_landing(settings: Settings, progress: Callable[[str], None]) -> Iterator[FolderVerdict]:
    """Read all files of all sources, folder by folder; `progress` takes lines that say what is being done.

    Raises:
        NotADirectoryError: the landing zone does not exist.
    """
    now = datetime.now(UTC)
    for source in SOURCES:
        for reader in source.readers:
            yield _read_folder(reader, settings, now, progress)


def _read_folder(
    reader: LandingReader, settings: Settings, now: datetime, progress: Callable[[str], None]
) -> FolderVerdict:
    landing = Landing(settings.landing_uri)
    with (
        tempfile.TemporaryDirectory() as folder,
        connect_in_memory(settings.duckdb_memory_limit, Path(folder) / "spill") as connection,
    ):
        reading = Reading(
            connection=connection, landing=landing, workdir=Path(folder), extracted_at=now, progress=progress
        )
        extraction = extract_all(reader, reading, settings.calendar_at(now), settings.extract_processes)
        datasets = {dataset.key: dataset for dataset in RAW_DATASETS}
        return FolderVerdict(
            tuple(_verdict(connection, extraction, datasets[key], reader) for key in extraction.accepted),
            (*extraction.never_read, *unread_paths(landing, reader.prefix, LANDING_PREFIXES)),
        )


def extract_all(reader: LandingReader, reading: Reading, calendar: Calendar, processes: int) -> Extraction:
    """Everything that the files of a reader hold, whatever its day, read as a load reads it."""
    match reader:
        case EventLog():
            window = DayWindow(calendar.first, calendar.last + timedelta(days=1))
            return reader.extract(reading, WantedDays(window=window, calendar=calendar, index=FileIndex()))
        case Snapshots():
            return reader.extract(reading)
        case BatchFolder():
            days = _batch_dates(reading.landing, reader.prefix, calendar) or [calendar.first]
            window = DayWindow(min(days), max(days) + timedelta(days=1))
            return runna.extract(
                runna.BatchReading(
                    reading.connection,
                    reading.landing,
                    window,
                    reading.workdir,
                    calendar,
                    reading.extracted_at,
                    reading.progress,
                    processes,
                )
            )
    raise TypeError(f"expected a reader of lines or of batch folders, found {type(reader).__name__}")


def _batch_dates(landing: Landing, prefix: str, calendar: Calendar) -> list[date]:
    names = landing.batch_names(prefix)
    return [day for name in names if (day := date_in_path(name)) and name == day.isoformat() and day in calendar]


def _verdict(
    connection: duckdb.DuckDBPyConnection, extraction: Extraction, dataset: Dataset, reader: LandingReader
) -> DatasetVerdict:
    """Count in the connection, since files may be many."""
    key, run = {"key": dataset.key}, connection.execute
    run(
        f"""
        create or replace temp table verdict_reasons as
        select source_path, reason_code, count(*) as records, min(position) as first_position,
            arg_min(message, coalesce(position, -1)) as message
        from ({extraction.rejected}) where dataset = $key
        group by source_path, reason_code
        """,
        key,
    )
    run(
        f"""
        create or replace temp table verdict_files as
        select source_path, sum(accepted)::bigint as accepted, sum(rejected)::bigint as rejected
        from (
            select source_path, count(*) as accepted, 0 as rejected
            from ({extraction.accepted[dataset.key]}) group by source_path
            union all
            select source_path, 0, records from verdict_reasons
        )
        group by source_path
        """
    )
    ((read, duplicates),) = run(
        f"select coalesce(sum(records_read), 0)::bigint, coalesce(sum(duplicates), 0)::bigint "
        f"from ({extraction.counts}) where dataset = $key",
        key,
    ).fetchall()
    ((accepted, rejected, files, with_rejects),) = run(
        "select coalesce(sum(accepted), 0)::bigint, coalesce(sum(rejected), 0)::bigint, count(*), "
        "count(*) filter (rejected > 0) from verdict_files"
    ).fetchall()
    unknown_fields = run(
        f"""
        select field, sum(records)::bigint as in_records from ({extraction.unknown_fields}) where dataset = $key
        group by field order by in_records desc, field limit {MAX_FIELDS}
        """,
        key,
    ).fetchall()
    worst = _worst_files(connection, dataset)
    return DatasetVerdict(
        dataset=dataset,
        is_of_files=dataset is reader.dataset,
        prefix=reader.prefix,
        files=len(extraction.files_read),
        records_read=read,
        accepted=accepted,
        rejected=rejected,
        duplicates=duplicates,
        worst=worst,
        others=files - len(worst),
        others_with_rejects=max(with_rejects - len(worst), 0),
        unknown_fields=tuple((shown_name(name), records) for name, records in unknown_fields),
    )


def _worst_files(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> tuple[FileVerdict, ...]:
    """First the files of which nothing is accepted, then those with the most rejected records, then all others."""
    # What a message shows does not depend on what the lake hides.
    redactor = Redactor(dataset, SENT_FIELDS[dataset.key], PrivacyPolicy())
    files = connection.execute(
        f"""
        select source_path, accepted, rejected from verdict_files
        order by accepted > 0 or rejected = 0, rejected desc, source_path limit {MAX_FILES}
        """
    ).fetchall()
    found = []
    for path, accepted, rejected in files:
        reasons = connection.execute(
            "select reason_code, records, first_position, message from verdict_reasons "
            "where source_path = $path order by records desc, reason_code",
            {"path": path},
        ).fetchall()
        told = tuple(
            Reason(code, records, position, redactor.message(message))
            for code, records, position, message in reasons[:MAX_REASONS]
        )
        found.append(FileVerdict(path, accepted, rejected, told, len(reasons) - len(told)))
    return tuple(found)

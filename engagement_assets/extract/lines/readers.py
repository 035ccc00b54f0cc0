"""Readers of landing folders whose files hold one record per line.

Belongs here: the description of such a folder, and how it is read. Not here: the datasets and what their lines hold
(each source's module), how lines become rows (the modules beside this one).
"""

import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import duckdb

from engagement_assets.contracts.datasets import Dataset, SentFields
from engagement_assets.contracts.extraction import ALL_DAYS, Calendar, Extraction
from engagement_assets.contracts.quarantine import QuarantinedRecord
from engagement_assets.extract.landing.event_files import NO_DAYS, WantedDays, learn_days, list_landing_files
from engagement_assets.extract.landing.files import Landing, LandingFile
from engagement_assets.extract.landing.index import FileIndex
from engagement_assets.extract.landing.touched_days import (
    MAX_BYTES_LOOKED_THROUGH,
    Look,
    TouchedDays,
    days_of_event_files,
)
from engagement_assets.extract.lines.csv_headers import cut_at_headers
from engagement_assets.extract.lines.csv_records import CsvRecords
from engagement_assets.extract.lines.csv_shape import CsvShape
from engagement_assets.extract.lines.json_records import RecordShape
from engagement_assets.extract.lines.jsonl_records import JsonlRecords
from engagement_assets.extract.lines.line_cleaner import CSV_LINE, JSON_LINE
from engagement_assets.extract.lines.line_extraction import Placement, extraction_of
from engagement_assets.extract.lines.line_files import (
    MAX_LINE_BYTES,
    PreparedFiles,
    SourceFile,
    prepare_files,
)
from engagement_assets.extract.lines.line_records import LineRecords
from engagement_assets.extract.lines.rebuilt_records import by_place, rebuilt
from engagement_assets.extract.reading import Reading


def raw_columns(shape: CsvShape | RecordShape, md5: str | None = None) -> Mapping[str, str]:
    """The columns of a dataset whose lines have this shape; `md5` names the one that is computed from all others."""
    own = {md5: "VARCHAR"} if md5 else {}
    about = {"_extra": "VARCHAR", "source_path": "VARCHAR", "extracted_at": "TIMESTAMP"}
    return MappingProxyType(own | shape.column_types | about)


@dataclass(frozen=True, kw_only=True)
class LineReader:
    """Reads a dataset from the files below `prefix`, CSV or JSONL as `shape` says, plain or compressed by gzip.

    The dataset's identity is a column of the shape. For CSV it may also be a new column: then it is the md5 of all
    columns of the shape, so that rows with the same values are one record. Lines longer than `max_line_bytes` are
    quarantined.
    """

    dataset: Dataset
    prefix: str
    shape: CsvShape | RecordShape
    max_line_bytes: int = MAX_LINE_BYTES

    @property
    def sent(self) -> Mapping[str, SentFields]:
        """How records are sent, by the dataset's key."""
        match self.shape:
            case CsvShape(columns=columns, delimiter=delimiter):
                fields = SentFields({column.name: column.column for column in columns}, delimiter)
            case RecordShape(fields=known):
                fields = SentFields({field.path: field.column for field in known})
        return {self.dataset.key: fields}

    @property
    def is_csv(self) -> bool:
        """Whether lines are CSV rows, which mean nothing without their header; else they are JSON."""
        return isinstance(self.shape, CsvShape)

    @property
    def suffixes(self) -> tuple[str, str]:
        """The endings of the file names."""
        suffix = ".csv" if self.is_csv else ".jsonl"
        return suffix, f"{suffix}.gz"

    def rebuilt(
        self,
        records: Sequence[QuarantinedRecord],
        landing: Landing,
        workdir: Path,
    ) -> list[QuarantinedRecord]:
        """Those of the quarantined records that have a text, or whose line the landing zone still holds.

        `workdir` is a folder for copies of files.
        """
        found = [record for record in records if record.raw_text is not None]
        places = by_place(records)
        if places:
            readable, *_ = list_landing_files(landing, self.prefix, self.suffixes)
            prepared = self._prepared(landing, [file for file in readable if file.key in places], workdir)
            headers = None
            if isinstance(self.shape, CsvShape):
                prepared, headers = cut_at_headers(prepared, self.shape)
            found += rebuilt(prepared.files, headers, places)
        return sorted(found, key=lambda record: record.number)

    def _prepared(
        self, landing: Landing, files: Sequence[LandingFile], workdir: Path, unsettled: Collection[LandingFile] = ()
    ) -> PreparedFiles:
        folder = workdir / self.dataset.load_name
        folder.mkdir(parents=True, exist_ok=True)
        sources, unreadable, denied = [], {}, None
        for file in files:
            try:
                path = landing.local_path(file, folder)
                path.open("rb").close()
            # Whatever else goes wrong, such as a store that does not answer, is not the fault of this file.
            except (FileNotFoundError, PermissionError) as error:
                denied = error if isinstance(error, PermissionError) else denied
                why = error.strerror or type(error).__name__
                unreadable[file.key] = f"the file is listed but cannot be opened: {why}"
            else:
                sources.append(SourceFile(file.key, path, file not in unsettled))
        if denied and not sources and not landing.is_local:
            raise denied  # a bucket that may be listed and not read
        kind = CSV_LINE if self.is_csv else JSON_LINE
        return replace(prepare_files(sources, folder, self.max_line_bytes, kind), unreadable=unreadable)

    def _records(self, reading: Reading, files: Sequence[LandingFile], calendar: Calendar) -> LineRecords:
        unsettled = set(filter(reading.may_still_be_written, files))
        prepared = self._prepared(reading.landing, files, reading.workdir, unsettled)
        match self.shape:
            case CsvShape() as shape:
                parts, headers = cut_at_headers(prepared, shape)
                return CsvRecords(reading.connection, self.dataset, parts, calendar, shape, headers)
            case RecordShape() as shape:
                return JsonlRecords(reading.connection, self.dataset, prepared, calendar, shape)

    def _refuse_changed(self, reading: Reading, files: Sequence[LandingFile]) -> None:
        """Refuse what was read from several looks at a file that is not the same in all of them.

        Raises:
            RuntimeError: a file changed while it was read, or has gone.
        """
        read_in_place = {file for file in files if not reading.may_still_be_written(file)}
        if read_in_place and reading.landing.is_local:
            there, *_ = list_landing_files(reading.landing, self.prefix, self.suffixes)
            if changed := read_in_place.difference(there):
                raise RuntimeError(
                    f"{min(changed).key}: expected the file that was listed, found that it changed or went while it "
                    "was read; run this again"
                )


@dataclass(frozen=True, kw_only=True)
class EventLog(LineReader):
    """Lines that have a day each; any file may hold any day. The shape names the `moment` of a line.

    If several lines of a day have the same identity, the line whose content sorts last stays, whatever its file. With
    `last_path_wins` it is the line in the file whose path sorts last.
    """

    last_path_wins: bool = False

    def extract(self, reading: Reading, days: WantedDays) -> Extraction:
        """Read the lines of the window's days.

        A line that names no day, or a day outside the calendar, counts on the day that `WantedDays.home_of` gives.

        Raises:
            NotADirectoryError: The landing zone does not exist.
            RuntimeError: A file changed while it was read; run again.
        """
        readable, refused, unread = list_landing_files(reading.landing, self.prefix, self.suffixes)
        days.index.forget_others(self.prefix, readable)
        files, window = days.files_to_read(readable), days.window.days()
        reading.progress(
            f"{self.dataset.key}: reading {len(files):,} of {len(readable):,} files "
            f"({sum(file.size for file in files):,} bytes) for {window[0]} to {window[-1]}"
        )
        records = self._records(reading, files, days.calendar)
        records.read_lines(days.window)
        unreadable = records.prepared.unreadable
        opened = [file for file in files if file.key not in unreadable]
        # Days that were loaded before did not see what was not known until now; those of the window do.
        learn_days(opened, records.days_of_files, days.index, reading.extracted_at - timedelta(microseconds=1))
        homes = {file.key: days.home_of(file) for file in (*files, *refused)}
        days.index.look_again({file.key for file in records.prepared.files if file.is_unfinished})
        extraction = extraction_of(
            records,
            reading,
            Placement(days=window, homes=homes, refused=_reasons(refused, unreadable)),
            last_path_wins=self.last_path_wins,
        )
        self._refuse_changed(reading, opened)
        there = tuple(file.key for file in readable if file.key not in unreadable)
        return replace(extraction, never_read=tuple(unread), files_there=there)

    def touched_days(self, look: Look, index: FileIndex, max_bytes: int = MAX_BYTES_LOOKED_THROUGH) -> TouchedDays:
        """The days that files touch; what is found out about files is added to `index`.

        Raises:
            NotADirectoryError: The landing zone does not exist.
        """
        readable, *_ = list_landing_files(look.landing, self.prefix, self.suffixes)
        found_at = datetime.now(UTC)

        def learn(files: Sequence[LandingFile]) -> None:
            with tempfile.TemporaryDirectory() as workdir, duckdb.connect() as connection:
                connection.execute("set TimeZone = 'UTC'")
                reading = Reading(
                    connection=connection,
                    landing=look.landing,
                    workdir=Path(workdir),
                    extracted_at=found_at,
                    progress=lambda _: None,
                )
                records = self._records(reading, files, ALL_DAYS)
                records.read_lines(NO_DAYS)
                opened = {file.key for file in records.prepared.files}
                learn_days([file for file in files if file.key in opened], records.days_of_files, index, found_at)

        return days_of_event_files(look, readable, index, learn, max_bytes)


@dataclass(frozen=True, kw_only=True)
class Snapshots(LineReader):
    """Full snapshots, whose lines have no day. Of several lines with one identity, the one in the last path stays."""

    def extract(self, reading: Reading) -> Extraction:
        """Read all snapshots.

        Raises:
            NotADirectoryError: The landing zone does not exist.
            RuntimeError: A file changed while it was read; run again.
        """
        files, refused, unread = list_landing_files(reading.landing, self.prefix, self.suffixes)
        reading.progress(f"{self.dataset.key}: reading {len(files):,} files")
        records = self._records(reading, files, ALL_DAYS)
        records.read_lines(None)
        unreadable = records.prepared.unreadable
        placement = Placement(days=[None], homes={}, refused=_reasons(refused, unreadable))
        extraction = extraction_of(records, reading, placement, last_path_wins=True)
        self._refuse_changed(reading, [file for file in files if file.key not in unreadable])
        return replace(extraction, never_read=tuple(unread))


def _reasons(refused: Sequence[LandingFile], unreadable: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Why files were not opened, by key: a reason code and a message."""
    reasons = {file.key: ("refused_path", str(file.refused)) for file in refused}
    return reasons | {key: ("unreadable_file", why) for key, why in unreadable.items()}

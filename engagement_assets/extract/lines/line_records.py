"""Records of line files, read in bulk into temporary tables of a DuckDB connection.

Belongs here: what CSV and JSONL have in common. Not here: what makes a line readable (`line_files.py`), how lines
become typed rows (`csv_records.py`, `jsonl_records.py`), how the tables become an extraction (`line_extraction.py`).
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

import duckdb

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import Calendar, DayWindow
from engagement_assets.extract.lines.line_cleaner import MAX_RAW_TEXT
from engagement_assets.extract.lines.line_files import LineFile, PreparedFiles
from engagement_assets.extract.lines.line_places import find_lines


@dataclass(frozen=True)
class LineRecords(ABC):
    """Reads prepared files into temporary tables whose names begin with `name`.

    Call the methods in the order in which they stand here; `columns` are those of the record. Several of `prepared`
    may be parts of one file; they have the same key.

    - `<name>_files`: `file_id, path, source_path`.
    - `<name>_lines`: `file_id, line_hash, line_bytes, own_day, day, columns` and more, one row per line that is a
      record or should be one, and may belong to the window. `own_day` is NULL where the line does not name it, and
      `day` also where it lies outside of the calendar.
    - `<name>_irregular`: `file_id, line_hash, line_bytes, day, line, header, rejection, columns, _extra` of all lines
      that are rejected or hold an extra field, and maybe of others. `rejection` is NULL or says why the line is
      rejected: `reason_code, message`. `header` is the CSV header above the line.
    - `<name>_records`: `file_id, line_hash, day, columns, _extra`, a view of what is not rejected.
    - `<name>_repeated`: `day, identity, copies` of what occurs more than once on a day.
    - `<name>_winners`: like the records, the one of each repeated identity that stays.
    - `<name>_copies`: a view like the records, of the others of these, with their `place`, from 2.
    - `<name>_rejected`: `file_id, day, line_bytes, position, raw_text, record_hash, header, reason_code, message`, all
      lines that are no records; `day` is still NULL where the line names none of the calendar.
    """

    # Whether the text of the lines decides which copy of a record stays; if not, only rejected lines are looked up.
    compares_lines: ClassVar[bool]

    connection: duckdb.DuckDBPyConnection
    dataset: Dataset
    prepared: PreparedFiles
    calendar: Calendar

    @property
    def name(self) -> str:
        """What the names of the tables begin with."""
        return self.dataset.load_name

    @property
    def identity(self) -> str:
        """The column that tells two records of a day apart."""
        return self.dataset.identity[0]

    @abstractmethod
    def read_lines(self, window: DayWindow | None) -> None:
        """Make `files` and `lines`; with a window, lines of its days and those without a day of the calendar."""

    def days_of_files(self, keys: Collection[str]) -> dict[str, set[date | None]]:
        """The days of all lines of some files, by key; None for lines that have none.

        Where the window left lines out, the files that hold them are looked through once more.
        """
        files = {file.file_id: file for file in self.prepared.files if file.key in keys}
        found: dict[str, set[date | None]] = {key: set() for key in keys}
        for file in files.values():
            found[file.key] |= {None} if file.malformed_count else set()
        kept = dict(
            self.connection.execute(
                f"select file_id, sum(line_bytes) + count(*) from {self.name}_lines group by file_id"
            ).fetchall()
        )
        # Each line ends with one byte more than it holds.
        partly_read = [file for file in files.values() if kept.get(file.file_id, 0) < file.record_bytes]
        days = self.connection.execute(f"select distinct file_id, own_day from {self.name}_lines").fetchall()
        for file_id, day in days + (self._days_in(partly_read) if partly_read else []):
            if file_id in files:
                found[files[file_id].key].add(day)
        return found

    @abstractmethod
    def _days_in(self, files: Sequence[LineFile]) -> list[tuple[int, date | None]]:
        """The id of each file and the days of all its lines."""

    @abstractmethod
    def judge_irregular_lines(self) -> None:
        """Make `irregular` and `records`; a line that lies outside of the calendar is rejected."""

    @property
    @abstractmethod
    def content_order(self) -> str:
        """SQL that orders copies of a record by what they hold: their columns, or `line` if they are compared by it."""

    def find_winners_and_rejected(self, *, last_path_wins: bool) -> None:
        """Make `repeated`, `winners`, `copies` and `rejected`.

        Of several records with one identity the one stays whose content sorts last, and of equal ones that of the last
        path; with `last_path_wins` the path decides first.

        Raises:
            RuntimeError: a file is not what it was when it was read.
        """
        order = [self.content_order, "files.source_path desc"]
        name, run = self.name, self.connection.execute
        repeats = f"""
            semi join {name}_repeated as repeated
                on records.{self.identity} = repeated.{self.identity}
                and records.day is not distinct from repeated.day"""
        run(
            f"""
            create or replace temp table {name}_repeated as
            select day, {self.identity}, count(*) as copies
            from {name}_records group by all having copies > 1
            """
        )
        run(
            f"""
            create or replace temp table {name}_wanted as
            select file_id, line_hash from {name}_irregular where rejection is not null
            union
            select file_id, line_hash from {name}_records as records {repeats if self.compares_lines else "where false"}
            """
        )
        find_lines(self.connection, name, self.prepared)
        lines = f"""
            inner join (select distinct file_id, line_hash, line from {name}_found) as found
                on records.file_id = found.file_id and records.line_hash = found.line_hash"""
        ranked = f"""
            select
                records.*,
                row_number() over (
                    partition by records.day, records.{self.identity}
                    order by {", ".join(reversed(order) if last_path_wins else order)}
                ) as place
            from {name}_records as records
            {repeats}
            inner join {name}_files as files on records.file_id = files.file_id
            {lines if self.compares_lines else ""}"""
        run(f"create or replace temp table {name}_winners as select * exclude (place) from ({ranked}) where place = 1")
        run(f"create or replace temp view {name}_copies as select * from ({ranked}) where place > 1")
        run(
            f"""
            create or replace temp table {name}_rejected as
            select
                irregular.file_id, irregular.day, irregular.line_bytes, found.position,
                left(irregular.line, {MAX_RAW_TEXT}) as raw_text, sha256(irregular.line) as record_hash,
                irregular.header,
                irregular.rejection.reason_code as reason_code, irregular.rejection.message as message
            from (
                select distinct on (file_id, line) * from {name}_irregular where rejection is not null
            ) as irregular
            inner join {name}_found as found
                on irregular.file_id = found.file_id
                and irregular.line_hash = found.line_hash
                and irregular.line = found.line
            union all by name
            select file_id, line_bytes, position, raw_text, record_hash, reason_code, message
            from ({self.prepared.malformed_lines_sql()})
            """
        )

    def _is_outside(self, moment: str) -> str:
        """SQL for whether the SQL timestamp `moment` lies outside of the calendar."""
        return f"coalesce({self.calendar.is_outside_sql(moment)}, false)"

    def _is_read(self, moment: str, window: DayWindow | None) -> str:
        """SQL for whether a line with this `moment` may belong to the window."""
        if window is None:
            return "true"
        in_window = f"{moment} >= timestamp '{window.start}' and {moment} < timestamp '{window.end}'"
        return f"({moment} is null or {in_window} or {self._is_outside(moment)})"

"""Records of JSONL files, read in bulk into temporary tables of a DuckDB connection.

Belongs here: from lines to typed rows, rejected lines and duplicates. Not here: what makes a line
readable (`line_files.py`), what a record must look like (`json_records.py`), which files are read and
what the rows are for (the source's own module).

A line that equals a layout is typed at once, any other is kept as text and judged afterwards. Line
numbers and raw texts of the few that need them are looked up afterwards (`line_places.py`).
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path

import duckdb

from engagement_assets.contracts.extraction import ALL_DAYS, Calendar, DayWindow
from engagement_assets.extract.lines.json_layouts import layout_of
from engagement_assets.extract.lines.json_records import RecordShape
from engagement_assets.extract.lines.line_files import MAX_RAW_TEXT, PreparedFiles
from engagement_assets.extract.lines.line_places import find_lines, list_files

_SAMPLED_FILES = 5
_SAMPLED_LINES = 100
# Each layout costs a comparison per line that the ones before it did not match.
_LAYOUTS = 4

_IS_BLANK = r"regexp_full_match(line, '[ \t]*')"


@dataclass(frozen=True)
class JsonlRecords:
    """Reads prepared files into temporary tables whose names begin with `name`.

    The methods are called in the order in which they stand here; `columns` are those of the shape.

    - `<name>_files`: `file_id, path, source_path`.
    - `<name>_lines`: `file_id, line_hash, line_bytes, own_day, day, odd_line, structure_hash, columns`,
      one row per line that is not blank and may belong to the window. `own_day` is NULL where the line
      does not say it, and `day` also where that lies outside of the calendar; `odd_line` is the text of
      a line that equals no layout or lies outside, whose columns mean nothing.
    - `<name>_irregular`: `file_id, line_hash, line_bytes, day, line, verdict, columns, _extra`, the odd
      lines, judged; `verdict` is NULL or says why the line is rejected.
    - `<name>_records`: `file_id, line_hash, day, columns, _extra`, a view of what is not rejected.
    - `<name>_repeated`: `day, identity, copies` of what occurs more than once on a day.
    - `<name>_winners`: like the records, the one of each repeated identity that stays.
    - `<name>_rejected`: `file_id, day, line_bytes, position, raw_text, reason_code, message`, all
      lines that are no records; `day` is still NULL where the line says none of the calendar.
    """

    connection: duckdb.DuckDBPyConnection
    name: str
    shape: RecordShape
    prepared: PreparedFiles
    identity: str
    calendar: Calendar = ALL_DAYS

    def read_lines(self, window: DayWindow | None) -> None:
        """Make `files` and `lines`; with a window, lines of its days and those without a day of the calendar."""
        list_files(self.connection, self.name, self.prepared)
        layouts = " or ".join(f"line = {layout}" for layout in self._layouts()) or "false"
        outside = f"coalesce({self.calendar.is_outside_sql('moment')}, false)"
        in_window = (
            f"moment is null or moment >= timestamp '{window.start}' and moment < timestamp '{window.end}' or {outside}"
            if window
            else "true"
        )
        self.connection.execute(
            f"""
            create or replace temp table {self.name}_lines as
            with

            dated as (
                select *, {self.shape.moment_value} as moment
                from ({self._texts_query(self.shape)})
            ),

            judged as (
                select
                    *,
                    case
                        when {in_window} then coalesce(
                            not contains(line, '\\') and ({layouts}) and {self.shape.fits}, false
                        ) and not {outside}
                    end as is_right
                from dated
            )

            select
                file_id, hash(line) as line_hash, strlen(line) as line_bytes,
                cast(moment as date) as own_day,
                case when not {outside} then own_day end as day,
                case when not is_right then line end as odd_line,
                case
                    when not is_right then hash(try({self.shape.types}), try({self.shape.keys}))
                end as structure_hash,
                {self.shape.columns}
            from judged
            -- One condition: of two the optimizer would move one ahead and work out `moment` twice.
            where case when is_right is not null then is_right or not {_IS_BLANK} else false end
            """,
            {"paths": self.prepared.paths},
        )

    def days_of_files(self, file_ids: Collection[int]) -> dict[int, set[date | None]]:
        """The days of all lines of some files, by `file_id`; None for lines that have none.

        Where the window left lines out, the files that hold them are looked through once more.
        """
        files = [file for file in self.prepared.files if file.file_id in file_ids]
        found: dict[int, set[date | None]] = {file.file_id: {None} if file.malformed_count else set() for file in files}
        kept = dict(
            self.connection.execute(
                f"select file_id, sum(line_bytes) + count(*) from {self.name}_lines group by file_id"
            ).fetchall()
        )
        # Each line ends with one byte more than it holds.
        partly_read = [file for file in files if kept.get(file.file_id, 0) < file.size]
        days = self.connection.execute(f"select distinct file_id, own_day from {self.name}_lines").fetchall()
        if partly_read:
            dating = self.shape.with_moment_alone()
            days += self.connection.execute(
                f"""
                select distinct file_id, cast({dating.moment_value} as date) as day
                from ({self._texts_query(dating)})
                where not {_IS_BLANK}
                """,
                {"paths": [file.path for file in partly_read]},
            ).fetchall()
        for file_id, day in days:
            if file_id in found:
                found[file_id].add(day)
        return found

    def judge_irregular_lines(self) -> None:
        """Make `irregular` and `records`; a line that lies outside of the calendar is rejected."""
        columns = ", ".join(field.column for field in self.shape.fields)
        shape = self.shape
        self.connection.execute(
            f"""
            create or replace temp table {self.name}_irregular as
            with

            -- Odd lines may be many, their structures are few: one line stands for all of its kind.
            samples as (
                select structure_hash, any_value(odd_line) as line
                from {self.name}_lines where odd_line is not null group by structure_hash
            ),

            looked_up as (
                select structure_hash, try({shape.types}) as types, try({shape.keys}) as keys
                from (select *, try({shape.texts}) as texts from samples)
            ),

            worded as (
                select *, {shape.found} as found, {shape.repeated_key} as repeated_key
                from looked_up
            ),

            structures as (
                select
                    structure_hash, {shape.structure_verdict} as structure_verdict,
                    {shape.absent_types} as absent_types, {shape.unknown_levels} as unknown_levels
                from worded
            ),

            dated as (
                select * replace ({shape.present_texts} as texts), {shape.moment_value} as moment
                from (
                    select *, try({shape.texts}) as texts
                    from (
                        select *, odd_line as line from {self.name}_lines
                        where odd_line is not null
                    )
                )
                inner join structures using (structure_hash)
            ),

            judged as (
                select
                    * exclude ({columns}),
                    coalesce(
                        {shape.text_verdict}, structure_verdict, {shape.value_verdict},
                        {shape.calendar_verdict(self.calendar)}
                    ) as verdict
                from dated
            )

            select
                file_id, line_hash, line_bytes, day, verdict,
                case when verdict is not null then line end as line,
                {shape.columns},
                case when verdict is null then {shape.extra_fields("unknown_levels")} end as _extra
            from judged
            """
        )
        self.connection.execute(
            f"""
            create or replace temp view {self.name}_records as
            select file_id, line_hash, day, {columns}, cast(null as varchar) as _extra
            from {self.name}_lines where odd_line is null
            union all
            select file_id, line_hash, day, {columns}, _extra
            from {self.name}_irregular where verdict is null
            """
        )

    def find_winners_and_rejected(self, winner_order: str) -> None:
        """Make `repeated`, `winners` and `rejected`.

        `winner_order` puts the winner first, over the columns `line` (raw text) and `source_path`.

        Raises:
            RuntimeError: a file is not what it was when it was read.
        """
        self.connection.execute(
            f"""
            create or replace temp table {self.name}_repeated as
            select day, {self.identity}, count(*) as copies
            from {self.name}_records group by all having copies > 1
            """
        )
        self.connection.execute(
            f"""
            create or replace temp table {self.name}_wanted as
            select file_id, line_hash from {self.name}_irregular where verdict is not null
            union
            select file_id, line_hash
            from {self.name}_records as records
            semi join {self.name}_repeated as repeated
                on records.{self.identity} = repeated.{self.identity}
                and records.day is not distinct from repeated.day
            """
        )
        find_lines(self.connection, self.name, self.prepared)
        self.connection.execute(
            f"""
            create or replace temp table {self.name}_winners as
            select records.*
            from {self.name}_records as records
            semi join {self.name}_repeated as repeated
                on records.{self.identity} = repeated.{self.identity}
                and records.day is not distinct from repeated.day
            inner join {self.name}_files as files on records.file_id = files.file_id
            inner join (
                select distinct file_id, line_hash, line from {self.name}_found
            ) as found
                on records.file_id = found.file_id and records.line_hash = found.line_hash
            qualify row_number() over (
                partition by records.day, records.{self.identity} order by {winner_order}
            ) = 1
            """
        )
        self.connection.execute(
            f"""
            create or replace temp table {self.name}_rejected as
            select
                irregular.file_id, irregular.day, irregular.line_bytes, found.position,
                left(irregular.line, {MAX_RAW_TEXT}) as raw_text,
                irregular.verdict.reason_code as reason_code, irregular.verdict.message as message
            from (
                select distinct on (file_id, line) * from {self.name}_irregular
                where verdict is not null
            ) as irregular
            inner join {self.name}_found as found
                on irregular.file_id = found.file_id
                and irregular.line_hash = found.line_hash
                and irregular.line = found.line
            union all
            select file_id, cast(null as date), line_bytes, position, raw_text, reason_code, message
            from ({self.prepared.malformed_lines_sql()})
            """
        )

    def _texts_query(self, shape: RecordShape) -> str:
        """A query giving `file_id, line, texts` of all lines that are not blank, for `$paths`."""
        return f"""
            select files.file_id, lines.line, try({shape.texts}) as texts
            from {self.prepared.lines_sql()} as lines
            inner join {self.name}_files as files on lines.filename = files.path
            where lines.line is not null
        """

    def _layouts(self) -> list[str]:
        """The most common layouts of a few lines of a few files."""
        files = self.prepared.files
        step = max(1, len(files) // _SAMPLED_FILES)
        found: Counter[str] = Counter()
        for file in files[::step]:
            with Path(file.path).open(encoding="utf-8-sig", newline="\n") as stream:
                for line in islice(stream, _SAMPLED_LINES):
                    layout = layout_of(self.shape, line.rstrip("\n"))
                    if layout:
                        found[layout] += 1
        return [layout for layout, _ in found.most_common(_LAYOUTS)]

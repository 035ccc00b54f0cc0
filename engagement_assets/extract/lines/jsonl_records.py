"""Records of JSONL files, read in bulk into temporary tables of a DuckDB connection.

Belongs here: from lines to typed rows. Not here: what makes a line readable (`line_files.py`), what a record must look
like (`json_records.py`).

A line that equals a layout is typed at once; any other is kept as text and judged afterwards.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.lines.json_layouts import layout_of
from engagement_assets.extract.lines.json_records import RecordShape
from engagement_assets.extract.lines.line_files import LineFile
from engagement_assets.extract.lines.line_places import list_files
from engagement_assets.extract.lines.line_records import LineRecords

_SAMPLED_FILES = 5
_SAMPLED_LINES = 100
# Each layout costs a comparison per line that the ones before it did not match.
_LAYOUTS = 4

_IS_BLANK = r"regexp_full_match(line, '[ \t]*')"


@dataclass(frozen=True)
class JsonlRecords(LineRecords):
    """Reads files of JSON lines; the columns of `lines` mean nothing where there is an `irregular_line`."""

    compares_lines = True

    shape: RecordShape

    @property
    def content_order(self) -> str:
        """By the raw text."""
        return "line desc"

    def read_lines(self, window: DayWindow | None) -> None:
        """Make `files` and `lines`, which also have `irregular_line, structure_hash`.

        `irregular_line` is the text of a line that equals no layout or lies outside of the calendar.
        """
        list_files(self.connection, self.name, self.prepared)
        layouts = " or ".join(f"line = {layout}" for layout in self._layouts()) or "false"
        outside = self._is_outside("moment")
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
                        when {self._is_read("moment", window)} then coalesce(
                            not contains(line, '\\') and ({layouts}) and {self.shape.fits}, false
                        ) and not {outside}
                    end as fits_layout
                from dated
            )

            select
                file_id, hash(line) as line_hash, strlen(line) as line_bytes,
                cast(moment as date) as own_day,
                case when not {outside} then own_day end as day,
                case when not fits_layout then line end as irregular_line,
                case
                    when not fits_layout then hash(try({self.shape.types}), try({self.shape.keys}))
                end as structure_hash,
                {self.shape.columns}
            from judged
            -- One condition: of two the optimizer would move one ahead and work out `moment` twice.
            where case when fits_layout is not null then fits_layout or not {_IS_BLANK} else false end
            """,
            {"paths": self.prepared.paths},
        )

    def _days_in(self, files: Sequence[LineFile]) -> list[tuple[int, date | None]]:
        dating = self.shape.with_moment_alone()
        return self.connection.execute(
            f"""
            select distinct file_id, cast({dating.moment_value} as date) as day
            from ({self._texts_query(dating)})
            where not {_IS_BLANK}
            """,
            {"paths": [file.path for file in files]},
        ).fetchall()

    def judge_irregular_lines(self) -> None:
        """Make `irregular` and `records`; a line that lies outside of the calendar is rejected."""
        columns = ", ".join(field.column for field in self.shape.fields)
        shape = self.shape
        self.connection.execute(
            f"""
            create or replace temp table {self.name}_irregular as
            with

            -- Irregular lines may be many, their structures are few: one line stands for all of its kind.
            samples as (
                select structure_hash, any_value(irregular_line) as line
                from {self.name}_lines where irregular_line is not null group by structure_hash
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
                    structure_hash, {shape.structure_rejection} as structure_rejection,
                    {shape.absent_types} as absent_types, {shape.unknown_levels} as unknown_levels
                from worded
            ),

            dated as (
                select * replace ({shape.present_texts} as texts), {shape.moment_value} as moment
                from (
                    select *, try({shape.texts}) as texts
                    from (
                        select *, irregular_line as line from {self.name}_lines
                        where irregular_line is not null
                    )
                )
                inner join structures using (structure_hash)
            ),

            judged as (
                select
                    * exclude ({columns}),
                    coalesce(
                        {shape.text_rejection}, structure_rejection, {shape.value_rejection},
                        {shape.calendar_rejection(self.calendar)}
                    ) as rejection
                from dated
            )

            select
                file_id, line_hash, line_bytes, day, cast(null as varchar) as header, rejection,
                case when rejection is not null then line end as line,
                {shape.columns},
                case when rejection is null then {shape.extra_fields("unknown_levels")} end as _extra
            from judged
            """
        )
        self.connection.execute(
            f"""
            create or replace temp view {self.name}_records as
            select file_id, line_hash, day, {columns}, cast(null as varchar) as _extra
            from {self.name}_lines where irregular_line is null
            union all
            select file_id, line_hash, day, {columns}, _extra
            from {self.name}_irregular where rejection is null
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

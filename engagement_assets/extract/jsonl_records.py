"""Records of JSONL files, read in bulk into temporary tables of a DuckDB connection.

Belongs here: from lines to typed rows, rejected lines and duplicates. Not here: what makes a line
readable (`jsonl.py`), what a record must look like (`json_records.py`), which files are read and
what the rows are for (the source's own module).

A usual line is parsed in one pass, any other is kept as text and judged afterwards. Line numbers
and raw texts are needed for few lines only (rejected ones and duplicates), so these are found by a
second look at the files that hold them: numbering every line would cost more than reading it.
"""

from collections.abc import Collection, Mapping
from contextlib import contextmanager
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from engagement_assets.extract.extraction import DayWindow
from engagement_assets.extract.json_records import RecordShape, instant
from engagement_assets.extract.jsonl import MAX_RAW_TEXT, PreparedFiles

WHITE_SPACE = r"E' \t'"


@dataclass(frozen=True)
class JsonlRecords:
    """Reads prepared files into temporary tables whose names begin with `name`.

    Its methods are called in the order in which they stand here. The tables:

    - `<name>_files`: `file_id, path, source_path, lines_before` of every file.
    - `<name>_lines`: `file_id, line_hash, line_bytes, day, odd_line` and the columns of the shape,
      one row per line that is not blank and may belong to the window. The columns are NULL where
      `odd_line` holds the text of a line that is not usual; `day` is NULL where a line has none.
    - `<name>_odd`: `file_id, line_hash, day, line, verdict, _extra` and the columns, one row per odd
      line; `verdict` says why it is rejected.
    - `<name>_records`: `file_id, line_hash, day, _extra` and the columns of all that is not rejected.
    - `<name>_repeated`: `day` and identity of what occurs more than once on its day.
    - `<name>_winners`: like the records, the one of each repeated identity that stays.
    - `<name>_rejected`: `file_id, line_bytes, day, position, raw_text, reason_code, message`.
    """

    connection: duckdb.DuckDBPyConnection
    name: str
    shape: RecordShape
    prepared: PreparedFiles
    identity: str

    @property
    def _columns(self) -> str:
        return ", ".join(field.column for field in self.shape.fields)

    def list_files(self) -> None:
        """Make `<name>_files`."""
        files = self.prepared.files
        self.connection.execute(
            f"""
            create or replace temp table {self.name}_files as
            select
                unnest($file_ids::bigint[]) as file_id, unnest($paths::varchar[]) as path,
                unnest($keys::varchar[]) as source_path
            """,
            {
                "file_ids": [file.file_id for file in files],
                "paths": [file.path for file in files],
                "keys": [file.key for file in files],
            },
        )

    def read_lines(self, window: DayWindow | None) -> None:
        """Make `<name>_lines`; with a window, of its days and of what has no day."""
        moment = self.shape.moment
        moment_text = (
            f"case when record is not null then record.{moment} "
            f"else try(json_extract_string(line, '$.{moment}')) end"
            if moment
            else "cast(null as varchar)"
        )
        in_window = (
            f"where moment is null or moment >= timestamp '{window.start}' "
            f"and moment < timestamp '{window.end}'"
            if window
            else ""
        )
        self.connection.execute(
            f"""
            create or replace temp table {self.name}_lines as
            with

            lines as (
                select filename, line from {self.prepared.lines_sql()} where line is not null
            ),

            typed as (
                select filename, line, try({self.shape.types}) as types, try({self.shape.keys}) as keys
                from lines
            ),

            structured as (
                select
                    filename, line,
                    case
                        when {self.shape.is_usual} then json_transform(line, {self.shape.structure})
                    end as record
                from typed
            ),

            dated as (
                select *, {instant("moment_text")} as moment
                from (select *, {moment_text} as moment_text from structured)
            ),

            judged as (
                select * replace (case when {self.shape.fits} then record end as record)
                from dated
                {in_window}
            )

            select
                files.file_id, hash(line) as line_hash, strlen(line) as line_bytes,
                cast(moment as date) as day,
                case when record is null then line end as odd_line,
                {self.shape.columns}
            from judged
            inner join {self.name}_files as files on judged.filename = files.path
            """,
            {"paths": [file.path for file in self.prepared.files]},
        )

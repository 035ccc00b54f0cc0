"""Rows of CSV files, read in bulk into temporary tables of a DuckDB connection.

Belongs here: from lines to typed rows. Not here: what a row must look like (`csv_shape.py`), where headers stand
(`csv_headers.py`), what makes a line readable (`line_files.py`).

A record is a line, whatever quotes it contains: a quote that is never closed spoils only its own line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.lines.csv_headers import BYTE_ORDER_MARK, Header
from engagement_assets.extract.lines.csv_shape import EXTRA, CsvShape
from engagement_assets.extract.lines.line_files import LineFile
from engagement_assets.extract.lines.line_places import list_files
from engagement_assets.extract.lines.line_records import LineRecords


@dataclass(frozen=True)
class CsvRecords(LineRecords):
    """Reads parts of files, each with one header or none; `headers` are by `file_id`.

    If the identity is not a column of the shape, it is a new column: the md5 of all columns. Copies of a record then
    differ only in extra columns.
    """

    compares_lines = False

    shape: CsvShape
    headers: tuple[Header | None, ...]

    @property
    def _columns(self) -> list[str]:
        return [column.column for column in self.shape.columns]

    @property
    def content_order(self) -> str:
        """By each column, and then by the extra ones."""
        return ", ".join(f"records.{column} desc nulls last" for column in [*self._columns, "_extra"])

    @property
    def _md5(self) -> dict[str, str]:
        """The identity column to add, and its SQL; none if the identity is one of the shape's columns."""
        return {} if self.identity in self._columns else {self.identity: self.shape.md5}

    def read_lines(self, window: DayWindow | None) -> None:
        """Make `files` and `lines`, which also have `line` (if rejected), `rejection`, `identity` and `_extra`."""
        list_files(self.connection, self.name, self.prepared)
        self._list_headers()
        moment = self.shape.moment
        outside = self._is_outside(moment)
        identity = [f"case when rejection is null then {sql} end as {name}" for name, sql in self._md5.items()]
        self.connection.execute(
            f"""
            create or replace temp table {self.name}_lines as
            with

            judged as (
                select *, {self.shape.rejection(self.calendar)} as rejection
                from ({self._dated_lines()})
                where {self._is_read(moment, window)}
            )

            select
                file_id, hash(line) as line_hash, strlen(line) as line_bytes,
                cast({moment} as date) as own_day,
                case when not {outside} then own_day end as day,
                case when rejection is not null then line end as line,
                rejection,
                {", ".join([*identity, *self._columns])},
                case
                    when rejection is null and len(extras) > 0 and len({EXTRA}) > 0
                        then cast(to_json(map_from_entries(list_transform(
                            {EXTRA}, lambda extra: row(extra.name, extra.value)
                        ))) as varchar)
                end as _extra
            from judged
            """,
            {"paths": self.prepared.paths},
        )

    def _days_in(self, files: Sequence[LineFile]) -> list[tuple[int, date | None]]:
        return self.connection.execute(
            f"select distinct file_id, cast({self.shape.moment} as date) as day from ({self._dated_lines()})",
            {"paths": [file.path for file in files]},
        ).fetchall()

    def judge_irregular_lines(self) -> None:
        """Make `irregular` and `records`, of lines that `read_lines` has judged."""
        self.connection.execute(
            f"""
            create or replace temp view {self.name}_irregular as
            select lines.*, case when headers.fault is null then headers.header_line end as header
            from {self.name}_lines as lines
            inner join {self.name}_headers as headers using (file_id)
            where rejection is not null or _extra is not null
            """
        )
        self.connection.execute(
            f"""
            create or replace temp view {self.name}_records as
            select file_id, line_hash, day, {", ".join([*self._md5, *self._columns])}, _extra
            from {self.name}_lines where rejection is null
            """
        )

    def _list_headers(self) -> None:
        """Make `<name>_headers`: `file_id, header_line, fault, width, places, repeated, extras`."""
        known, headers = self.shape.names, self.headers
        self.connection.execute(
            f"""
            create or replace temp table {self.name}_headers as
            select
                unnest(range(len($lines)))::bigint as file_id,
                unnest($lines::varchar[]) as header_line,
                unnest($faults::struct(reason_code varchar, message varchar)[]) as fault,
                unnest($widths::bigint[]) as width,
                unnest($places::bigint[][]) as places,
                unnest($repeated::varchar[]) as repeated,
                unnest($extras::struct(name varchar, place bigint, is_named boolean)[][]) as extras
            """,
            {
                "lines": [header and header.line for header in headers],
                "faults": [
                    header and header.fault and {"reason_code": header.fault[0], "message": header.fault[1]}
                    for header in headers
                ],
                "widths": [len(header.names) if header else None for header in headers],
                "places": [[header.place(name) if header else None for name in known] for header in headers],
                "repeated": [header and header.repeated(known) for header in headers],
                "extras": [
                    [
                        {"name": name, "place": place, "is_named": is_named}
                        for name, place, is_named in (header.extras(known) if header else [])
                    ]
                    for header in headers
                ],
            },
        )

    def _dated_lines(self) -> str:
        """A query for `$paths`: the lines that are neither blank nor headers, with their values.

        `values_found` counts the values of a line, NULL when its quotes are wrong; `texts`, and with it every column,
        is NULL when they do not fit the header.
        """
        return f"""
            select *, {self.shape.typed_values}
            from (
                select *, {self.shape.texts}
                from (
                    select
                        * exclude (texts), len(texts) as values_found,
                        case when fault is null and repeated is null and len(texts) = width then texts end as texts
                    from (
                        select headers.*, lines.line, {self.shape.values} as texts
                        from {self.prepared.lines_sql()} as lines
                        inner join {self.name}_files as files on lines.filename = files.path
                        inner join {self.name}_headers as headers on files.file_id = headers.file_id
                        where
                            lines.line is not null
                            and lines.line is distinct from headers.header_line
                            and lines.line is distinct from '{BYTE_ORDER_MARK}' || headers.header_line
                    )
                )
                where texts is not null or not regexp_full_match(line, '[ \t]*')
            )
        """

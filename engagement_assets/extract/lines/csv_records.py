"""Rows of CSV files, read in bulk into temporary tables of a DuckDB connection.

Belongs here: from lines to typed rows, rejected lines and duplicates. Not here: what makes a line
readable (`line_files.py`), where headers stand (`csv_headers.py`), which files are read and what the
rows are for (the source's own module).

A record is a line, whatever quotes stand in it: a quote that is never closed then spoils its own
line and no other. A value may stand in quotes, with `""` for a quote; a quote elsewhere is a
character like others.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from engagement_assets.contracts.extraction import ALL_DAYS, Calendar, DayWindow
from engagement_assets.extract.absent_values import is_blank_sql
from engagement_assets.extract.instants import instant_sql
from engagement_assets.extract.lines.csv_headers import BYTE_ORDER_MARK, DELIMITER, CsvParts
from engagement_assets.extract.lines.json_records import first_of, outside_calendar
from engagement_assets.extract.lines.line_files import MAX_RAW_TEXT, PreparedFiles
from engagement_assets.extract.lines.line_places import find_lines, list_files

_VALUE = rf'"(?:[^"]|"")*"|(?:[^"{DELIMITER}][^{DELIMITER}]*)?'
_QUOTED_VALUES = rf"""
    list_transform(
        regexp_extract_all(line || '{DELIMITER}', '({_VALUE}){DELIMITER}', 1),
        lambda value: case
            when starts_with(value, '"') then replace(value[2:-2], '""', '"') else value
        end
    )"""
_VALUES = rf"""
    case
        when not contains(line, '"') then string_split(line, '{DELIMITER}')
        when regexp_full_match(line, '(?:{_VALUE})(?:{DELIMITER}(?:{_VALUE}))*') then {_QUOTED_VALUES}
    end"""
_EXTRA = """
    list_filter(
        list_transform(extras, lambda extra: {
            'name': extra.name, 'is_named': extra.is_named, 'value': nullif(texts[extra.place], '')
        }),
        lambda extra: extra.is_named or extra.value is not null
    )"""


@dataclass(frozen=True)
class CsvColumn:
    """A column that the contract names: its name in the header, the column that it becomes.

    A value of nothing or of blanks alone is NULL (`absent_values.py`). An instant becomes UTC (TIMESTAMP).
    """

    name: str
    column: str
    required: bool = False
    is_instant: bool = False


@dataclass(frozen=True)
class CsvRecords:
    """Reads parts of files into temporary tables whose names begin with `name`.

    `identity` is a column of its own: the md5 of all `columns`, by which copies are told. The day of
    a row is that of the column `moment`. The methods are called in the order in which they stand
    here.

    - `<name>_files`: `file_id, path, source_path`.
    - `<name>_lines`: `file_id, line_hash, line_bytes, own_day, day, line, verdict, identity, columns, _extra`,
      one row per line that is not blank, no header, and may belong to the window. `own_day` is NULL
      where the line does not say it, and `day` also where that lies outside of the calendar; `verdict`
      is NULL or says why the line (then `line`) is rejected.
    - `<name>_irregular`: a view of the lines that are rejected or hold an extra column.
    - `<name>_records`: `file_id, line_hash, day, identity, columns, _extra`, a view of what is not
      rejected.
    - `<name>_repeated`: `day, identity, copies` of what occurs more than once on a day.
    - `<name>_winners`: like the records, the one of each repeated identity that stays.
    - `<name>_rejected`: `file_id, day, line_bytes, position, raw_text, header, reason_code, message`,
      all lines that are no records; `day` is still NULL where the line says none of the calendar, and
      `header` where the line could not be read or stands under none that can be used.
    """

    connection: duckdb.DuckDBPyConnection
    name: str
    columns: tuple[CsvColumn, ...]
    moment: str
    parts: CsvParts
    identity: str
    calendar: Calendar = ALL_DAYS

    @property
    def prepared(self) -> PreparedFiles:
        """The files, in parts."""
        return self.parts.prepared

    def read_lines(self, window: DayWindow) -> None:
        """Make `files` and `lines`: lines of the window's days and those without a day of the calendar."""
        list_files(self.connection, self.name, self.prepared)
        self._list_headers()
        columns = ", ".join(column.column for column in self.columns)
        outside = self.calendar.is_outside_sql(self.moment)
        self.connection.execute(
            f"""
            create or replace temp table {self.name}_lines as
            with

            judged as (
                select *, {self._verdict()} as verdict
                from ({self._dated_lines()})
                where
                    {self.moment} is null
                    or {self.moment} >= timestamp '{window.start}'
                    and {self.moment} < timestamp '{window.end}'
                    or {outside}
            )

            select
                file_id, hash(line) as line_hash, strlen(line) as line_bytes,
                cast({self.moment} as date) as own_day,
                case when not {outside} then own_day end as day,
                case when verdict is not null then line end as line,
                verdict,
                case when verdict is null then {self._hash()} end as {self.identity},
                {columns},
                case
                    when verdict is null and len(extras) > 0 and len({_EXTRA}) > 0
                        then cast(to_json(map_from_entries(list_transform(
                            {_EXTRA}, lambda extra: row(extra.name, extra.value)
                        ))) as varchar)
                end as _extra
            from judged
            """,
            {"paths": self.prepared.paths},
        )

    def days_of_files(self, file_ids: Collection[int]) -> dict[int, set[date | None]]:
        """The days of all lines of some files, by `file_id`; None for lines that have none.

        Where the window left lines out, the files that hold them are looked through once more.
        """
        origins = self.parts.origins
        files = [file for file in self.prepared.files if origins[file.file_id] in file_ids]
        found: dict[int, set[date | None]] = {file_id: set() for file_id in file_ids}
        for file in files:
            found[origins[file.file_id]] |= {None} if file.malformed_count else set()
        kept = dict(
            self.connection.execute(
                f"select file_id, sum(line_bytes) + count(*) from {self.name}_lines group by file_id"
            ).fetchall()
        )
        # Each line ends with one byte more than it holds.
        partly_read = [
            file for file in files if kept.get(file.file_id, 0) + self.parts.header_bytes[file.file_id] < file.size
        ]
        days = self.connection.execute(f"select distinct file_id, own_day from {self.name}_lines").fetchall()
        if partly_read:
            days += self.connection.execute(
                f"select distinct file_id, cast({self.moment} as date) as day from ({self._dated_lines()})",
                {"paths": [file.path for file in partly_read]},
            ).fetchall()
        for file_id, day in days:
            if origins[file_id] in found:
                found[origins[file_id]].add(day)
        return found

    def judge_irregular_lines(self) -> None:
        """Make `irregular` and `records`, of lines that `read_lines` has judged."""
        columns = ", ".join([self.identity, *(column.column for column in self.columns), "_extra"])
        self.connection.execute(
            f"""
            create or replace temp view {self.name}_irregular as
            select * from {self.name}_lines where verdict is not null or _extra is not null
            """
        )
        self.connection.execute(
            f"""
            create or replace temp view {self.name}_records as
            select file_id, line_hash, day, {columns} from {self.name}_lines where verdict is null
            """
        )

    def find_winners_and_rejected(self, winner_order: str) -> None:
        """Make `repeated`, `winners` and `rejected`.

        `winner_order` puts the winner first, over the columns `_extra` and `source_path`: in all
        else copies are equal.

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
            create or replace temp table {self.name}_winners as
            select records.*
            from {self.name}_records as records
            semi join {self.name}_repeated as repeated
                on records.{self.identity} = repeated.{self.identity}
            inner join {self.name}_files as files on records.file_id = files.file_id
            qualify row_number() over (
                partition by records.{self.identity} order by {winner_order}
            ) = 1
            """
        )
        self.connection.execute(
            f"""
            create or replace temp table {self.name}_wanted as
            select distinct file_id, line_hash from {self.name}_lines where verdict is not null
            """
        )
        find_lines(self.connection, self.name, self.prepared)
        self.connection.execute(
            f"""
            create or replace temp table {self.name}_rejected as
            select
                irregular.file_id, irregular.day, irregular.line_bytes, found.position,
                left(irregular.line, {MAX_RAW_TEXT}) as raw_text,
                case when headers.fault is null then headers.header_line end as header,
                irregular.verdict.reason_code as reason_code, irregular.verdict.message as message
            from (
                select distinct on (file_id, line) * from {self.name}_lines
                where verdict is not null
            ) as irregular
            inner join {self.name}_found as found
                on irregular.file_id = found.file_id
                and irregular.line_hash = found.line_hash
                and irregular.line = found.line
            inner join {self.name}_headers as headers on irregular.file_id = headers.file_id
            union all by name
            select file_id, line_bytes, position, raw_text, reason_code, message
            from ({self.prepared.malformed_lines_sql()})
            """
        )

    def _list_headers(self) -> None:
        """Make `<name>_headers`: `file_id, header_line, fault, width, places, repeated, extras`."""
        known = [column.name for column in self.columns]
        headers = self.parts.headers
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
        """A query for `$paths`: the lines that are not blank and no headers, with their values.

        `values_found` counts the values of a line, NULL when its quotes are wrong; `texts`, and with
        it every column, is NULL when they do not fit the header. Of an instant there is also the
        text, as `<column>_text`.
        """
        texts = ", ".join(
            f"case when not {is_blank_sql(f'texts[places[{place}]]')} then texts[places[{place}]] end "
            f"as {column.column}{'_text' if column.is_instant else ''}"
            for place, column in enumerate(self.columns, 1)
        )
        instants = ", ".join(
            f"{instant_sql(f'{column.column}_text', or_named_utc=True)} as {column.column}"
            for column in self.columns
            if column.is_instant
        )
        return f"""
            select *, {instants}
            from (
                select *, {texts}
                from (
                    select
                        * exclude (texts), len(texts) as values_found,
                        case when fault is null and repeated is null and len(texts) = width then texts end as texts
                    from (
                        select headers.*, lines.line, {_VALUES} as texts
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

    def _verdict(self) -> str:
        """SQL for what is wrong with a line, NULL when it is a record."""
        names = DELIMITER.join(column.name for column in self.columns)
        count = "values_found || ' values, and ' || width || ' columns in the header'"
        rules = [
            ("width is null", "no_header", f"'expected a header before this line such as {names}, found none'"),
            (
                "repeated is not null",
                "repeated_column",
                "repeated || ': expected it once in the header, found it twice'",
            ),
            (
                "values_found is null",
                "bad_quotes",
                f"'expected the quote that closes a value, and then a {DELIMITER} or the end of the line, found none'",
            ),
            ("values_found < width", "too_few_fields", f"'expected a value for each column, found ' || {count}"),
            ("values_found > width", "too_many_fields", f"'expected a column for each value, found ' || {count}"),
            *(self._missing(place, column) for place, column in enumerate(self.columns, 1) if column.required),
            *(
                (
                    f"{column.column} is null and {column.column}_text is not null",
                    "bad_timestamp",
                    f"'{column.name}: expected a time such as 2020-01-31 23:59:59.123, found ' "
                    f"|| left({column.column}_text, 64)",
                )
                for column in self.columns
                if column.is_instant
            ),
            *(
                outside_calendar(self.calendar, column.column, column.name, f"{column.column}_text")
                for column in self.columns
                if column.column == self.moment
            ),
        ]
        return f"case when fault is not null then fault else {first_of(rules)} end"

    @staticmethod
    def _missing(place: int, column: CsvColumn) -> tuple[str, str, str]:
        value = f"{column.column}_text" if column.is_instant else column.column
        found = f"case when places[{place}] is null then 'no such column' else 'an empty one' end"
        return (f"{value} is null", f"missing_{column.name}", f"'{column.name}: expected a value, found ' || {found}")

    def _hash(self) -> str:
        """SQL for the md5 of all columns: a value is never taken for another one's, nor for no value.

        A line feed parts them, which no value holds, since a record is a line.
        """
        return "md5(concat_ws(chr(10), " + ", ".join(_marked(self.columns)) + "))"


def _marked(columns: Sequence[CsvColumn]) -> list[str]:
    values = (f"epoch_us({column.column})" if column.is_instant else column.column for column in columns)
    return [f"coalesce('=' || {value}, '')" for value in values]

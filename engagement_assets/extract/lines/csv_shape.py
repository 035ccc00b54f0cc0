"""What a CSV row must look like, as SQL for DuckDB.

Belongs here: the columns of a row, and the expressions that split a line into values, type them and judge them. Not
here: where headers stand (`csv_headers.py`), how lines are read (`csv_records.py`), which rows a source sends (the
source's own module).

A value may stand in quotes, with `""` for a quote; elsewhere a quote is an ordinary character. An empty value, or one
of only blanks, is NULL (`absent_values.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from engagement_assets.contracts.extraction import Calendar
from engagement_assets.contracts.field_notes import NO_NOTE, Note
from engagement_assets.extract.absent_values import is_blank_sql
from engagement_assets.extract.instants import instant_sql
from engagement_assets.extract.lines.rejections import first_of, outside_calendar
from engagement_assets.privacy.shapes import said_sql

EXTRA = """
    list_filter(
        list_transform(extras, lambda extra: {
            'name': extra.name, 'is_named': extra.is_named, 'value': nullif(texts[extra.place], '')
        }),
        lambda extra: extra.is_named or extra.value is not null
    )"""

_INTEGER = r"[+-]?\d+"
_NUMBER = r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?"


class CsvKind(Enum):
    """What a column holds: its type, the reason code for a text that does not fit, and what was expected."""

    TEXT = ("VARCHAR", "", "")
    INSTANT = ("TIMESTAMP", "bad_timestamp", "a time such as 2020-01-31 23:59:59.123")
    INTEGER = ("BIGINT", "bad_integer", "a whole number such as 42")
    NUMBER = ("DOUBLE", "bad_number", "a number such as 42.5")


@dataclass(frozen=True)
class CsvColumn:
    """A column that the contract names, and what it holds; an instant becomes UTC.

    `sent_as` is its name in the header, if that differs. The `note` is for people who write such rows.
    """

    column: str
    kind: CsvKind = CsvKind.TEXT
    required: bool = False
    sent_as: str | None = None
    note: Note = NO_NOTE

    @property
    def name(self) -> str:
        """Its name in the header."""
        return self.sent_as or self.column

    @property
    def text(self) -> str:
        """SQL for the value as it was sent."""
        return self.column if self.kind is CsvKind.TEXT else f"{self.column}_text"

    @property
    def value(self) -> str:
        """SQL for the typed value, NULL if the text does not fit the type."""
        match self.kind:
            case CsvKind.TEXT:
                return self.column
            case CsvKind.INSTANT:
                return instant_sql(self.text, or_named_utc=True)
            case CsvKind.INTEGER:
                return (
                    f"case when regexp_full_match({self.text}, '{_INTEGER}') then try_cast({self.text} as bigint) end"
                )
            case CsvKind.NUMBER:
                number = f"try_cast({self.text} as double)"
                return f"case when regexp_full_match({self.text}, '{_NUMBER}') and isfinite({number}) then {number} end"


@dataclass(frozen=True)
class CsvShape:
    """All columns that the contract of a row names, and the one (`moment`, an instant) that dates it."""

    columns: tuple[CsvColumn, ...]
    moment: str
    delimiter: str = ","

    @property
    def names(self) -> list[str]:
        """The names of the columns in a header."""
        return [column.name for column in self.columns]

    @property
    def column_types(self) -> dict[str, str]:
        """The columns that a row becomes, and their types."""
        return {column.column: column.kind.value[0] for column in self.columns}

    @property
    def values(self) -> str:
        """SQL for the values of `line` as a list, NULL where its quotes are wrong."""
        # As a character code, it has no special meaning in a pattern.
        code = rf"\x{ord(self.delimiter):02x}"
        value = rf'"(?:[^"]|"")*"|(?:[^"{code}][^{code}]*)?'
        return rf"""
            case
                when not contains(line, '"') then string_split(line, '{self.delimiter}')
                when regexp_full_match(line, '(?:{value})(?:{code}(?:{value}))*') then list_transform(
                    regexp_extract_all(line || '{self.delimiter}', '({value}){code}', 1),
                    lambda value: case when starts_with(value, '"') then replace(value[2:-2], '""', '"') else value end
                )
            end"""

    @property
    def texts(self) -> str:
        """SQL for the text of each column, from `texts` and the `places` of the columns in the header."""
        return ", ".join(
            f"case when not {is_blank_sql(f'texts[places[{place}]]')} then texts[places[{place}]] end as {column.text}"
            for place, column in enumerate(self.columns, 1)
        )

    @property
    def typed_values(self) -> str:
        """SQL for the columns that are not texts."""
        typed = (column for column in self.columns if column.kind is not CsvKind.TEXT)
        return ", ".join(f"{column.value} as {column.column}" for column in typed)

    def rejection(self, calendar: Calendar) -> str:
        """SQL for what is wrong with a line, NULL when it is a record."""
        names = self.delimiter.join(self.names)
        count = "values_found || ' values, and ' || width || ' columns in the header'"
        quotes = (
            f"'expected the quote that closes a value, and then a {self.delimiter} or the end of the line, found none'"
        )
        twice = "repeated || ': expected it once in the header, found it twice'"
        (moment,) = (column for column in self.columns if column.column == self.moment)
        rules = [
            ("width is null", "no_header", f"'expected a header before this line such as {names}, found none'"),
            ("repeated is not null", "repeated_column", twice),
            ("values_found is null", "bad_quotes", quotes),
            ("values_found < width", "too_few_fields", f"'expected a value for each column, found ' || {count}"),
            ("values_found > width", "too_many_fields", f"'expected a column for each value, found ' || {count}"),
            *(_missing(place, column) for place, column in enumerate(self.columns, 1) if column.required),
            *(_unreadable(column) for column in self.columns if column.kind is not CsvKind.TEXT),
            outside_calendar(calendar, moment.column, moment.name, moment.text),
        ]
        return f"case when fault is not null then fault else {first_of(rules)} end"

    @property
    def md5(self) -> str:
        """SQL for the md5 of all columns. It never mistakes a value for that of another column, or for a missing one.

        A line feed separates the values: no value holds one, since a record is a line.
        """
        return f"md5(concat_ws(chr(10), {', '.join(_marked(self.columns))}))"


def _missing(place: int, column: CsvColumn) -> tuple[str, str, str]:
    found = f"case when places[{place}] is null then 'no such column' else 'an empty one' end"
    return f"{column.text} is null", f"missing_{column.name}", f"'{column.name}: expected a value, found ' || {found}"


def _unreadable(column: CsvColumn) -> tuple[str, str, str]:
    _, reason_code, expected = column.kind.value
    message = f"'{column.name}: expected {expected}, found ' || {said_sql(column.text)}"
    return f"{column.column} is null and {column.text} is not null", reason_code, message


def _marked(columns: Sequence[CsvColumn]) -> list[str]:
    values = (f"epoch_us({item.column})" if item.kind is CsvKind.INSTANT else item.column for item in columns)
    return [f"coalesce('=' || {value}, '')" for value in values]

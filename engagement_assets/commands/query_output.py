"""Rows of a query as a table for people, and as CSV or JSON for programs.

Belongs here: what values look like in each of them, and how a table fits a terminal. Not here: where rows come from
(`published_query.py`). Cells are data, so what a terminal shows of them is `shown_text.py`'s.
"""

import csv
import json
import math
import re
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any, TextIO

from engagement_assets.shown_text import FORMULA, shown

_NUMBERS = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|BIGNUM|DECIMAL\(.*\))")
_FORMULA = re.compile(FORMULA)
_GAP = "  "
# A text is not cut below this.
_NARROWEST = 12


@dataclass(frozen=True)
class Table:
    """The lines of a table, and the columns that do not fit."""

    lines: list[str]
    left_out: list[str]


def as_table(
    columns: Sequence[str],
    kinds: Sequence[str],
    rows: Sequence[Sequence[Any]],
    width: int | None = None,
    *,
    wraps_last: bool = False,
) -> Table:
    """A table of at most `width` signs: long texts are cut, and then the last columns left out.

    With `wraps_last`, the text of the last column goes on below itself instead of being cut.
    """
    is_number = [bool(_NUMBERS.fullmatch(kind)) for kind in kinds]
    cells = [[_shown(name) for name in columns], *([_shown(text_of(value, "NULL")) for value in row] for row in rows)]
    natural = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    widths = natural if width is None else _fitting(natural, is_number, width, wraps_last=wraps_last)
    cells.insert(1, ["-" * of for of in widths])
    lines = []
    for row in cells:
        parts = [[_cut(cell, of)] for cell, of in zip(row, widths, strict=False)]
        if wraps_last and len(widths) == len(columns):
            parts[-1] = textwrap.wrap(row[-1], widths[-1]) or [""]
        for number in range(max(map(len, parts))):
            line = (
                _padded(part[number] if number < len(part) else "", of, right=right)
                for part, of, right in zip(parts, widths, is_number, strict=False)
            )
            lines.append(_GAP.join(line).rstrip())
    return Table(lines, [_shown(name) for name in columns[len(widths) :]])


def write_csv(
    columns: Sequence[str], batches: Iterable[Sequence[Sequence[Any]]], out: TextIO, *, for_spreadsheet: bool = False
) -> None:
    """All rows as RFC 4180 has them, NULL as nothing; `for_spreadsheet` puts an apostrophe before formulas."""
    on_terminal = out.isatty()

    def cell(value: Any) -> str:
        text = text_of(value, "")
        if for_spreadsheet and isinstance(value, str) and _FORMULA.match(text):
            text = f"'{text}"
        return shown(text, sys.maxsize) if on_terminal else text

    writer = csv.writer(out, lineterminator="\r\n")
    for number, rows in enumerate(_at_least_one(batches)):
        # With the first rows: if there is an error, nothing has been written yet.
        if number == 0:
            writer.writerow([cell(name) for name in columns])
        writer.writerows([cell(value) for value in row] for row in rows)


def write_json(columns: Sequence[str], batches: Iterable[Sequence[Sequence[Any]]], out: TextIO) -> None:
    """All rows as a list of objects, one a line; in ASCII, so that no text can control a terminal."""
    separator = "["
    for rows in _at_least_one(batches):
        for row in rows:
            named = {name: plain(value) for name, value in zip(columns, row, strict=True)}
            out.write(f"{separator}\n{json.dumps(named, allow_nan=False)}")
            separator = ","
    out.write("[]\n" if separator == "[" else "\n]\n")


def text_of(value: Any, null: str) -> str:
    """A value as one text: times as ISO has them, but with a blank; lists and structs as JSON."""
    if value is None:
        return null
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple | dict):
        return json.dumps(plain(value), ensure_ascii=False)
    return str(value)


def plain(value: Any) -> Any:
    """A value as JSON can hold it: what is no number (NaN, infinity) becomes null."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float | Decimal):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, dict):
        return {text_of(key, "null"): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return text_of(value, "")


def _at_least_one(batches: Iterable[Sequence[Sequence[Any]]]) -> Iterator[Sequence[Sequence[Any]]]:
    found = iter(batches)
    yield next(found, [])
    yield from found


def _fitting(natural: Sequence[int], is_number: Sequence[bool], width: int, *, wraps_last: bool) -> list[int]:
    """The widths of as many columns as fit, at least one; numbers are never cut."""
    for count in range(len(natural), 0, -1):
        room = width - len(_GAP) * (count - 1)
        last = count - 1 if wraps_last and count == len(natural) else None
        if last is not None:
            # What wraps gives way first.
            rest = room - sum(natural[:last])
            if rest >= min(natural[last], _NARROWEST):
                return [*natural[:last], min(natural[last], rest)]
        for longest in range(min(max(natural), room), _NARROWEST - 1, -1):
            widths = [
                of if number else min(of, longest) for of, number in zip(natural[:count], is_number, strict=False)
            ]
            if sum(widths) <= room:
                return widths
    return [natural[0] if is_number[0] else min(natural[0], max(width, 1))]


def _shown(text: str) -> str:
    return shown(text, sys.maxsize)


def _width(text: str) -> int:
    """How many signs of a terminal a text takes: two for a Chinese one, none for an accent of its own."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


def _cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    text = text[:width]
    while _width(text) > width - 1:
        text = text[:-1]
    return f"{text}…"


def _padded(text: str, width: int, *, right: bool) -> str:
    blanks = " " * (width - _width(text))
    return blanks + text if right else text + blanks

"""Header lines of CSV files: what they name, and files cut where they change.

Belongs here: recognising a header wherever it stands in a file. Not here: what makes a line readable
(`line_files.py`), how rows are read under a header (`csv_records.py`).

A file that was put together from several has a header for each of them, and their columns may differ. Such a file is
copied once per distinct header, without the lines under other headers. Each of these leaves a blank line behind, so
that line numbers stay those of the source.

Where one of the several ended without a line break, the next one's header stands on the line of its last row. Such a
line is rejected. If that header differs from the one above, nobody knows what the values of the rows below mean. These
rows are rejected as well, up to the next header.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import merge
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

from engagement_assets.extract.lines.csv_shape import CsvShape
from engagement_assets.extract.lines.line_files import LineFile, PreparedFiles

BYTE_ORDER_MARK = "\ufeff"

# No row of values holds this many column names.
_NAMES_OF_A_HEADER = 3
# A contract names about ten columns, and nobody reads hundreds of others. Each costs a lookup per row, and a rejected
# row keeps its header.
MAX_COLUMNS = 1_000
MAX_HEADER_CHARACTERS = 32 * 1024
# Exports of each minute of two months, put together, have 90,000 headers.
MAX_HEADERS = 100_000
# A file is copied once for each of these.
MAX_DIFFERENT_HEADERS = 100
# What exports put between values, and how messages call it.
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Header:
    """The names of columns in their order, and the line that holds them (without a byte order mark).

    With a `fault` (a reason code and a message) no row under it can be read; it then has no names.
    """

    line: str
    names: tuple[str, ...]
    fault: tuple[str, str] | None = None

    def place(self, name: str) -> int | None:
        """Where a column stands, from 1; None if it is missing."""
        return self.names.index(name) + 1 if name in self.names else None

    def repeated(self, known: Sequence[str]) -> str | None:
        """The first of the `known` names that occurs more than once."""
        counts = Counter(self.names)
        return next((name for name in known if counts[name] > 1), None)

    def extras(self, known: Sequence[str]) -> list[tuple[str, int, bool]]:
        """For each further column: a unique name, its place, and whether the header names it."""
        taken = set(known)
        found = []
        for place, name in enumerate(self.names, 1):
            if name in known:
                continue
            unique = name if name and name not in taken else f"{name or 'column'}_{place}"
            while unique in taken:
                unique += "_"
            taken.add(unique)
            found.append((unique, place, bool(name)))
        return found


_IN_A_ROW = Header(
    # It equals no line, so that the line with the header in it is rejected too.
    line="",
    names=(),
    fault=(
        "header_in_a_row",
        "expected a header on a line of its own, found one after a row, on this line or above: end each file with a "
        "line break before you join files",
    ),
)


@dataclass(frozen=True)
class _HeaderLine:
    """A header, and where its line starts and ends in a file; without a line of its own it ends where it starts."""

    start: int
    end: int
    header: Header


def cut_at_headers(prepared: PreparedFiles, shape: CsvShape) -> tuple[PreparedFiles, tuple[Header | None, ...]]:
    """Find the headers of all files; copy those files in parts whose headers differ.

    A line with three of the shape's names as values is a header. Below a file's first line it must hold the first or
    the last of them.

    Returns:
        The parts, each with one header or none, and these headers by `file_id`. Parts of one file have the file's key.
    """
    firsts: list[tuple[LineFile, Header | None]] = []
    others: list[tuple[LineFile, Header | None]] = []
    for file in prepared.files:
        first, *further = _parts_of(file, shape, prepared.malformed_lines.parent)
        firsts.append(first)
        for part, header in further:
            others.append((replace(part, file_id=len(prepared.files) + len(others), malformed_count=0), header))
    parts = [*firsts, *others]
    return replace(prepared, files=tuple(part for part, _ in parts)), tuple(header for _, header in parts)


def _parse_header(line: str, shape: CsvShape) -> Header | None:
    """The header that a line is, None if it is not a header."""
    line = line.removeprefix(BYTE_ORDER_MARK)
    try:
        (names,) = csv.reader([line], delimiter=shape.delimiter)
    except (csv.Error, ValueError):
        return None
    names = [name.strip() for name in names]
    if len(set(names) & set(shape.names)) < _NAMES_OF_A_HEADER:
        return None
    if len(names) > MAX_COLUMNS or len(line) > MAX_HEADER_CHARACTERS:
        message = (
            f"expected a header of at most {MAX_COLUMNS:,} columns and {MAX_HEADER_CHARACTERS:,} characters above this "
            f"line, found one of {len(names):,} columns and {len(line):,} characters"
        )
        return Header(line, (), ("header_too_large", message))
    return Header(line, tuple(names))


def _parts_of(file: LineFile, shape: CsvShape, workdir: Path) -> list[tuple[LineFile, Header | None]]:
    """A part per distinct header of a file."""
    path = Path(file.path)
    if not path.stat().st_size:
        return [(file, None)]
    # Not mapped into memory: a mapped file that somebody cuts short ends the process.
    with path.open("rb") as content:
        first = _first_line(content)
        found = list(_header_lines(content, first, shape)) or _header_of_other_delimiter(content, first, shape)
        if not found:
            return [(file, None)]
        begins_with_header = found[0].start == first
        headers = list(dict.fromkeys(item.header for item in found))
        if begins_with_header and len(headers) == 1:
            taken = sum(item.end - item.start + 1 for item in found)
            return [(replace(file, record_bytes=file.record_bytes - taken), headers[0])]
        ends = [item.start for item in found[1:]] + [path.stat().st_size]
        sections: list[tuple[Header | None, int, int]] = [
            (item.header, 0 if begins_with_header and item is found[0] else item.end, end)
            for item, end in zip(found, ends, strict=True)
        ]
        if not begins_with_header:
            sections.insert(0, (None, 0, found[0].start))
        parts: list[tuple[LineFile, Header | None]] = []
        for number, header in enumerate(dict.fromkeys(header for header, *_ in sections)):
            copy = workdir / f"{file.file_id:06d}_{number}.csv"
            _copy_sections(content, sections, header, copy)
            parts.append((replace(file, path=str(copy), record_bytes=copy.stat().st_size), header))
        return parts


def _header_lines(content: BinaryIO, first: int, shape: CsvShape) -> Iterator[_HeaderLine]:
    """The headers of a file in their order; all that follows the first of too many is rejected."""
    headers: dict[Header, Header] = {}
    for number, item in enumerate(_all_header_lines(content, first, shape), 1):
        # Many lines have one header: all of them share it.
        header = headers.setdefault(item.header, item.header)
        if len(headers) <= MAX_DIFFERENT_HEADERS and number <= MAX_HEADERS:
            yield replace(item, header=header)
            continue
        message = (
            f"expected at most {MAX_HEADERS:,} headers in a file, of which {MAX_DIFFERENT_HEADERS:,} differ, found "
            "more of them above this line: put fewer files together in one"
        )
        yield replace(item, header=Header(header.line, (), ("too_many_headers", message)))
        return


def _all_header_lines(content: BinaryIO, first: int, shape: CsvShape) -> Iterator[_HeaderLine]:
    names = shape.names
    above: Header | None = None
    for start, line in _lines_with(content, first, (names[0], names[-1])):
        end = start + len(line)
        header = _parse_header(line.decode(), shape)
        if not header or (above and _is_row_before_same_header(header.line, above, shape.delimiter)):
            continue
        if start > first and _begins_in_a_value(header, names):
            yield _HeaderLine(start, start, _IN_A_ROW)
            above = None
        else:
            yield _HeaderLine(start, end, header)
            above = header


def _header_of_other_delimiter(content: BinaryIO, first: int, shape: CsvShape) -> list[_HeaderLine]:
    """The first line, if it is a header but for the character between its names."""
    content.seek(first)
    # No header that can be read is longer.
    line = content.readline(4 * MAX_HEADER_CHARACTERS)
    text = line.removesuffix(b"\n").decode("utf-8", "replace")
    for delimiter, called in _DELIMITERS.items():
        if delimiter != shape.delimiter and _parse_header(text, replace(shape, delimiter=delimiter)):
            message = f"expected {shape.delimiter} between values, found a header whose names are parted by {called}"
            header = Header(text.removeprefix(BYTE_ORDER_MARK), (), ("wrong_delimiter", message))
            return [_HeaderLine(first, first + len(line.removesuffix(b"\n")), header)]
    return []


def _is_row_before_same_header(line: str, above: Header, delimiter: str) -> bool:
    row = line.removesuffix(above.line)
    # A header of more columns may end like the one above.
    return row not in (line, "") and (not row.endswith(delimiter) or row.count(delimiter) == len(above.names) - 1)


def _begins_in_a_value(header: Header, known: Sequence[str]) -> bool:
    """Whether the last value of a row and the first name of a header are one: no line break is between them."""
    for name in header.names:
        if name in known:
            return False
        if any(name.endswith(item) and item not in header.names for item in known):
            return True
    return False


def _lines_with(content: BinaryIO, first: int, names: Sequence[str]) -> Iterator[tuple[int, bytes]]:
    """The line that starts at `first`, and those below that hold one of the names: where each starts, and its text."""
    content.seek(first)
    place = first
    while block := content.read(_BLOCK_BYTES) + content.readline():
        starts = merge([0] if place == first else [], *(_starts_of_lines_with(block, name.encode()) for name in names))
        for start, _ in groupby(starts):
            end = block.find(b"\n", start)
            yield place + start, block[start : end if end >= 0 else len(block)]
        place += len(block)


def _starts_of_lines_with(block: bytes, name: bytes) -> Iterator[int]:
    place = block.find(name)
    while place >= 0:
        yield block.rfind(b"\n", 0, place) + 1
        end = block.find(b"\n", place)
        place = block.find(name, end) if end >= 0 else -1


def _first_line(content: BinaryIO) -> int:
    """Where the first line starts that is not blank."""
    start = 0
    for line in content:
        if line.strip(b" \t\n"):
            break
        start += len(line)
    return start


def _copy_sections(
    content: BinaryIO, sections: Sequence[tuple[Header | None, int, int]], wanted: Header | None, target: Path
) -> None:
    with target.open("wb") as out:
        for header, start, end in sections:
            content.seek(start)
            for place in range(start, end, _BLOCK_BYTES):
                block = content.read(min(_BLOCK_BYTES, end - place))
                out.write(block if header == wanted else b"\n" * block.count(b"\n"))

"""Header lines of CSV files: what they name, and files cut where they change.

Belongs here: recognising a header wherever it stands in a file. Not here: what makes a line
readable (`line_files.py`), how rows are read under a header (`csv_records.py`).

A file that was put together from several has a header for each of them, and their columns may
differ. Such a file is copied once per distinct header, without the lines under other headers. Each
of these leaves a blank line behind, so that line numbers stay those of the source. Where one of the
several ended without a line break, the next one's header stands on the line of its last row.
"""

import csv
import mmap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import merge
from itertools import groupby
from pathlib import Path

from engagement_assets.extract.lines.line_files import LineFile, PreparedFiles

DELIMITER = ";"
BYTE_ORDER_MARK = "\ufeff"

# No row of values holds as many names of columns.
_NAMES_OF_A_HEADER = 3
# Eight columns are known, and nobody reads hundreds of others; each is looked at once a row, and a rejected row keeps
# its header.
MAX_COLUMNS = 1_000
MAX_HEADER_CHARACTERS = 32 * 1024
# A file of two months' minutes has 90,000 headers. What has more was not put together from exports.
MAX_HEADERS = 100_000
# A file is copied once for each of them.
MAX_DIFFERENT_HEADERS = 100
_BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Header:
    """The names of columns in their order, and the line that gives them (without a byte order mark).

    With a `fault`, a reason code and a message, no row under it can be read; it then has no names.
    """

    line: str
    names: tuple[str, ...]
    fault: tuple[str, str] | None = None

    def place(self, name: str) -> int | None:
        """Where a column stands, from 1; None when it is not there."""
        return self.names.index(name) + 1 if name in self.names else None

    def repeated(self, known: Sequence[str]) -> str | None:
        """The first of the `known` names that occurs more than once."""
        counts = Counter(self.names)
        return next((name for name in known if counts[name] > 1), None)

    def extras(self, known: Sequence[str]) -> list[tuple[str, int, bool]]:
        """Of each further column a name like no other, its place and whether the header names it."""
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


@dataclass(frozen=True)
class CsvParts:
    """Files of which each has one header, or none.

    The parts of a file have its key, and the first of them has its `file_id`. The tuples go by
    `file_id`: the `origins` are the ids of the files that the parts are of, `header_bytes` what the
    header lines take.
    """

    prepared: PreparedFiles
    headers: tuple[Header | None, ...]
    header_bytes: tuple[int, ...]
    origins: tuple[int, ...]


@dataclass(frozen=True)
class _HeaderLine:
    """Bytes of a file that are a header, without the line feed; `follows_a_row` where a row stands before it."""

    start: int
    end: int
    header: Header
    follows_a_row: bool


def cut_at_headers(prepared: PreparedFiles, known: Sequence[str], workdir: Path) -> CsvParts:
    """Find the headers of all files; copy those files in parts whose headers differ.

    Args:
        prepared: The files.
        known: Names of columns; a line with three of them as values is a header. Below a file's
            first line it must name the first or the last of them.
        workdir: An existing folder for the copies.
    """
    firsts: list[tuple[LineFile, Header | None, int]] = []
    others: list[tuple[LineFile, Header | None, int, int]] = []
    for file in prepared.files:
        (header, path, taken), *further = _parts_of(file, known, workdir)
        firsts.append((_part(file, path), header, taken))
        for header, path, taken in further:
            part = replace(_part(file, path), file_id=len(prepared.files) + len(others), malformed_count=0)
            others.append((part, header, taken, file.file_id))
    return CsvParts(
        replace(prepared, files=(*(part for part, *_ in firsts), *(part for part, *_ in others))),
        headers=(*(header for _, header, _ in firsts), *(header for _, header, *_ in others)),
        header_bytes=(*(taken for *_, taken in firsts), *(taken for _, _, taken, _ in others)),
        origins=(*(part.file_id for part, *_ in firsts), *(origin for *_, origin in others)),
    )


def parse_header(line: str, known: Sequence[str]) -> Header | None:
    """The header that a line is, None when it is none."""
    line = line.removeprefix(BYTE_ORDER_MARK)
    try:
        (names,) = csv.reader([line], delimiter=DELIMITER)
    except (csv.Error, ValueError):
        return None
    names = [name.strip() for name in names]
    if len(set(names) & set(known)) < _NAMES_OF_A_HEADER:
        return None
    if len(names) > MAX_COLUMNS or len(line) > MAX_HEADER_CHARACTERS:
        message = (
            f"expected a header of at most {MAX_COLUMNS:,} columns and {MAX_HEADER_CHARACTERS:,} characters above this "
            f"line, found one of {len(names):,} columns and {len(line):,} characters"
        )
        return Header(line, (), ("header_too_large", message))
    return Header(line, tuple(names))


def _part(file: LineFile, path: Path) -> LineFile:
    return replace(file, path=str(path), size=path.stat().st_size)


def _parts_of(file: LineFile, known: Sequence[str], workdir: Path) -> list[tuple[Header | None, Path, int]]:
    """Per distinct header of a file: the header, where its lines are, what the header lines take."""
    path = Path(file.path)
    if not path.stat().st_size:
        return [(None, path, 0)]
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = list(_header_lines(content, known))
        first = _first_line(content)
        begins_with_header = bool(found) and found[0].start == first
        headers = list(dict.fromkeys(item.header for item in found))
        if not found:
            return [(None, path, 0)]
        if begins_with_header and len(headers) == 1 and not any(item.follows_a_row for item in found):
            return [(headers[0], path, sum(item.end - item.start + 1 for item in found))]
        ends = [item.start for item in found[1:]] + [len(content)]
        sections: list[tuple[Header | None, int, int]] = [
            (item.header, 0 if begins_with_header and item is found[0] else item.end, end)
            for item, end in zip(found, ends, strict=True)
        ]
        if not begins_with_header:
            sections.insert(0, (None, 0, found[0].start))
        parts: list[tuple[Header | None, Path, int]] = []
        for number, header in enumerate(dict.fromkeys(header for header, *_ in sections)):
            copy = workdir / f"{file.file_id:06d}_{number}.csv"
            _copy_sections(content, sections, header, copy)
            parts.append((header, copy, 0))
        return parts


def _header_lines(content: mmap.mmap, known: Sequence[str]) -> Iterator[_HeaderLine]:
    """The headers of a file in their order; what follows the last one of too many belongs to none."""
    headers: dict[Header, Header] = {}
    for number, item in enumerate(_all_header_lines(content, known), 1):
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


def _all_header_lines(content: mmap.mmap, known: Sequence[str]) -> Iterator[_HeaderLine]:
    first = _first_line(content)
    in_force: Header | None = None
    for start, _ in groupby(merge([first], *(_lines_with(content, name) for name in (known[0], known[-1])))):
        end = content.find(b"\n", start)
        end = end if end >= 0 else len(content)
        line = content[start:end].decode()
        header = parse_header(line, known)
        if not header:
            continue
        place = _place_after_a_row(line, header, in_force, known) if start > first else 0
        row = line[:place].removesuffix(BYTE_ORDER_MARK)
        in_force = parse_header(line[place:], known) or header
        yield _HeaderLine(start + len(row.encode()), end, in_force, follows_a_row=bool(row))


def _lines_with(content: mmap.mmap, name: str) -> Iterator[int]:
    """Where the lines start that hold a name, in their order."""
    place = content.find(name.encode())
    while place >= 0:
        yield content.rfind(b"\n", 0, place) + 1
        end = content.find(b"\n", place)
        place = content.find(name.encode(), end) if end >= 0 else -1


def _place_after_a_row(line: str, header: Header, in_force: Header | None, known: Sequence[str]) -> int:
    """Where in its line a header begins: not at 0 where the row before it has no line break.

    It is the header of the rows before once more, or its first name is a known one.
    """
    if in_force and line.endswith(in_force.line):
        row = line.removesuffix(in_force.line)
        # A header of more columns may end like this one.
        if not row.endswith(DELIMITER) or row.count(DELIMITER) == len(in_force.names) - 1:
            return len(row)
    names = set(header.names)
    for name in header.names:
        if name in known:
            return 0
        joined = next((item for item in known if name.endswith(item) and item not in names), None)
        if joined:
            return max(line.find(joined), 0)
    return 0


def _first_line(content: mmap.mmap) -> int:
    """Where the first line starts that is not blank."""
    start = 0
    while (end := content.find(b"\n", start)) >= 0 and not content[start:end].strip(b" \t"):
        start = end + 1
    return start


def _copy_sections(
    content: mmap.mmap, sections: Sequence[tuple[Header | None, int, int]], wanted: Header | None, target: Path
) -> None:
    with target.open("wb") as out:
        for header, start, end in sections:
            for place in range(start, end, _BLOCK_BYTES):
                block = content[place : min(place + _BLOCK_BYTES, end)]
                out.write(block if header == wanted else b"\n" * block.count(b"\n"))

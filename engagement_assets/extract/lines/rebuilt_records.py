"""Rejected records, read again from the landing files that still hold them.

Belongs here: finding a line by its place, and proving by its hash that it is the one that was rejected. Not here: which
records are read again (`lake/replay.py`), what makes a line readable (`line_files.py`).

A line that cannot be read as text is not rebuilt: no reader could use it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from engagement_assets.contracts.quarantine import QuarantinedRecord
from engagement_assets.extract.lines.csv_headers import BYTE_ORDER_MARK, Header
from engagement_assets.extract.lines.line_files import LineFile

# Records by the key of their file and their line.
Places = Mapping[str, Mapping[int, Sequence[QuarantinedRecord]]]


def by_place(records: Iterable[QuarantinedRecord]) -> Places:
    """The records that have no text, and a line and a hash by which they can be found."""
    found: dict[str, dict[int, list[QuarantinedRecord]]] = {}
    for record in records:
        if record.raw_text is None and record.is_text and record.position is not None:
            found.setdefault(record.source_path, {}).setdefault(record.position, []).append(record)
    return found


def rebuilt(
    files: Sequence[LineFile], headers: Sequence[Header | None] | None, places: Places
) -> Iterator[QuarantinedRecord]:
    """The records with their texts, as far as the files still hold them.

    `headers` are those of the files, in their order, for CSV; a row without a header is not rebuilt.
    """
    for number, file in enumerate(files):
        header = headers[number] if headers else None
        if headers and (header is None or header.fault):
            continue
        wanted = places.get(file.key, {})
        with Path(file.path).open("rb") as lines:
            for position, line in enumerate(lines, 1):
                for record in wanted.get(position, ()):
                    text = _text_of(line, record)
                    if text is not None:
                        yield replace(record, raw_text=text, header=header.line if header else None)


def _text_of(line: bytes, record: QuarantinedRecord) -> str | None:
    """The text of a line, None if it is not the record's."""
    text = line.removesuffix(b"\n")
    for candidate in (text, text.removeprefix(BYTE_ORDER_MARK.encode())):
        if record.is_text and record.is_text(hashlib.sha256(candidate).hexdigest()):
            return candidate.decode()
    return None

"""What a quarantined record is when it is read again, and what an extractor makes of it.

Belongs here: the shape of both, and the hash of a part of a document. Not here: how records become input again
(`extract/quarantined.py`), or which records are read again and what becomes of them (`lake/replay.py`).
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from engagement_assets.contracts.extraction import Extraction


@dataclass(frozen=True)
class QuarantinedRecord:
    """A record of the quarantine: where it was found, and its text, which is None where only its file has it.

    `number` is its place among the records of one replay, in the order of their paths. `dataset` is a key.
    `is_text` says whether a SHA-256 is that of the record (see `part_digest`); it is None for records of versions that
    kept no hash.
    """

    number: int
    day: date
    dataset: str
    source_path: str
    position: int | None
    raw_text: str | None
    header: str | None
    is_text: Callable[[str], bool] | None = None


@dataclass(frozen=True)
class Reread:
    """What an extractor made of records: under which path it met each of them, by number, and what it found.

    The records under the paths in `elsewhere` belong to other days than the requested ones.
    """

    paths: Mapping[int, str]
    extraction: Extraction
    elsewhere: frozenset[str] = field(default=frozenset())


def part_digest(document: str, dataset: str, position: int | None) -> str:
    """The digest of a part of a document from that of its file; a whole file has no position, and its own digest."""
    return document if position is None else hashlib.sha256(f"{document} {dataset} {position}".encode()).hexdigest()

"""What a quarantined record is when it is read again, and what an extractor makes of it.

Belongs here: the shape of both. Not here: how records become input again (`extract/quarantined.py`), or which records
are read again and what becomes of them (`lake/replay.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from engagement_assets.contracts.extraction import Extraction


@dataclass(frozen=True)
class QuarantinedRecord:
    """A record of the quarantine: where it was found, and its text, which is None where only its file has it.

    `number` is its place among the records of one replay, in the order of their paths.
    """

    number: int
    day: date
    source_path: str
    raw_text: str | None
    header: str | None


@dataclass(frozen=True)
class Reread:
    """What an extractor made of records: under which path it met each of them, by number, and what it found.

    The records under the paths in `elsewhere` belong to other days than the requested ones.
    """

    paths: Mapping[int, str]
    extraction: Extraction
    elsewhere: frozenset[str] = field(default=frozenset())

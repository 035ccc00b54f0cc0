"""Quarantined records as input: written where the readers look for files and pages.

Belongs here: the form in which a quarantined record can be read as if it had just arrived. Not here: which records are
replayed and what becomes of them (`lake/replay.py`), or what they mean (each source's module).

Each record gets a file or a page of its own, so that what was read shows which record it was. Names sort like the paths
in which the records arrived, since the path decides between two records of one identity.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from engagement_assets.contracts.quarantine import QuarantinedRecord, part_digest
from engagement_assets.extract.landing.files import Landing, LandingFile
from engagement_assets.extract.services.pages import Page


def write_lines(records: Iterable[QuarantinedRecord], folder: Path, prefix: str, suffix: str) -> dict[int, str]:
    """Write one file per record below `folder`, a landing zone: the header, if there is one, and the line.

    Returns:
        The record's number → its file's key.
    """
    (folder / prefix).mkdir(parents=True)
    keys = {}
    for record in records:
        if record.raw_text is None:
            continue
        key = f"{prefix}/{_name(record)}{suffix}"
        lines = [line for line in (record.header, record.raw_text) if line is not None]
        (folder / key).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
        keys[record.number] = key
    return keys


def write_documents(
    records: Iterable[QuarantinedRecord], landing: Landing, folder: Path, prefix: str, suffix: str
) -> dict[int, str]:
    """Write the files that records are from, below `folder`, a landing zone with a folder per day.

    A file is copied from the landing zone if it is still there, and is the one that was read; else it is written from
    the record's text. A part of a document cannot be read without the rest: its record must come without a text.

    Returns:
        The record's number → its file's key; records without a file are left out.
    """
    found: dict[date, dict[str, LandingFile]] = {}
    written: dict[str, str] = {}
    (folder / prefix).mkdir(parents=True)
    keys = {}
    for record in records:
        key = written.get(record.source_path) or f"{prefix}/{record.day}/{_name(record)}{suffix}"
        if record.source_path not in written:
            if record.day not in found:
                files = landing.files(f"{prefix}/{record.day}", (suffix,))
                found[record.day] = {file.key: file for file in files if not file.refused}
            file = found[record.day].get(record.source_path)
            source = None if file is None else landing.local_path(file, folder / "from")
            if source is not None and not _is_file_of(record, source):
                source = None
            if source is None and record.raw_text is None:
                continue
            target = folder / key
            target.parent.mkdir(exist_ok=True)
            if source is not None:
                shutil.copyfile(source, target)
            elif record.raw_text is not None:
                target.write_text(record.raw_text, encoding="utf-8", newline="")
            written[record.source_path] = key
        keys[record.number] = key
    return keys


def _is_file_of(record: QuarantinedRecord, path: Path) -> bool:
    """Whether a file is the one that a record was rejected in; records of older versions do not say."""
    if record.is_text is None:
        return True
    with path.open("rb") as content:
        document = hashlib.file_digest(content, "sha256").hexdigest()
    return record.is_text(part_digest(document, record.dataset, record.position))


def as_pages(records: Iterable[QuarantinedRecord]) -> dict[int, tuple[date, Page]]:
    """One page per record, with the day in which it is counted, by the record's number."""
    return {
        record.number: (record.day, Page(_name(record), [json.loads(record.raw_text)], len(record.raw_text)))
        for record in records
        if record.raw_text is not None
    }


def _name(record: QuarantinedRecord) -> str:
    # Seven digits are never taken for a date, which a path may hold.
    return f"q{record.number:07d}"

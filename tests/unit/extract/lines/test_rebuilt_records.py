"""Rejected lines are found again in their landing files, and nothing else is taken for them."""

import gzip
import hashlib
from datetime import date
from pathlib import Path

import pytest

from engagement_assets.contracts.quarantine import QuarantinedRecord
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.lines.readers import LineReader
from engagement_assets.extract.lingokids import EVENT_FILES as JSONL_FILES
from engagement_assets.extract.mobile import EVENT_FILES as CSV_FILES
from tests.unit.extract.mobile_loads import HEADER, row


def _record(
    files: LineReader, name: str, position: int | None, line: str, number: int = 1, text: str | None = None
) -> QuarantinedRecord:
    digest = hashlib.sha256(line.encode()).hexdigest()
    return QuarantinedRecord(
        number, date(2024, 3, 1), files.dataset.key, f"{files.prefix}/{name}", position, text, None, digest.__eq__
    )


def _write(root: Path, files: LineReader, name: str, content: bytes) -> None:
    path = root / files.prefix / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _rebuilt(files: LineReader, root: Path, *records: QuarantinedRecord) -> list[tuple[int, str | None, str | None]]:
    found = files.rebuilt(records, Landing(str(root)), root / "work")
    return [(record.number, record.header, record.raw_text) for record in found]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", b'{"a":1}\n\n{"b": "\xc3\xa9"}\n'),
        ("a.jsonl", b'{"a":1}\n\n{"b": "\xc3\xa9"}'),
        ("a.jsonl", b'{"a":1}\r\n\r\n{"b": "\xc3\xa9"}\r\n'),
        ("a.jsonl", b'\xff\n\n{"b": "\xc3\xa9"}\n'),
        ("a.jsonl.gz", gzip.compress(b'{"a":1}\n\n{"b": "\xc3\xa9"}\n')),
    ],
    ids=["plain", "no line break at the end", "carriage returns", "after a malformed line", "gzip"],
)
def test_a_line_is_found_at_its_place(name: str, content: bytes, tmp_path: Path) -> None:
    _write(tmp_path, JSONL_FILES, name, content)

    assert _rebuilt(JSONL_FILES, tmp_path, _record(JSONL_FILES, name, 3, '{"b": "é"}')) == [(1, None, '{"b": "é"}')]


def test_a_line_after_a_byte_order_mark_is_found(tmp_path: Path) -> None:
    _write(tmp_path, JSONL_FILES, "a.jsonl", b'\xef\xbb\xbf{"a":1}\n')

    assert _rebuilt(JSONL_FILES, tmp_path, _record(JSONL_FILES, "a.jsonl", 1, '{"a":1}')) == [(1, None, '{"a":1}')]


def test_a_row_is_found_with_the_header_above_it(tmp_path: Path) -> None:
    turned = ";".join(reversed(HEADER.split(";")))
    of_turned = ";".join(reversed(row("u2").split(";")))
    _write(tmp_path, CSV_FILES, "a.csv", "\n".join([HEADER, row("u1"), turned, of_turned, ""]).encode())

    found = _rebuilt(
        CSV_FILES,
        tmp_path,
        _record(CSV_FILES, "a.csv", 4, of_turned, 2),
        _record(CSV_FILES, "a.csv", 2, row("u1"), 1),
    )

    assert found == [(1, HEADER, row("u1")), (2, turned, of_turned)]


def test_nothing_else_is_taken_for_a_record(tmp_path: Path) -> None:
    _write(tmp_path, CSV_FILES, "a.csv", "\n".join([HEADER, row("u1"), row("u2"), ""]).encode())
    _write(tmp_path, CSV_FILES, "no_header.csv", f"{row('u1')}\n".encode())

    assert not _rebuilt(
        CSV_FILES,
        tmp_path,
        _record(CSV_FILES, "a.csv", 3, row("u1"), 1),
        _record(CSV_FILES, "a.csv", 9, row("u1"), 2),
        _record(CSV_FILES, "a.csv", None, row("u1"), 3),
        _record(CSV_FILES, "gone.csv", 2, row("u1"), 4),
        _record(CSV_FILES, "no_header.csv", 1, row("u1"), 5),
    )


def test_a_text_that_was_kept_needs_no_landing_zone(tmp_path: Path) -> None:
    record = _record(CSV_FILES, "gone.csv", 2, "x", text=f"{HEADER}\nx")

    assert _rebuilt(CSV_FILES, tmp_path / "nowhere", record) == [(1, None, f"{HEADER}\nx")]

"""Documents of rejected records: from the landing zone, if they are the same, or from kept texts."""

import hashlib
from datetime import date
from pathlib import Path

import pytest

from engagement_assets.contracts.quarantine import QuarantinedRecord, part_digest
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.quarantined import write_documents

DAY = date(2024, 3, 1)
PREFIX = "runna/activities"
PATH = f"{PREFIX}/{DAY}/a.json"


def _record(content: bytes, position: int | None, text: str | None = None) -> QuarantinedRecord:
    digest = part_digest(hashlib.sha256(content).hexdigest(), "raw_runna/activity_laps", position)
    return QuarantinedRecord(1, DAY, "raw_runna/activity_laps", PATH, position, text, None, digest.__eq__)


@pytest.mark.parametrize("position", [None, 0, 3])
@pytest.mark.parametrize(
    ("landed", "text", "expected"),
    [
        (b"same", None, b"same"),
        (b"same", "kept", b"same"),
        (b"other", None, None),
        (b"other", "kept", b"kept"),
        (None, "kept", b"kept"),
        (None, None, None),
    ],
)
def test_a_document_is_read_where_it_is_the_one_that_was_rejected(
    landed: bytes | None, text: str | None, expected: bytes | None, position: int | None, tmp_path: Path
) -> None:
    zone, folder = tmp_path / "zone", tmp_path / "records"
    (zone / PATH).parent.mkdir(parents=True)
    if landed is not None:
        (zone / PATH).write_bytes(landed)

    keys = write_documents([_record(b"same", position, text)], Landing(str(zone)), folder, PREFIX, ".json")

    assert {number: (folder / key).read_bytes() for number, key in keys.items()} == ({1: expected} if expected else {})


def test_parts_of_one_document_have_hashes_of_their_own() -> None:
    digest = hashlib.sha256(b"document").hexdigest()
    parts = {part_digest(digest, dataset, position) for dataset in ("laps", "steps") for position in (0, 1)}
    assert len(parts) == 4
    assert part_digest(digest, "laps", None) == digest

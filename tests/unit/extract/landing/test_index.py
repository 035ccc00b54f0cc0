"""The index of landing files: kept, changed, forgotten, lost."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from engagement_assets.extract.landing.files import LandingFile
from engagement_assets.extract.landing.index import FileDays, FileIndex

DAYS = frozenset({date(2021, 1, 5), date(2021, 1, 7)})
FILE = LandingFile("lingokids/events/a.jsonl", 100, "v1")


def test_an_index_is_read_as_it_was_written(tmp_path: Path) -> None:
    uri = str(tmp_path / "lake/index.json")
    index = FileIndex()
    found_at = datetime(2024, 3, 1, 10, 0, 0, 1, tzinfo=UTC)
    index.record(FILE, DAYS, has_undated=True, found_at=found_at)

    index.save(uri)

    assert FileIndex.load(uri) == index
    assert FileIndex.load(uri).of(FILE) == FileDays(100, "v1", DAYS, has_undated=True, found_at=found_at)
    assert [path.name for path in (tmp_path / "lake").iterdir()] == ["index.json"]


def test_an_index_lies_in_any_file_system(tmp_path: Path) -> None:
    uri = f"memory://{tmp_path.name}/index.json"
    index = FileIndex()
    index.record(FILE, DAYS, has_undated=False)

    index.save(uri)

    assert FileIndex.load(uri) == index


@pytest.mark.parametrize(
    "other",
    [
        LandingFile(FILE.key, 101, "v1"),
        LandingFile(FILE.key, 100, "v2"),
        LandingFile("lingokids/events/b.jsonl", 100, "v1"),
    ],
)
def test_nothing_is_known_of_another_version(other: LandingFile) -> None:
    index = FileIndex()
    index.record(FILE, DAYS, has_undated=False)

    assert index.of(other) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'{"format": 0, "files": {}}',
        b'{"format": 2, "files": {"a": [1, "v"]}}',
        b'{"format": 2, "files": {"a": [1, "v", ["someday"], false]}}',
    ],
)
def test_a_damaged_index_is_an_empty_one(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "index.json"
    path.write_bytes(content)

    assert FileIndex.load(str(path)) == FileIndex()


def test_the_days_of_earlier_versions_are_kept(tmp_path: Path) -> None:
    index = FileIndex()
    for version, days in (("v1", {5, 7}), ("v2", {7, 8}), ("v3", {8})):
        file = LandingFile(FILE.key, 100, version)
        index.record(file, {date(2021, 1, day) for day in days}, has_undated=False)
    index.save(str(tmp_path / "index.json"))

    known = FileIndex.load(str(tmp_path / "index.json")).files[FILE.key]
    assert (known.days, known.earlier_days) == (frozenset({date(2021, 1, 8)}), DAYS)


def test_a_missing_index_is_an_empty_one(tmp_path: Path) -> None:
    assert FileIndex.load(str(tmp_path / "nowhere/index.json")) == FileIndex()


def test_files_that_went_are_forgotten_below_their_prefix_only() -> None:
    index = FileIndex()
    kept = LandingFile("lingokids/events/b.jsonl", 1, "v")
    elsewhere = LandingFile("lingokids/events_old/c.jsonl", 1, "v")
    for file in (FILE, kept, elsewhere):
        index.record(file, DAYS, has_undated=False)

    index.forget_others("lingokids/events", [kept])

    assert list(index.files) == [kept.key, elsewhere.key]


def test_an_index_that_does_not_say_when_files_were_found_is_read(tmp_path: Path) -> None:
    path = tmp_path / "index.json"
    files = {FILE.key: [FILE.size, FILE.version, ["2021-01-05"], False, []]}
    path.write_text(json.dumps({"format": 2, "files": files}), encoding="utf-8")
    known = FileIndex.load(str(path)).of(FILE)
    assert known == FileDays(FILE.size, FILE.version, frozenset({date(2021, 1, 5)}))

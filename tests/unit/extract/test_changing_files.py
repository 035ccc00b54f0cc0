"""Files that change, are still written or cannot be opened while a load reads them."""

import gzip
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pytest

from engagement_assets.contracts.extraction import ALL_DAYS
from engagement_assets.extract import lingokids, mobile
from engagement_assets.extract.landing.event_files import WantedDays
from engagement_assets.extract.landing.files import Landing, LandingFile
from engagement_assets.extract.landing.index import FileIndex
from engagement_assets.extract.landing.touched_days import Look
from engagement_assets.extract.lines import csv_headers
from engagement_assets.extract.lines.line_files import PreparedFiles
from engagement_assets.extract.lines.readers import EventLog, LineReader, Snapshots
from tests.unit.extract.lingokids_loads import Loaded, event, fetch, reading
from tests.unit.extract.mobile_loads import AROUND, HEADER, row

MOMENT = "2020-01-31 10:00:00"
NAMES = HEADER.split(";")
OTHER_HEADER = ";".join([NAMES[3], *NAMES[1:3], NAMES[0], *NAMES[4:]])
EVENT_TEXT = json.dumps(event("e1", MOMENT)) + "\n"
USER_TEXT = json.dumps({"user_id": "u1", "country_code": "ES"}) + "\n"
# A reader, a file of it, and the same file a moment later.
FILES = [
    (mobile.EVENT_FILES, "mobile_events/a.csv", f"{HEADER}\n{row()}\n", f"{OTHER_HEADER}\n{row()}\n"),
    (lingokids.EVENT_FILES, "lingokids/events/a.jsonl", EVENT_TEXT, EVENT_TEXT.replace("e1", "e2")),
    (lingokids.USER_FILES, "lingokids/users/a.jsonl", USER_TEXT, USER_TEXT.replace("u1", "u2")),
]
ALL_READERS = pytest.mark.parametrize(("files", "key", "text", "later"), FILES)


def _write(root: Path, key: str, text: str) -> Path:
    """Put a whole file into its place, as a producer should."""
    path = root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    (root / "_new").write_text(text, encoding="utf-8", newline="\n")
    return (root / "_new").replace(path)


def _load(
    files: LineReader,
    root: Path,
    *,
    settled_before: datetime | None = None,
    uri: str | None = None,
    index: FileIndex | None = None,
) -> Loaded:
    workdir = root.parent / "workdir"
    workdir.mkdir(exist_ok=True)
    with duckdb.cursor() as connection:
        look = replace(reading(connection, uri or root, workdir), settled_before=settled_before)
        match files:
            case EventLog():
                days = WantedDays(window=AROUND, calendar=ALL_DAYS, index=FileIndex() if index is None else index)
                extraction = files.extract(look, days)
            case Snapshots():
                extraction = files.extract(look)
        return fetch(connection, extraction, files.dataset)


def _after_preparing(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    """Let something happen after the files were looked through, and before their lines are read."""
    prepare = LineReader._prepared

    def prepared(*arguments: Any) -> PreparedFiles:
        found = prepare(*arguments)
        change()
        return found

    monkeypatch.setattr(LineReader, "_prepared", prepared)


LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@ALL_READERS
def test_a_file_that_is_replaced_while_it_is_read_stops_the_load(
    files: LineReader, key: str, text: str, later: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "landing"
    _write(root, key, text)
    _after_preparing(monkeypatch, lambda: _write(root, key, later))
    with pytest.raises(RuntimeError, match=rf"{key}: .* changed or went while it was read; run this again"):
        _load(files, root)


@ALL_READERS
def test_a_file_that_may_still_be_written_is_read_as_it_was_at_one_moment(
    files: LineReader, key: str, text: str, later: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "landing"
    _write(root, key, text)
    expected = _load(files, root)
    _after_preparing(monkeypatch, lambda: _write(root, key, later))
    assert _load(files, root, settled_before=LONG_AGO) == expected


def test_files_that_arrive_while_others_are_read_stop_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "landing"
    _write(root, "mobile_events/a.csv", f"{HEADER}\n{row()}\n")
    _after_preparing(monkeypatch, lambda: _write(root, "mobile_events/b.csv", f"{HEADER}\n{row('u2')}\n"))
    assert _load(mobile.EVENT_FILES, root).column("anonymous_id") == ["u1"]


def test_a_file_that_has_rested_is_read_where_it_lies(tmp_path: Path) -> None:
    root = tmp_path / "landing"
    _write(root, "mobile_events/a.csv", f"{HEADER}\n{row()}\n")
    for settled_before, copied in ((datetime.now(UTC) + timedelta(hours=1), False), (LONG_AGO, True)):
        _load(mobile.EVENT_FILES, root, settled_before=settled_before)
        copies = list((tmp_path / "workdir").rglob("000000.jsonl"))
        assert bool(copies) == copied


def test_a_csv_file_that_is_cut_short_in_place_stops_the_load_and_not_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "landing"
    path = _write(root, "mobile_events/a.csv", f"{HEADER}\n" + f"{row()}\n" * 2_000)
    first_line = csv_headers._first_line

    def cut(content: BinaryIO) -> int:
        os.truncate(path, 0)
        return first_line(content)

    monkeypatch.setattr(csv_headers, "_first_line", cut)
    with pytest.raises(RuntimeError, match="changed or went while it was read"):
        _load(mobile.EVENT_FILES, root)


@pytest.mark.parametrize("block_bytes", [1, 100, 1_000_000])
def test_headers_are_found_wherever_blocks_of_a_file_end(
    block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_headers, "_BLOCK_BYTES", block_bytes)
    root = tmp_path / "landing"
    _write(
        root, "mobile_events/a.csv", f"\n \n{HEADER}\n{row('u1')}\n{OTHER_HEADER}\n{row('u2')}\n{HEADER}\n{row('u3')}"
    )
    found = {(row["anonymous_id"], row["device_id"]) for row in _load(mobile.EVENT_FILES, root).accepted}
    assert found == {("u1", "D1"), ("D1", "u2"), ("u3", "D1")}


@ALL_READERS
def test_a_file_that_cannot_be_opened_is_quarantined_and_the_others_are_read(
    files: LineReader, key: str, text: str, later: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, index = tmp_path / "landing", FileIndex()
    _write(root, key, text)
    _write(root, denied := key.replace("/a.", "/b."), later)
    _let_opening_fail(monkeypatch, "b", PermissionError(13, "Permission denied"))
    loaded = _load(files, root, index=index)
    assert (set(loaded.column("source_path")), loaded.files_read) == ({key}, (key, denied))
    assert [(row["source_path"], row["position"], row["reason_code"], row["message"]) for row in loaded.rejected] == [
        (denied, None, "unreadable_file", "the file is listed but cannot be opened: Permission denied")
    ]
    assert set(index.files) == ({key} if isinstance(files, EventLog) else set())


@pytest.mark.parametrize("error", [TimeoutError("no answer"), OSError(28, "No space left on device")])
def test_a_store_that_does_not_answer_and_a_full_disk_stop_the_load(
    error: OSError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "landing"
    _write(root, "lingokids/events/a.jsonl", EVENT_TEXT)
    _let_opening_fail(monkeypatch, "a", error)
    with pytest.raises(type(error)):
        _load(lingokids.EVENT_FILES, root)


def _let_opening_fail(monkeypatch: pytest.MonkeyPatch, name: str, error: OSError) -> None:
    """Root may open every file, so modes do not do."""
    local_path = Landing.local_path

    def failing(self: Landing, file: LandingFile, workdir: Path) -> Path:
        if Path(file.key).stem == name:
            raise error
        return local_path(self, file, workdir)

    monkeypatch.setattr(Landing, "local_path", failing)


def _rejected(loaded: Loaded) -> list[tuple[int | None, str, str]]:
    return [(row["position"], row["reason_code"], row["raw_text"]) for row in loaded.rejected]


def test_a_row_that_may_still_be_written_waits_until_its_file_has_rested(tmp_path: Path) -> None:
    root, index = tmp_path / "landing", FileIndex()
    torn = row("u2", "2020-01-30 10:00:00.1")
    _write(root, "mobile_events/a.csv", f"{HEADER}\n{row()}\n{torn}")
    fresh = _load(mobile.EVENT_FILES, root, settled_before=LONG_AGO, index=index)
    assert (fresh.column("anonymous_id"), _rejected(fresh)) == (["u1"], [(3, "unfinished_line", torn)])

    # Its days count as touched, that of the row too, though they were loaded after the file arrived.
    loaded_at = dict.fromkeys((date(2020, 1, 30), date(2020, 1, 31)), datetime.now(UTC))
    rested = datetime.now(UTC) + timedelta(hours=1)
    look = Look(landing=Landing(str(root)), loaded_at=loaded_at, settled_before=rested, calendar=ALL_DAYS)
    assert set(mobile.EVENT_FILES.touched_days(look, index).arrivals) == set(loaded_at)
    look = replace(look, loaded_at=dict.fromkeys(loaded_at, rested))
    assert mobile.EVENT_FILES.touched_days(look, index).arrivals == {}
    settled = _load(mobile.EVENT_FILES, root, settled_before=rested, index=index)
    assert (sorted(settled.column("anonymous_id")), _rejected(settled)) == (["u1", "u2"], [])


@pytest.mark.parametrize(
    ("files", "key", "content"),
    [
        (mobile.EVENT_FILES, "mobile_events/a.csv", f"{HEADER}\n{row()}\n".encode()),
        (mobile.EVENT_FILES, "mobile_events/a.csv.gz", gzip.compress(f"{HEADER}\n{row()}".encode())),
        (lingokids.EVENT_FILES, "lingokids/events/a.jsonl", EVENT_TEXT.strip().encode()),
    ],
)
def test_a_fresh_file_that_shows_that_it_is_whole_is_accepted_at_once(
    files: LineReader, key: str, content: bytes, tmp_path: Path
) -> None:
    root, index = tmp_path / "landing", FileIndex()
    _write(root, key, "").write_bytes(content)
    loaded = _load(files, root, settled_before=LONG_AGO, index=index)
    assert (len(loaded.accepted), loaded.rejected) == (1, [])
    assert index.files[key].version != ""

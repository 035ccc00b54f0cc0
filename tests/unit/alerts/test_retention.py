"""Old messages leave the file, in order; a line that a full disk cut off goes with those around it."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from engagement_assets.alerts.alerting import AlertsBusyError, alone
from engagement_assets.alerts.retention import prune_messages

BEFORE = datetime(2024, 3, 1, tzinfo=UTC)


def line(days: int) -> bytes:
    return msgspec.json.encode({"key": "k", "recorded_at": BEFORE + timedelta(days=days)}) + b"\n"


def _write(folder: Path, *lines: bytes) -> Path:
    path = folder / "alerts.jsonl"
    path.write_bytes(b"".join(lines))
    return path


@pytest.mark.parametrize(
    ("old", "young"),
    [
        ([-9, -1], [0, 5]), ([-9, -1], []), ([], [0, 1]),
    ],
)  # fmt: skip
def test_messages_go_that_were_recorded_before(tmp_path: Path, old: list[int], young: list[int]) -> None:
    lines = [*map(line, old), *map(line, young)]
    path = _write(tmp_path, *lines)
    would = prune_messages(tmp_path, BEFORE, dry_run=True)
    assert path.read_bytes() == b"".join(lines)
    assert prune_messages(tmp_path, BEFORE, dry_run=False) == would
    assert path.read_bytes() == b"".join(map(line, young))
    assert (would.what, would.count, would.bytes) == (
        "messages of alerts.jsonl",
        len(old),
        sum(map(len, map(line, old))),
    )
    assert prune_messages(tmp_path, BEFORE, dry_run=False).count == 0


def test_a_line_that_was_cut_off_goes_with_the_messages_around_it(tmp_path: Path) -> None:
    path = _write(tmp_path, b'{"key": "\xff\n', line(-1), b'{"key\n', line(1), b'{"k\n')
    assert prune_messages(tmp_path, BEFORE, dry_run=False).count == 3
    assert path.read_bytes() == line(1) + b'{"k\n'


def test_without_a_file_nothing_is_removed(tmp_path: Path) -> None:
    assert prune_messages(tmp_path / "none", BEFORE, dry_run=False).count == 0


def test_nobody_sends_while_messages_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engagement_assets.alerts.retention._WAIT_S", 0)
    path, held, done = _write(tmp_path, line(-1)), threading.Event(), threading.Event()

    def send() -> None:
        with alone(tmp_path, 0):
            held.set()
            done.wait()

    sender = threading.Thread(target=send)
    sender.start()
    held.wait()
    assert prune_messages(tmp_path, BEFORE, dry_run=True).count == 1
    with pytest.raises(AlertsBusyError):
        prune_messages(tmp_path, BEFORE, dry_run=False)
    done.set()
    sender.join()
    assert path.read_bytes() == line(-1)

"""Old messages leave the file of messages.

Belongs here: which lines of `alerts.jsonl` go. Not here: how long the store keeps what it has sent (`store.py`), or
when this is done (`orchestration/retention.py`).
"""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from engagement_assets.alerts.alerting import alone
from engagement_assets.alerts.channels import MESSAGES_FILE
from engagement_assets.lake.retention import Pruned, pruned

# A round of the alerts is shorter.
_WAIT_S = 60


class _Line(msgspec.Struct):
    recorded_at: datetime


def prune_messages(folder: Path, before: datetime, *, dry_run: bool) -> Pruned:
    """Remove the messages that were recorded before `before`; the file has them in order.

    Raises:
        AlertsBusyError: another process was sending alerts all this time.
        AlertStoreError: the folder cannot be used.
    """
    path = folder / MESSAGES_FILE
    if not path.exists():
        return pruned(f"messages of {MESSAGES_FILE}", {})
    if dry_run:
        lines, size = _old_lines(path, before)
    else:
        with alone(folder, _WAIT_S):
            lines, size = _old_lines(path, before)
            if size:
                _cut(path, size)
    return replace(pruned(f"messages of {MESSAGES_FILE}", {path.name: size} if size else {}), count=lines)


def _old_lines(path: Path, before: datetime) -> tuple[int, int]:
    """How many lines stand before the first message that stays, and their bytes."""
    lines = size = 0
    with path.open("rb") as file:
        for line in file:
            if _stays(line, before):
                break
            lines, size = lines + 1, size + len(line)
    return lines, size


def _stays(line: bytes, before: datetime) -> bool:
    try:
        return msgspec.json.decode(line, type=_Line).recorded_at.astimezone(UTC) >= before
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False  # a full disk cut it off: it goes with the lines around it


def _cut(path: Path, size: int) -> None:
    draft = path.with_name(f".{path.name}.draft")
    with path.open("rb") as file, draft.open("wb") as kept:
        file.seek(size)
        kept.write(file.read())
        kept.flush()
        os.fsync(kept.fileno())
    draft.replace(path)

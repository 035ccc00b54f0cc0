"""Files of a sample landing zone as they really arrive: late, in pieces, and among others that nobody can read.

Belongs here: which file comes when, and in what state. Not here: what is in a sound one (`sandbox/sample_data.py`) or
what a soak does about it (`soak.py`).
"""

import gzip
import json
import re
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random

_DAY_IN_PATH = re.compile(r"\d{4}-\d{2}-\d{2}")
_LATEST_DAYS = 3
OTHER_TIMES = ("1970-01-01 00:00:05", "2099-01-01 10:00:00")
SOURCES = ("runna/activities", "lingokids/events", "mobile_events")


@dataclass(frozen=True)
class Arrival:
    """A file, or another state of it: where it lies, what is in it, what is odd about it (nothing, mostly)."""

    key: str
    content: bytes
    oddity: str | None = None


class ArrivingFiles:
    """What arrives on each day of a landing zone that is complete in `complete`; drawn from a seed."""

    def __init__(self, complete: Path, first: date, days: int, draw: Random) -> None:
        """Plan it all: on the last day everything has arrived, whole."""
        self._last = first + timedelta(days=days - 1)
        self._arrivals: dict[date, list[Arrival]] = {first + timedelta(days=index): [] for index in range(days)}
        by_place: dict[tuple[date, str], list[Path]] = {}
        for path in sorted(complete.rglob("*")):
            if not path.is_file() or path.name.startswith("."):
                continue
            key = path.relative_to(complete).as_posix()
            found = _DAY_IN_PATH.search(key)
            day = date.fromisoformat(found.group()) if found else first
            source = next((name for name in SOURCES if key.startswith(name)), None)
            if source is None or day == self._last:
                self._arrivals[max(first, day)].append(Arrival(key, path.read_bytes()))
            else:
                by_place.setdefault((day, source), []).append(path)
        for number, ((day, source), paths) in enumerate(by_place.items()):
            # Each source meets each oddity in turn: three sources, four things that can happen.
            self._plan(complete, day, paths, ("late", None, "cut off", "appended to")[number % 4], draw)
            if number % 2:
                self._arrivals[day].append(_unreadable(source, day, number // 2, draw))

    def on(self, day: date) -> list[Arrival]:
        """What arrives on a day."""
        return self._arrivals[day]

    def _plan(self, complete: Path, day: date, paths: list[Path], oddity: str | None, draw: Random) -> None:
        """All files of a day and source in time and whole, or the first of them irregular."""
        later = min(day + timedelta(days=draw.randint(1, _LATEST_DAYS)), self._last)
        for number, path in enumerate(paths):
            key, content = path.relative_to(complete).as_posix(), path.read_bytes()
            if oddity is None or number:
                self._arrivals[day].append(Arrival(key, content))
                continue
            if oddity == "appended to" and path.suffix in {".jsonl", ".csv"}:
                lines = content.splitlines(keepends=True)
                self._arrivals[day].append(Arrival(key, b"".join(lines[: len(lines) // 2])))
            elif oddity != "late":
                oddity = "cut off"
                self._arrivals[day].append(Arrival(key, content[: len(content) // 2]))
            self._arrivals[later].append(Arrival(key, content, oddity))


def _unreadable(source: str, day: date, number: int, draw: Random) -> Arrival:
    """A file that stays as it is: nothing in it can be used."""
    suffix = {"runna/activities": ".json", "lingokids/events": ".jsonl", "mobile_events": ".csv"}[source]
    text = {
        "runna/activities": '{"activityId": "run-of-nobody", "userId": "Zoë"}',
        "lingokids/events": '{"event_id": "of-nobody", "user_id": "Zoë"}\n' * 3,
        # At a time that clocks in New York skip on one of the days.
        "mobile_events": f"anonymous_id;event_name;created_at\nZoë;Application Opened;{day} 02:30:00\n",
    }[source]
    # A dead clock and one that is ahead, with a line between them that says no time at all.
    other_times = {
        "runna/activities": "",
        "lingokids/events": "{\n".join(
            json.dumps({"event_id": at, "user_id": "Zoë", "occurred_at": at, "data": {"activity_id": "a"}}) + "\n"
            for at in OTHER_TIMES
        ),
        "mobile_events": "anonymous_id;context_device_id;event_name;created_at\n"
        + "bad;line\n".join(f"Zoë;d;Application Opened;{at}\n" for at in OTHER_TIMES),
    }[source]
    defect, content, packed = (
        ("empty", b"", ""),
        ("binary", draw.randbytes(200), ""),
        ("wrong encoding", text.encode("utf-16"), ""),
        ("gzip cut off", gzip.compress(text.encode(), mtime=0)[:-9], ".gz"),
        ("of other times" if other_times else "empty", other_times.encode(), ""),
    )[number % 5]
    if packed and source == "runna/activities":
        defect, content, packed = "cut off", text.encode()[:20], ""
    folder = f"{source}/{day}" if source == "runna/activities" else source
    return Arrival(f"{folder}/{day}-unreadable{suffix}{packed}", content, f"unreadable: {defect}")

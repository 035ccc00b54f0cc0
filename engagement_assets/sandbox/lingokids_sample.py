"""Lingokids event files of the sample: what was played, day by day, and what is wrong with some of it.

Belongs here: events and event files. Not here: who can play what (`lingokids_catalog.py`), or writing to disk
(`sample_data.py`).
"""

import gzip
import io
import json
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS
from engagement_assets.sandbox.lingokids_catalog import (
    AppUser,
    app_users,
    catalogue,
    drawn_uuid,
    snapshot_files,
)
from engagement_assets.sandbox.sample_draws import SampleParameters, broken_due, due, happens
from engagement_assets.sandbox.sample_ledger import LedgerKeeper

# Rates in 100,000 events.
BROKEN_RATE = 400
DUPLICATE_RATE = 200  # Within a file, and as many again between files.
LATE_RATE = 1_000
UNKNOWN_RATE = 200
OVER_AN_HOUR_RATE = 400
OVER_A_DAY_RATE = 80
LINE_DEFECTS = (
    "not_json",
    "truncated_json",
    "missing_event_id",
    "missing_occurred_at",
    "negative_duration",
    "not_utf8",
)
DAY_WITH_EXTRA_FIELD = 17
LATEST_DAYS = 6
PERCENT_BY_WEEKDAY = (92, 95, 95, 97, 100, 112, 109)
SOURCES = ("launcher", "search", "favorites", "playlist", "recommended")
COLLECTIONS = ("", "lk_collection_connect_with_nature", "Playlist_15", "mt_emma_numbers")
COLLECTION_WEIGHTS = (88, 8, 3, 1)
# Evenly spaced quantiles of a play's length, in ms, with straight lines between them. A logarithm would not do: its
# last digit depends on the machine.
DURATION_QUANTILES = (
    0, 3_900, 17_000, 30_000, 45_000, 60_000, 80_000, 102_000, 123_000, 158_000, 620_000,
)  # fmt: skip
MS_PER_HOUR = 3_600_000
LEAST_MS_TO_COMPLETE = 10_000
WEEKDAY_COMPRESSED = 3  # days since the start, modulo 7


def lingokids_files(parameters: SampleParameters, keeper: LedgerKeeper) -> Iterator[tuple[str, bytes]]:
    """Keys below the landing zone and contents, with each event counted in `keeper`."""
    users, activities = app_users(parameters), catalogue()
    yield from snapshot_files(users, activities)
    play_log = _PlayLog(parameters, users, [record["activity_id"] for record in activities])
    per_day = parameters.lingokids_events_per_day
    sent_before: list[dict[str, Any]] = []
    for index in range(parameters.days):
        events = play_log.day(index)
        if index == DAY_WITH_EXTRA_FIELD:
            events = [event | {"experiment": "winter_home"} for event in events]
        events += play_log.late(index)
        repeats = due(index, per_day, DUPLICATE_RATE)
        repeated = [events[serial * 11 % len(events)] for serial in repeats]
        repeated += [sent_before[serial * 17 % len(sent_before)] for serial in repeats if index]
        sent_before = events
        for event in events + repeated:
            keeper.usable(LINGOKIDS_EVENTS.key, _day_of(event), event["event_id"])
        lines = [json.dumps(event).encode() for event in events + repeated]
        for serial in broken_due(index, per_day, BROKEN_RATE):
            defect = LINE_DEFECTS[serial % len(LINE_DEFECTS)]
            keeper.broken(LINGOKIDS_EVENTS.key, parameters.day(index), defect)
            lines.insert(serial * 37 % len(lines), _damaged(play_log.one(index, serial), defect))
        yield _event_file(parameters.day(index), index, lines)


class _PlayLog:
    """Plays of the app's users, each day drawn on its own."""

    def __init__(self, parameters: SampleParameters, users: list[AppUser], activity_ids: list[str]) -> None:
        self._parameters = parameters
        self._known = [user for user in users if user.is_known]
        self._unknown = [user for user in users if not user.is_known]
        self._activity_ids = activity_ids
        self._popularity = [1 / (rank + 2) for rank in range(len(activity_ids))]

    def day(self, index: int) -> list[dict[str, Any]]:
        """The plays of a day that arrive on time, oldest first."""
        day, per_day = self._parameters.day(index), self._parameters.lingokids_events_per_day
        draw = self._parameters.stream("lingokids", "events", str(index))
        percent = PERCENT_BY_WEEKDAY[day.weekday()] + draw.randrange(-4, 5)
        count = max(1, per_day * percent // 100)
        players = self._players(day)
        events: list[dict[str, Any]] = []
        while len(events) < count:
            events += self._session(draw, day, self._pick(draw, players), draw.randrange(1, 7))
        del events[count:]
        for serial in due(index, per_day, UNKNOWN_RATE):
            unknown = self._unknown[serial % len(self._unknown)]
            events[serial * 7 % count] = self._session(draw, day, unknown, 1)[0]
            events[serial * 5 % count]["data"]["activity_id"] = "retired_game"
        for serial in due(index, per_day, OVER_AN_HOUR_RATE):
            long_ms = draw.randrange(MS_PER_HOUR + 1, 12 * MS_PER_HOUR)
            events[serial * 13 % count]["data"]["duration"] = long_ms / 1000
        for serial in due(index, per_day, OVER_A_DAY_RATE):
            long_ms = draw.randrange(24 * MS_PER_HOUR + 1, 72 * MS_PER_HOUR)
            events[serial * 19 % count]["data"]["duration"] = long_ms / 1000
        return sorted(events, key=lambda event: (event["occurred_at"], event["event_id"]))

    def late(self, index: int) -> list[dict[str, Any]]:
        """Plays of earlier days, sent when a device is back online."""
        events = []
        per_day = self._parameters.lingokids_events_per_day
        for serial in due(index, per_day, LATE_RATE) if index else ():
            draw = self._parameters.stream("lingokids", "late", str(serial))
            day = self._parameters.day(index - draw.randrange(1, min(index, LATEST_DAYS) + 1))
            events += self._session(draw, day, self._pick(draw, self._players(day)), 1)
        return events

    def one(self, index: int, serial: int) -> dict[str, Any]:
        """One more play of a day, to be damaged."""
        draw = self._parameters.stream("lingokids", "broken", str(serial))
        day = self._parameters.day(index)
        return self._session(draw, day, self._pick(draw, self._players(day)), 1)[0]

    def _players(self, day: date) -> list[AppUser]:
        return [user for user in self._known if user.registered_at.date() < day <= user.plays_until]

    def _pick(self, draw: Random, players: list[AppUser]) -> AppUser:
        return draw.choices(players, [user.weight for user in players])[0]

    def _session(self, draw: Random, day: date, user: AppUser, plays: int) -> list[dict[str, Any]]:
        """Consecutive plays, all on one day."""
        clock_ms = draw.randrange(5 * MS_PER_HOUR, 21 * MS_PER_HOUR)
        collection = draw.choices(COLLECTIONS, COLLECTION_WEIGHTS)[0]
        events = []
        for activity_id in draw.choices(self._activity_ids, self._popularity, k=plays):
            duration_ms = 0 if happens(draw, 0.03) else _duration_ms(draw)
            clock_ms += duration_ms + draw.randrange(1_000, 40_000)
            is_long_enough = duration_ms >= LEAST_MS_TO_COMPLETE
            data = {
                "activity_id": activity_id,
                "source": draw.choice(SOURCES),
                "duration": _seconds(draw, duration_ms),
                "completed": happens(draw, 0.75 if is_long_enough else 0.2),
                "collection_id": collection,
                "loading_time": draw.randrange(100, 3_000) / 1000,
            }
            events.append(_event(draw, user, day, clock_ms, data))
        return events


def _event(draw: Random, user: AppUser, day: date, clock_ms: int, data: dict[str, Any]) -> dict[str, Any]:
    brand, model, os_name, old_version, new_version = user.device
    has_upgraded = day >= user.upgrades_on
    # One clock in a few hundred writes microseconds.
    fraction = f"{clock_ms % 1000:03d}" + ("211" if happens(draw, 0.003) else "")
    return {
        "event_id": drawn_uuid(draw),
        "name": "activity_exit",
        "occurred_at": f"{day} {timedelta(seconds=clock_ms // 1000)!s:0>8}.{fraction}",
        "user_id": user.user_id,
        "child_id": draw.choice(user.children),
        "data": data,
        "context": {
            "device": {"device_id": user.device_id, "brand": brand, "model": model},
            "os": {"name": os_name, "version": new_version if has_upgraded else old_version},
            "app": {
                "version": "8.11.0" if has_upgraded else "8.10.0",
                "build": "5230" if has_upgraded else "5102",
            },
        },
    }


def _duration_ms(draw: Random) -> int:
    position = draw.random() * (len(DURATION_QUANTILES) - 1)
    left = int(position)
    low, high = DURATION_QUANTILES[left : left + 2]
    return low + int((high - low) * (position - left))


def _seconds(draw: Random, duration_ms: int) -> float:
    """Seconds as the apps send them: some are differences, with the rounding noise of a subtraction."""
    if happens(draw, 0.15):
        return (duration_ms + 97_531) / 1000 - 97.531
    return duration_ms / 1000


def _day_of(event: dict[str, Any]) -> date:
    return date.fromisoformat(event["occurred_at"][:10])


def _damaged(event: dict[str, Any], defect: str) -> bytes:
    if defect == "not_json":
        return b"upstream request timeout"
    if defect == "negative_duration":
        event["data"]["duration"] = -1.5
    elif defect.startswith("missing_"):
        del event[defect.removeprefix("missing_")]
    line = json.dumps(event).encode()
    if defect == "truncated_json":
        return line[: len(line) * 2 // 3]
    if defect == "not_utf8":
        return line.replace(b'"source": "', b'"source": "\xff', 1)
    return line


def _event_file(day: date, index: int, lines: list[bytes]) -> tuple[str, bytes]:
    """The key and content of a day's file; one file a week is compressed."""
    key = f"lingokids/events/{day}.jsonl"
    content = b"\n".join(lines) + b"\n"
    if index % 7 != WEEKDAY_COMPRESSED:
        return key, content
    buffer = io.BytesIO()
    # gzip.compress would not do: its header differs between Python versions.
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as compressed:
        compressed.write(content)
    return f"{key}.gz", buffer.getvalue()

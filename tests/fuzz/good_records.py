"""Good records of every source, which the fuzz changes: the sandbox's sample, and real ones where there are any.

Belongs here: finding and cutting them down. Not here: how they are changed (`mutations.py`).
"""

import csv
import json
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from engagement_assets.sandbox.sample_data import write_sample_landing
from tests.unit.extract.strava.strava_loads import activity
from tests.unit.extract.user_events.test_extraction import event

DAY = date(2024, 1, 2)


@cache
def _landing_files() -> dict[str, list[bytes]]:
    """Source and dataset → files: of a small sample, and of `REAL_INPUT_DIR`."""
    with tempfile.TemporaryDirectory() as folder:
        write_sample_landing(Path(folder), start=DAY, days=1, runna_activities_per_day=6, lingokids_events_per_day=60)
        roots = [Path(folder)]
        if real := os.environ.get("REAL_INPUT_DIR"):
            roots.append(Path(real) / "landing")
        return {
            prefix: [
                path.read_bytes()
                for root in roots
                for path in sorted((root / prefix).rglob("*"))
                if path.suffix in {".json", ".jsonl", ".csv"}
            ]
            for prefix in (
                "runna/activities",
                "lingokids/events",
                "lingokids/users",
                "lingokids/activities",
                "mobile_events",
            )
        }


def _records(content: bytes) -> Iterator[dict[str, Any]]:
    for line in content.splitlines():
        yield from _records_of_file(line)


@cache
def activities() -> list[dict[str, Any]]:
    """Activity documents with two waypoints each: thousands say no more."""
    found = []
    for content in _landing_files()["runna/activities"]:
        found += [
            {**document, "waypoints": (document.get("waypoints") or [])[:2]} for document in _records_of_file(content)
        ]
    return found


def _records_of_file(content: bytes) -> Iterator[dict[str, Any]]:
    try:
        document = json.loads(content)
    except ValueError:
        return
    if isinstance(document, dict):
        yield document


@cache
def lines(dataset: str) -> list[dict[str, Any]]:
    """Records of a Lingokids dataset, two hundred at most."""
    found = [record for content in _landing_files()[f"lingokids/{dataset}"] for record in _records(content)]
    return found[:: max(1, len(found) // 200)]


@cache
def rows() -> list[list[str]]:
    """Rows of the scooter app, with the header as the first one."""
    content = _landing_files()["mobile_events"][0].decode("utf-8-sig")
    return [row for row in csv.reader(content.splitlines(), delimiter=";") if row][:60]


def strava_activities() -> list[dict[str, Any]]:
    """Activities with every field that the service is known to send."""
    place = {"start_latlng": [51.51, -0.13], "end_latlng": [51.5, -0.1], "map": {"summary_polyline": "abc"}}
    whole = {
        "moving_time": 1500, "elapsed_time": 1600, "total_elevation_gain": 12.5, "type": "Run",
        "sport_type": "TrailRun",
        "workout_type": 1, "location_country": None, "achievement_count": 2, "comment_count": 0, "athlete_count": 1,
        "average_speed": 3.3, "max_speed": 5.1, "average_cadence": 84.1, "average_temp": 21, "average_heartrate": 150.5,
        "max_heartrate": 181, "suffer_score": 40, "timezone": "(GMT+00:00) Europe/London", **place,
    }  # fmt: skip
    return [activity(number, f"2024-03-0{1 + number % 9}T07:00:00Z", **whole) for number in range(1, 10)]


def user_events() -> list[dict[str, Any]]:
    """Events as the service lists them, with an upload time of each spelling."""
    at = datetime(2024, 3, 1, 10, tzinfo=UTC)
    return [event(), event(event_time=at.isoformat()), event(server_upload_time=at.timestamp())]

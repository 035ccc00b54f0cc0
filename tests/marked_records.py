"""Records of every source with marked values, which must be found nowhere after a load.

Belongs here: what is sent, accepted and rejected, and written to a landing zone. Not here: loading and searching.

A marked value is an e-mail address. It stands in each field of a contract, in fields that no contract names, in names
of fields, and in broken texts.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.extract.lines.readers import EventLog, Snapshots
from engagement_assets.extract.lingokids import LINGOKIDS
from engagement_assets.extract.mobile import MOBILE_EVENTS
from engagement_assets.extract.runna.source import RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS, RUNNA_WORKOUT_STEPS
from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES
from engagement_assets.extract.user_events.source import USER_EVENTS
from engagement_assets.sources import SENT_FIELDS

DAY = date(2024, 3, 1)
AT = "2024-03-01T10:00:00Z"
MARK = "zqx"

# What makes one record of each dataset usable, by its names as sent.
USABLE: Mapping[str, Mapping[str, Any]] = {
    "raw_lingokids/events": {"event_id": "e", "occurred_at": AT, "user_id": "u", "data.activity_id": "a"},
    "raw_lingokids/users": {"user_id": "u"},
    "raw_lingokids/activities": {"activity_id": "a"},
    "raw_mobile/events": {"anonymous_id": "u", "context_device_id": "d", "event_name": "Opened", "created_at": AT},
    "raw_runna/activities": {"activityId": "a", "userId": "u"},
    "raw_runna/activity_laps": {},
    "raw_runna/workout_steps": {"type": "WorkoutStep"},
    "raw_strava/activities": {"id": 1, "start_date": AT},
    "raw_user_events/events": {
        "date": "2024-03-01", "event_type": "opened", "device_id": "d", "user_id": "u", "event_time": AT,
    },
}  # fmt: skip
UNKNOWN = ("nick", f"{MARK}-name@example.com", "context.ip", "data.note", "planDetails.coach", "user_properties.email")


def marked(name: str) -> str:
    return f"{MARK}-{name}@example.com"


def _nested(fields: Mapping[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for path, value in fields.items():
        *parents, name = path.split(".") if "@" not in path else [path]
        node = record
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = value
    return record


def _records(dataset: Dataset, hidden: Collection[PersonalKind]) -> Iterator[dict[str, Any]]:
    """Records of a dataset by names as sent: one all marked, one for each marked field, one that is accepted."""
    usable, sent = USABLE[dataset.key], SENT_FIELDS[dataset.key].columns
    unknown = {name: marked(f"unknown-{name[:4]}") for name in UNKNOWN}
    # Without an id where all fields are texts: the record would be accepted.
    own = {} if dataset.kinds.keys() & sent.values() else dict.fromkeys(USABLE[dataset.key], "")
    yield {name: marked(name) for name in sent} | own | unknown
    for number, (name, column) in enumerate(sent.items()):
        # As a text of a text column it would be a value of an accepted row.
        if dataset.columns.get(column, "VARCHAR") != "VARCHAR":
            yield {**usable, **unknown, name: marked(name)} | _own_id(dataset, number, but=name)
    accepted = {name: marked(name) for name, column in sent.items() if dataset.kinds.get(column) in hidden}
    yield {**usable, **accepted, **unknown}


def _own_id(dataset: Dataset, number: int, *, but: str) -> dict[str, Any]:
    name = next((sent for sent, column in SENT_FIELDS[dataset.key].columns.items() if column in dataset.identity), but)
    return {} if name == but else {name: number + 10}


def _documents(dataset: Dataset, hidden: Collection[PersonalKind]) -> list[dict[str, Any]]:
    return [_nested(record) for record in _records(dataset, hidden)]


def _write(path: Path, *lines: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines))


def _write_lingokids(landing: Path, files: EventLog | Snapshots, hidden: Collection[PersonalKind]) -> None:
    documents = [json.dumps(document) for document in _documents(files.dataset, hidden)]
    whole = documents[-1]
    broken: list[str | bytes] = [
        whole[:-3],
        f'{whole[:-1]}, "{marked("twice")}": 1, "{marked("twice")}": 2}}',
        json.dumps([marked("list")]),
        marked("text"),
        whole.encode() + b"\xff",
        whole.replace(marked("unknown-nick"), f"{marked('nul')}\0"),
    ]
    _write(landing / files.prefix / "2024-03-01.jsonl", *documents, *broken)


def _write_mobile(landing: Path, hidden: Collection[PersonalKind]) -> None:
    folder = landing / "mobile_events"
    names = [*SENT_FIELDS[MOBILE_EVENTS.key].columns, *UNKNOWN]
    header = ";".join(names)
    rows = [";".join(str(record.get(name, "")) for name in names) for record in _records(MOBILE_EVENTS, hidden)]
    bad = [marked("few"), f"{rows[-1]};{marked('many')}", f'"{marked("quote")}', f"{marked('nul')}\0", f"a{header}"]
    _write(folder / "2024-03-01.csv", header, *rows, *bad, rows[-1].encode() + b"\xff")
    _write(folder / "2024-03-01-no-header.csv", *rows)
    twice = f"{header};event_name"
    _write(folder / "2024-03-01-twice.csv", twice, *(f"{row};{marked('twice')}" for row in rows))


def _write_runna(landing: Path, hidden: Collection[PersonalKind]) -> None:
    folder = landing / "runna" / "activities" / str(DAY)
    laps, steps = _documents(RUNNA_ACTIVITY_LAPS, hidden), _documents(RUNNA_WORKOUT_STEPS, hidden)
    pace = {"type": "WorkoutStep", "paces": {"slow": {"mps": marked("pace")}}}
    repeat = {"type": "WorkoutRepeatStep", "repeatValue": 2, "steps": [pace]}
    parts = {
        "laps": [*laps, marked("lap")],
        "plannedWorkoutMetadata": {"stepsV2": [*steps, pace, repeat, marked("step")]},
        "waypoints": [{"lat": marked("waypoint")}],
    }
    whole = {"activityId": "b", "userId": "u", **parts}
    bad = [[marked("list")], {**whole, "activityId": None}, {**whole, "laps": marked("laps")}]
    documents = [*_documents(RUNNA_ACTIVITIES, hidden), whole, *bad]
    for number, document in enumerate(documents):
        _write(folder / f"{number}.json", json.dumps(document))
    _write(folder / "broken.json", json.dumps(documents[0])[:-5])
    _write(folder / "bytes.json", json.dumps(documents[0]).encode() + b"\xff")


def write_marked_landing(landing: Path, hidden: Collection[PersonalKind]) -> None:
    """Files of all sources that land as files; accepted records have marked ids of the kinds `hidden`."""
    for files in LINGOKIDS.readers:
        assert isinstance(files, EventLog | Snapshots)
        _write_lingokids(landing, files, hidden)
    _write_mobile(landing, hidden)
    _write_runna(landing, hidden)


def marked_activities(hidden: Collection[PersonalKind]) -> list[Any]:
    """What Strava lists."""
    place = {"id": 2, "start_date": AT, "start_latlng": [marked("x"), 1]}
    return [*_documents(STRAVA_ACTIVITIES, hidden), marked("text"), place]


def marked_events(hidden: Collection[PersonalKind]) -> list[Any]:
    """What the user-events service lists."""
    documents = _documents(USER_EVENTS, hidden)
    long = {**documents[-1], "device_id": marked("d" * 70)}
    twice = {**documents[-1], f"data.{marked('twice')}": 1, "data": {marked("twice"): 2}}
    return [*documents, marked("text"), long, twice]

"""The audit of personal data: marked values in every field of every source, and a search of all that loads keep.

A marked value is an e-mail address. It stands in each field of a contract, in fields that no contract names, in names
of fields, and in broken texts; in records that are accepted, rejected and held.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engagement_assets.checks.standard import rejected_share, schema_drift
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.event_identity import EventIdentity
from engagement_assets.contracts.extraction import ALL_DAYS, DayWindow, Extraction
from engagement_assets.extract.landing.event_files import WantedDays
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.landing.index import FileIndex
from engagement_assets.extract.lines.readers import EventLog, Snapshots
from engagement_assets.extract.lingokids import LINGOKIDS
from engagement_assets.extract.mobile import MOBILE, MOBILE_EVENTS
from engagement_assets.extract.reading import Reading
from engagement_assets.extract.runna import extraction as runna
from engagement_assets.extract.runna.source import RUNNA, RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS, RUNNA_WORKOUT_STEPS
from engagement_assets.extract.services.extraction import ServiceReading
from engagement_assets.extract.services.pages import Page
from engagement_assets.extract.strava import extraction as strava
from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES
from engagement_assets.extract.user_events import extraction as user_events
from engagement_assets.extract.user_events.source import USER_EVENTS
from engagement_assets.lake.day_files import rows_of
from engagement_assets.lake.extraction_tables import reject_reasons, unknown_fields
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import Load, open_load
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.privacy.redaction import ID_KINDS
from engagement_assets.settings import Settings
from engagement_assets.sources import RAW_DATASETS, SENT_FIELDS

DAY, OTHER_DAY = date(2024, 3, 1), date(2024, 3, 2)
WINDOW = DayWindow(DAY, date(2024, 3, 3))
AT = "2024-03-01T10:00:00Z"
POLICY = PrivacyPolicy("k" * 32, ID_KINDS)
MARK = "zqx"
Lines = list[str]

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


def _mark(name: str) -> str:
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


def _records(dataset: Dataset, *, ids: bool) -> Iterator[dict[str, Any]]:
    """Records of a dataset by names as sent: one all marked, one for each marked field, one that is accepted."""
    usable, sent = USABLE[dataset.key], SENT_FIELDS[dataset.key].columns
    unknown = {name: _mark(f"unknown-{name[:4]}") for name in UNKNOWN}
    # Without an id where all fields are texts: the record would be accepted.
    own = {} if dataset.kinds.keys() & sent.values() else dict.fromkeys(USABLE[dataset.key], "")
    yield {name: _mark(name) for name in sent} | own | unknown
    for number, (name, column) in enumerate(sent.items()):
        # As a text of a text column it would be a value of an accepted row.
        if dataset.columns.get(column, "VARCHAR") != "VARCHAR":
            yield {**usable, **unknown, name: _mark(name)} | _own_id(dataset, number, but=name)
    accepted = {name: _mark(name) for name, column in sent.items() if ids and dataset.kinds.get(column) in ID_KINDS}
    yield {**usable, **accepted, **unknown}


def _own_id(dataset: Dataset, number: int, *, but: str) -> dict[str, Any]:
    name = next((sent for sent, column in SENT_FIELDS[dataset.key].columns.items() if column in dataset.identity), but)
    return {} if name == but else {name: number + 10}


def _documents(dataset: Dataset, *, ids: bool = True) -> list[dict[str, Any]]:
    return [_nested(record) for record in _records(dataset, ids=ids)]


def _write(path: Path, *lines: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines))


def _reading(load: Load, landing: Path, lines: Lines) -> Reading:
    return Reading(
        connection=load.connection,
        landing=Landing(str(landing)),
        workdir=load.workdir,
        extracted_at=load.started_at,
        progress=lines.append,
    )


def _read_lines(files: EventLog | Snapshots, load: Load, landing: Path, lines: Lines) -> Extraction:
    reading = _reading(load, landing, lines)
    if isinstance(files, Snapshots):
        return files.extract(reading)
    return files.extract(reading, WantedDays(window=WINDOW, calendar=ALL_DAYS, index=FileIndex()))


def _write_lingokids(landing: Path, files: EventLog | Snapshots) -> None:
    documents = [json.dumps(document) for document in _documents(files.dataset)]
    whole = documents[-1]
    broken = [
        whole[:-3],
        f'{whole[:-1]}, "{_mark("twice")}": 1, "{_mark("twice")}": 2}}',
        json.dumps([_mark("list")]),
        _mark("text"),
        whole.encode() + b"\xff",
        whole.replace(_mark("unknown-nick"), f"{_mark('nul')}\0"),
    ]
    _write(landing / files.prefix / "2024-03-01.jsonl", *documents, *broken)


def _write_mobile(landing: Path, files: EventLog) -> None:
    names = [*SENT_FIELDS[MOBILE_EVENTS.key].columns, *UNKNOWN]
    header = ";".join(names)
    rows = [";".join(str(record.get(name, "")) for name in names) for record in _records(MOBILE_EVENTS, ids=True)]
    bad = [_mark("few"), f"{rows[-1]};{_mark('many')}", f'"{_mark("quote")}', f"{_mark('nul')}\0", f"a{header}"]
    _write(landing / files.prefix / "2024-03-01.csv", header, *rows, *bad, rows[-1].encode() + b"\xff")
    _write(landing / files.prefix / "2024-03-01-no-header.csv", *rows)
    twice = f"{header};event_name"
    _write(landing / files.prefix / "2024-03-01-twice.csv", twice, *(f"{row};{_mark('twice')}" for row in rows))


def _write_runna(landing: Path) -> None:
    folder = landing / "runna" / "activities" / str(DAY)
    laps, steps = _documents(RUNNA_ACTIVITY_LAPS), _documents(RUNNA_WORKOUT_STEPS)
    pace = {"type": "WorkoutStep", "paces": {"slow": {"mps": _mark("pace")}}}
    repeat = {"type": "WorkoutRepeatStep", "repeatValue": 2, "steps": [pace]}
    parts = {
        "laps": [*laps, _mark("lap")],
        "plannedWorkoutMetadata": {"stepsV2": [*steps, pace, repeat, _mark("step")]},
        "waypoints": [{"lat": _mark("waypoint")}],
    }
    documents = [*_documents(RUNNA_ACTIVITIES), {"activityId": "b", "userId": "u", **parts}, [_mark("list")]]
    documents += [{**documents[-2], "activityId": None}, {**documents[-2], "laps": _mark("laps")}]
    for number, document in enumerate(documents):
        _write(folder / f"{number}.json", json.dumps(document))
    _write(folder / "broken.json", json.dumps(documents[0])[:-5])
    _write(folder / "bytes.json", json.dumps(documents[0]).encode() + b"\xff")


def _read_runna(load: Load, landing: Path, lines: Lines) -> Extraction:
    return runna.extract(
        runna.BatchReading(
            load.connection, Landing(str(landing)), WINDOW, load.workdir, ALL_DAYS, load.started_at, lines.append
        )
    )


def _service(load: Load, lines: Lines) -> ServiceReading:
    return ServiceReading(load.connection, WINDOW, load.workdir, load.started_at, lines.append)


def _read_strava(load: Load, _landing: Path, lines: Lines) -> Extraction:
    # Texts and places of accepted activities are those of the settings.
    page = [
        *_documents(STRAVA_ACTIVITIES, ids=False),
        _mark("text"),
        {"id": 2, "start_date": AT, "start_latlng": [_mark("x"), 1]},
    ]
    pages = [Page("activities-1", page, 10), Page("activities-2", [], 2)]
    return strava.extract(_service(load, lines), pages, rows_of([], STRAVA_ACTIVITIES.columns)).extraction


def _read_user_events(load: Load, _landing: Path, lines: Lines) -> Extraction:
    long = {**_documents(USER_EVENTS)[-1], "device_id": _mark("d" * 70)}
    twice = {**_documents(USER_EVENTS)[-1], f"data.{_mark('twice')}": 1, "data": {_mark("twice"): 2}}
    pages = [
        (DAY, Page("events-1", [*_documents(USER_EVENTS), _mark("text"), long, twice], 10)),
        (OTHER_DAY, Page("events-2", [], 2)),
    ]
    return user_events.extract(_service(load, lines), pages, user_events.EventRules(EventIdentity.EVENT, 64, ALL_DAYS))


def _loads(landing: Path) -> Iterator[tuple[str, Any, bool]]:
    """Name of the load, its reader, and whether it has days."""
    for source in (LINGOKIDS, MOBILE):
        for files in source.readers:
            assert isinstance(files, EventLog | Snapshots)
            if isinstance(files, EventLog) and source is MOBILE:
                _write_mobile(landing, files)
            else:
                _write_lingokids(landing, files)
            read = lambda load, where, lines, files=files: _read_lines(files, load, where, lines)  # noqa: E731
            yield files.dataset.load_name, read, files.dataset.partitioned
    _write_runna(landing)
    yield RUNNA.name, _read_runna, True
    yield "strava", _read_strava, True
    yield "user_events", _read_user_events, True


def _told(load: Load, datasets: Sequence[Dataset]) -> Iterator[object]:
    """What checks and the run say of a load."""
    settings = Settings(_env_file=None, lake_uri=load.lake.uri)
    unknown, reasons = unknown_fields(load.connection), reject_reasons(load.connection)
    for dataset in datasets:
        counts = [day for day in load.counts() if day.dataset == dataset.key]
        outcomes = [
            rejected_share(load, dataset, counts, settings),
            schema_drift(dataset, counts, unknown.get(dataset.key, {}), frozenset(), reasons.get(dataset.key, {})),
        ]
        for outcome in outcomes:
            yield outcome.result(load, held={})
        yield load.preview(dataset, 100)


def _texts(lake: Path) -> Iterator[tuple[str, str]]:
    """Each file of the lake as text."""
    for path in sorted(lake.rglob("*")):
        if path.suffix == ".parquet":
            for row in duckdb.execute(f"from read_parquet('{path}', hive_partitioning = false)").fetchall():
                yield str(path.relative_to(lake)), str(row)
        elif path.is_file():
            yield str(path.relative_to(lake)), path.read_bytes().decode("latin-1")


@pytest.mark.parametrize("keeps_raw_text", [False, True])
def test_no_marked_value_is_left_that_the_settings_do_not_allow(tmp_path: Path, keeps_raw_text: bool) -> None:
    landing, lines = tmp_path / "landing", Lines()
    policy = PrivacyPolicy(POLICY.pseudonym_key, POLICY.pseudonymized, keeps_raw_text=keeps_raw_text)
    lake = Lake(str(tmp_path / "lake"), policy)
    told: list[tuple[str, str]] = []
    rejected: dict[str, int] = {}
    for name, read, has_days in _loads(landing):
        datasets = [dataset for dataset in RAW_DATASETS if dataset.load_name == name]
        # The second time the day is held.
        for number, held in enumerate(({}, {DAY: {"rejected_share": "too many"}} if has_days else {})):
            started_at = datetime(2024, 6, 1, 12, number, tzinfo=UTC)
            with open_load(lake, name, run_id="run", started_at=started_at) as load:
                load.stage(read(load, landing, lines), WINDOW if has_days else None)
                told += [(name, str(item)) for item in _told(load, datasets)]
                rejected |= {
                    item.key: sum(day.quarantined for day in load.counts() if day.dataset == item.key)
                    for item in datasets
                }
                assert all(day.unaccounted == 0 for day in load.counts())
                load.publish(held)

    assert min(number for key, number in rejected.items() if key != "raw_strava/activity_kudos") >= 5, rejected
    found = [(place, text) for place, text in [*_texts(Path(lake.uri)), *told] if MARK in text]
    if keeps_raw_text:
        assert {place.partition("/day=")[0] for place, _ in found} == {"records/rejected", "held/records/rejected"}
        names = ", ".join(["record", "header", "message", "reason_code"])
        kept = list(Path(lake.uri).rglob("records/rejected/*/raw_*.parquet"))
        assert not any(MARK in str(duckdb.execute(f"select {names} from '{path}'").fetchall()) for path in kept)
        return
    assert found == []
    assert not any(MARK in line for line in lines)

"""The sample data: the same from the same seed, as counted in its ledger, in the real shapes."""

import gzip
import hashlib
import json
import os
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from engagement_assets.sandbox.sample_data import MARKER_NAME, main, write_sample_landing
from engagement_assets.sandbox.sample_ledger import DayTally, SampleLedger

START = date(2024, 1, 1)
DAYS = 35


@dataclass(frozen=True)
class Sample:
    """A written sample, read again with nothing but `json`; `None` is a record of no use."""

    ledger: SampleLedger
    runs: list[tuple[str, str, dict[str, Any] | None]]  # batch date, file name, document
    events: list[tuple[str, dict[str, Any] | None]]  # date of the file, event
    users: list[dict[str, Any] | None]
    activities: list[dict[str, Any] | None]

    @property
    def days(self) -> list[date]:
        return [START + timedelta(days=offset) for offset in range(DAYS)]

    @property
    def good_runs(self) -> list[dict[str, Any]]:
        return [document for _, _, document in self.runs if document is not None]

    @property
    def good_events(self) -> list[dict[str, Any]]:
        return [event for _, event in self.events if event is not None]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Five weeks, small enough for tests and large enough for every kind of defect."""
    root = tmp_path_factory.mktemp("landing")
    ledger = _write(root, DAYS)
    return Sample(
        ledger=ledger,
        runs=[
            (path.parent.name, path.name, _usable_run(path.read_bytes()))
            for path in sorted(root.glob("runna/activities/*/*"))
        ],
        events=[
            (path.name[:10], _usable_event(line))
            for path in sorted(root.glob("lingokids/events/*"))
            for line in _content(path).splitlines()
        ],
        users=_snapshot(root / "lingokids/users/users.jsonl", "user_id"),
        activities=_snapshot(root / "lingokids/activities/activities.jsonl", "activity_id"),
    )


def _write(root: Path, days: int, seed: int = 20240101) -> SampleLedger:
    return write_sample_landing(
        root,
        start=START,
        days=days,
        seed=seed,
        runna_activities_per_day=25,
        lingokids_events_per_day=100,
    )


def _write_small(root: Path, days: int, seed: int = 20240101) -> SampleLedger:
    return write_sample_landing(
        root,
        start=START,
        days=days,
        seed=seed,
        runna_activities_per_day=3,
        lingokids_events_per_day=30,
    )


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def _json(data: bytes) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads(data.decode("utf-8"))
    except ValueError:
        return None
    return document


def _expect(tally: DayTally, records: int, ids: list[str]) -> None:
    """What the ledger should say of `records` records of which those with `ids` can be used."""
    found = (tally.records, tally.broken_count, tally.duplicates, tally.accepted)
    assert found == (records, records - len(ids), len(ids) - len(set(ids)), len(set(ids)))


def _usable_run(data: bytes) -> dict[str, Any] | None:
    document = _json(data)
    return document if document and {"activityId", "userId"} <= document.keys() else None


def _usable_event(line: bytes) -> dict[str, Any] | None:
    event = _json(line)
    if not event or not {"event_id", "occurred_at"} <= event.keys():
        return None
    return event if event["data"]["duration"] >= 0 else None


def _snapshot(path: Path, key: str) -> list[dict[str, Any] | None]:
    records = [_json(line) for line in path.read_bytes().splitlines()]
    return [record if record and key in record else None for record in records]


def _tree(root: Path) -> dict[str, bytes]:
    """Files below `root` with their content, unpacked: how gzip packs it depends on the library."""
    return {
        path.relative_to(root).as_posix(): _content(path)
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != MARKER_NAME
    }


def _flattened(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    flat: list[dict[str, Any]] = []
    for step in steps:
        is_repeat = step["type"] == "WorkoutRepeatStep"
        flat += _flattened(step["steps"]) * step["repeatValue"] if is_repeat else [step]
    return flat


def _steps(document: dict[str, Any]) -> list[dict[str, Any]]:
    return _flattened(document.get("plannedWorkoutMetadata", {}).get("stepsV2", []))


# --- the same from the same seed ---


def test_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    ledger = _write_small(tmp_path / "first", 4)

    assert _write_small(tmp_path / "second", 4) == ledger
    assert _tree(tmp_path / "first") == _tree(tmp_path / "second")


def test_files_are_those_of_this_sample_version(tmp_path: Path) -> None:
    """On a wanted change of the sample: raise SAMPLE_VERSION, then put the new digest here."""
    _write_small(tmp_path, 4)

    digest = hashlib.sha256()
    for key, content in _tree(tmp_path).items():
        digest.update(key.encode() + b"\0" + content + b"\0")
    assert digest.hexdigest() == "ad6e7e96964f4e134b569d4f76c882e608760d55c22244dd6f43cc60c6cc30b2"


def test_other_seed_gives_other_events(tmp_path: Path) -> None:
    _write_small(tmp_path / "first", 1)
    _write_small(tmp_path / "second", 1, seed=7)

    key = "lingokids/events/2024-01-01.jsonl"
    assert _tree(tmp_path / "first")[key] != _tree(tmp_path / "second")[key]


def test_more_days_leave_the_written_files_as_they_are(tmp_path: Path) -> None:
    _write_small(tmp_path, 5)
    short = _tree(tmp_path)
    for key in short:
        os.utime(tmp_path / key, ns=(1, 1))

    _write_small(tmp_path, 12)

    long = _tree(tmp_path)
    assert {key: long[key] for key in short} == short
    assert {(tmp_path / key).stat().st_mtime_ns for key in short} == {1}
    assert len([key for key in long if key.startswith("lingokids/events/")]) == 12


def test_missing_and_damaged_files_are_written_again(tmp_path: Path) -> None:
    _write_small(tmp_path, 3)
    whole = _tree(tmp_path)
    (tmp_path / "lingokids/events/2024-01-02.jsonl").unlink()
    (tmp_path / "lingokids/users/users.jsonl").write_bytes(b"cut")

    _write_small(tmp_path, 3)

    assert _tree(tmp_path) == whole


# --- the ledger equals a plain reading of the files ---


def test_ledger_counts_the_files_of_each_batch(sample: Sample) -> None:
    for day in sample.days:
        runs = [document for batch, _, document in sample.runs if batch == day.isoformat()]
        ids = [document["activityId"] for document in runs if document]
        _expect(sample.ledger.day("raw_runna/activities", day), len(runs), ids)


def test_ledger_counts_laps_and_flattened_steps_of_accepted_files(sample: Sample) -> None:
    once = {(batch, run["activityId"]): run for batch, _, run in sample.runs if run}
    laps = [lap for run in once.values() for lap in run["laps"]]
    bad_laps = [lap for lap in laps if isinstance(lap["averageSpeed"], str)]

    tally = sample.ledger.total("raw_runna/activity_laps")
    assert (tally.records, tally.broken) == (len(laps), {"wrong_type": len(bad_laps)})
    assert tally.accepted == len(laps) - len(bad_laps)
    tally = sample.ledger.total("raw_runna/workout_steps")
    assert tally.records == tally.accepted == sum(len(_steps(run)) for run in once.values())


def test_ledger_counts_events_on_their_own_day_and_broken_lines_on_the_files(
    sample: Sample,
) -> None:
    for day in sample.days:
        ids = [e["event_id"] for e in sample.good_events if e["occurred_at"][:10] == str(day)]
        broken = [event for file, event in sample.events if file == str(day) and event is None]
        _expect(sample.ledger.day("raw_lingokids/events", day), len(ids) + len(broken), ids)


def test_ledger_counts_the_snapshots(sample: Sample) -> None:
    users = [record["user_id"] for record in sample.users if record]
    _expect(sample.ledger.day("raw_lingokids/users", None), len(sample.users), users)
    activities = [record["activity_id"] for record in sample.activities if record]
    tally = sample.ledger.day("raw_lingokids/activities", None)
    _expect(tally, len(sample.activities), activities)
    assert (len(set(users)), len(set(activities))) == (300, 120)


def test_ledger_names_the_distinct_ids_of_all_days(sample: Sample) -> None:
    ids = sample.ledger.accepted_ids
    assert ids["raw_runna/activities"] == {run["activityId"] for run in sample.good_runs}
    assert ids["raw_lingokids/events"] == {event["event_id"] for event in sample.good_events}


def test_a_day_without_records_has_an_empty_tally(sample: Sample) -> None:
    _expect(sample.ledger.day("raw_runna/activities", date(2020, 1, 1)), 0, [])


# --- defects ---


def test_every_defect_is_there_and_few_records_have_one(sample: Sample) -> None:
    runs = sample.ledger.total("raw_runna/activities")
    assert set(runs.broken) == {
        "not_json",
        "truncated_json",
        "missing_activity_id",
        "missing_user_id",
        "not_utf8",
    }
    events = sample.ledger.total("raw_lingokids/events")
    assert set(events.broken) == {
        "not_json",
        "truncated_json",
        "missing_event_id",
        "missing_occurred_at",
        "negative_duration",
        "not_utf8",
    }
    for tally in (runs, events):
        assert tally.duplicates > 0
        assert tally.broken_count + tally.duplicates < 0.01 * tally.records


def test_no_day_is_near_the_limit_of_broken_records(sample: Sample, tmp_path: Path) -> None:
    tiny = _write_small(tmp_path, 14)

    assert tiny.total("raw_runna/activities").broken == {}
    for ledger in (sample.ledger, tiny):
        assert [day for day in ledger.days if day.broken_count * 20 >= day.records] == []


def test_events_are_repeated_within_a_file_and_in_a_later_one(sample: Sample) -> None:
    files: dict[str, list[str]] = {}
    for file, event in sample.events:
        if event:
            files.setdefault(event["event_id"], []).append(file)
    repeated = [places for places in files.values() if len(places) > 1]
    assert {len(set(places)) for places in repeated} == {1, 2}


def test_late_events_lie_in_files_of_later_days(sample: Sample) -> None:
    delays = Counter(
        (date.fromisoformat(file) - date.fromisoformat(event["occurred_at"][:10])).days
        for file, event in sample.events
        if event
    )
    assert set(delays) == {0, 1, 2, 3, 4, 5, 6}
    assert min(e["occurred_at"] for e in sample.good_events) >= "2024-01-01"


def test_one_day_has_a_field_that_no_contract_names(sample: Sample) -> None:
    batches = {batch for batch, _, run in sample.runs if run and "firmwareVersion" in run}
    assert batches == {"2024-01-11"}
    days = {event["occurred_at"][:10] for event in sample.good_events if "experiment" in event}
    assert days == {"2024-01-18"}


# --- the folder ---


def test_foreign_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("mine", encoding="utf-8")

    with pytest.raises(FileExistsError, match=r"holds files and no \.sample-data\.json"):
        _write_small(tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["report.txt"]


def test_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "landing").write_text("", encoding="utf-8")

    with pytest.raises(NotADirectoryError, match="landing is a file"):
        _write_small(tmp_path / "landing", 1)


def test_sample_of_other_parameters_is_refused(tmp_path: Path) -> None:
    _write_small(tmp_path, 2)

    with pytest.raises(ValueError, match=r"\(seed 20240101 there, 7 asked for\)"):
        _write_small(tmp_path, 2, seed=7)
    with pytest.raises(ValueError, match=r"\(days 2 there, 1 asked for\)"):
        _write_small(tmp_path, 1)


def test_damaged_marker_is_refused(tmp_path: Path) -> None:
    (tmp_path / MARKER_NAME).write_text("{", encoding="utf-8")

    with pytest.raises(ValueError, match="is not JSON"):
        _write_small(tmp_path, 1)


def test_no_days_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one day"):
        _write_small(tmp_path, 0)


def test_command_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "landing"

    assert main(["--root", str(root), "--days", "1"]) == 0
    assert capsys.readouterr().out == (
        f"{root}: 1 days from 2024-01-01; "
        "Runna 34 records (34 accepted, 0 broken, 0 duplicates); "
        "Lingokids 228 records (227 accepted, 1 broken, 0 duplicates); "
        "Mobile 182 records (181 accepted, 1 broken, 0 duplicates)\n"
    )
    assert main(["--root", str(root), "--seed", "7"]) == 2
    assert "seed 20240101 there, 7 asked for" in capsys.readouterr().err

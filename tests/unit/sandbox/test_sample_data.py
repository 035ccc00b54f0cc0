"""The sample data: the same from the same seed, with the counts of its ledger and every defect that it promises."""

import gzip
import hashlib
import json
import os
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.sandbox import lingokids_sample, mobile_sample, runna_sample, sample_data
from engagement_assets.sandbox.sample_data import MARKER_NAME, SAMPLES, write_sample_landing
from engagement_assets.sandbox.sample_draws import broken_due, due
from engagement_assets.sandbox.sample_ledger import SampleLedger
from tests.unit.extract import lingokids_loads, mobile_loads
from tests.unit.extract.lingokids_loads import Loaded

START, DAYS = date(2024, 1, 1), 35
WINDOW = DayWindow(START, START + timedelta(days=DAYS))
RUNS, PLAYS, RIDES = "raw_runna/activities", "raw_lingokids/events", "raw_mobile/events"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SampleLedger]:
    """Five weeks: small enough for tests, and large enough for every kind of defect."""
    root = tmp_path_factory.mktemp("landing")
    amounts = {"runna_activities_per_day": 25, "lingokids_events_per_day": 100, "mobile_events_per_day": 200}
    return root, write_sample_landing(root, start=START, days=DAYS, **amounts)


@pytest.fixture(scope="module")
def loads(sample: tuple[Path, SampleLedger], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Loaded]:
    """The sample's event files as the extractors read them."""
    workdir = tmp_path_factory.mktemp("work")
    return {
        PLAYS: lingokids_loads.load_events(sample[0], workdir / "plays", WINDOW),
        RIDES: mobile_loads.load_events(sample[0], workdir / "rides", WINDOW),
    }


def _write_small(root: Path, days: int, seed: int = 20240101) -> SampleLedger:
    return write_sample_landing(
        root, start=START, days=days, seed=seed, runna_activities_per_day=3, lingokids_events_per_day=30
    )


def _tree(root: Path) -> dict[str, bytes]:
    """Files below `root` with their content, unpacked: how gzip packs it depends on the library."""
    return {
        path.relative_to(root).as_posix(): gzip.decompress(path.read_bytes())
        if path.suffix == ".gz"
        else path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != MARKER_NAME
    }


def test_the_files_depend_on_the_seed_alone(tmp_path: Path) -> None:
    """When the sample changes on purpose, raise SAMPLE_VERSION and put the new digest here."""
    _write_small(tmp_path / "sample", 4)
    digest = hashlib.sha256()
    for key, content in _tree(tmp_path / "sample").items():
        digest.update(key.encode() + b"\0" + content + b"\0")
    assert digest.hexdigest() == "ad6e7e96964f4e134b569d4f76c882e608760d55c22244dd6f43cc60c6cc30b2"
    _write_small(tmp_path / "other", 1, seed=7)
    key = "lingokids/events/2024-01-01.jsonl"
    assert _tree(tmp_path / "other")[key] != _tree(tmp_path / "sample")[key]


def test_more_days_leave_the_written_files_as_they_are(tmp_path: Path) -> None:
    _write_small(tmp_path, 5)
    short = _tree(tmp_path)
    for key in short:
        os.utime(tmp_path / key, ns=(1, 1))
    (tmp_path / "lingokids/events/2024-01-02.jsonl").unlink()
    (tmp_path / "lingokids/users/users.jsonl").write_bytes(b"cut")
    _write_small(tmp_path, 12)
    long = _tree(tmp_path)
    assert {key: long[key] for key in short} == short
    assert sum((tmp_path / key).stat().st_mtime_ns == 1 for key in short) == len(short) - 2
    assert len([key for key in long if key.startswith("lingokids/events/")]) == 12


def test_a_sample_of_one_more_source_joins_those_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_small(tmp_path, 1)
    before = _tree(tmp_path)
    monkeypatch.setattr(sample_data, "SAMPLES", (*SAMPLES, lambda *_: iter([("watch/a.csv", b"a,b\n")])))
    _write_small(tmp_path, 1)
    assert _tree(tmp_path) == before | {"watch/a.csv": b"a,b\n"}


@pytest.mark.parametrize("dataset", [PLAYS, RIDES])
def test_a_load_counts_what_the_ledger_says(
    sample: tuple[Path, SampleLedger], loads: dict[str, Loaded], dataset: str
) -> None:
    ledger, loaded = sample[1], loads[dataset]
    tallies = {day: ledger.day(dataset, day) for day in WINDOW.days()}
    assert {day: tuple(counts[2:]) for day, counts in loaded.counts.items()} == {
        day: (tally.records, tally.broken_count, tally.duplicates) for day, tally in tallies.items()
    }
    assert len(loaded.accepted) == ledger.total(dataset).accepted


def test_runna_files_hold_what_the_ledger_says(sample: tuple[Path, SampleLedger]) -> None:
    ids: dict[date, list[str | None]] = {day: [] for day in WINDOW.days()}
    for path in sample[0].glob("runna/activities/*/*"):
        try:
            run = json.loads(path.read_bytes())
        except ValueError:
            run = {}
        ids[date.fromisoformat(path.parent.name)].append(
            run["activityId"] if {"activityId", "userId"} <= run.keys() else None
        )
    for day, found in ids.items():
        tally = sample[1].day(RUNS, day)
        usable = [each for each in found if each]
        assert (tally.records, tally.accepted) == (len(found), len(set(usable)))
        assert tally.duplicates == len(usable) - len(set(usable))


def test_every_defect_is_there_and_few_records_have_one(
    sample: tuple[Path, SampleLedger], loads: dict[str, Loaded], tmp_path: Path
) -> None:
    ledger = sample[1]
    for dataset, defects in (
        (RUNS, runna_sample.FILE_DEFECTS),
        (PLAYS, lingokids_sample.LINE_DEFECTS),
        (RIDES, mobile_sample.ROW_DEFECTS),
    ):
        total = ledger.total(dataset)
        assert set(total.broken) == set(defects)
        assert total.duplicates > 0
        assert total.broken_count < 0.01 * total.records
    assert Counter(row["reason_code"] for row in loads[RIDES].rejected) == ledger.total(RIDES).broken
    # Checks on the share of rejected records must not hold a day of the sample, however small it is.
    tiny = _write_small(tmp_path, 14)
    assert [day for day in (*ledger.days, *tiny.days) if day.broken_count * 20 >= day.records] == []
    assert [list(due(index, 250, 400)) for index in range(3)] == [[0], [1], [2]]
    assert sum(len(broken_due(index, 24, 600)) for index in range(1000)) == 0


def test_events_come_late_and_one_day_has_a_field_without_a_contract(loads: dict[str, Loaded]) -> None:
    for dataset, field, latest_days in ((PLAYS, "experiment", 6), (RIDES, "campaign", 4)):
        days_late = {
            (date.fromisoformat(Path(row["source_path"]).name[:10]) - row["day"]).days
            for row in loads[dataset].accepted
        }
        assert set(range(latest_days + 1)) <= days_late
        assert (date(2024, 1, 18), field) in {(day, name) for day, name, _ in loads[dataset].unknown_fields}


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    _write_small(tmp_path / "sample", 2)
    for name, text in (("foreign/report.txt", "mine"), (f"damaged/{MARKER_NAME}", "{"), ("file", "")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    before = _tree(tmp_path)
    for folder, seed, error, message in (
        ("foreign", 7, FileExistsError, r"holds files but no \.sample-data\.json"),
        ("damaged", 7, ValueError, "is not JSON"),
        ("file", 7, NotADirectoryError, "is a file"),
        ("sample", 7, ValueError, r"\(seed: found 20240101, wanted 7; days: found 2, wanted 1\)"),
        ("sample", 20240101, ValueError, r"\(days: found 2, wanted 1\)"),
    ):
        with pytest.raises(error, match=message):
            _write_small(tmp_path / folder, 1, seed)
    assert _tree(tmp_path) == before
    with pytest.raises(ValueError, match="at least one day"):
        _write_small(tmp_path / "sample", 0)

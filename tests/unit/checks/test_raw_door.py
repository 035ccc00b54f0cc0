"""The checks at the raw door, each passing and failing, and what Dagster is told."""

from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from engagement_assets.checks.raw_door import (
    DAYS_IN_TEXT,
    HAS_NOT_SHRUNK,
    RECONCILES,
    Verdict,
    check_spec,
    few_records_are_gone,
    has_not_shrunk,
    reconciles,
)
from engagement_assets.lake.datasets import LINGOKIDS_USERS, RUNNA_ACTIVITIES
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.lake.load import DayCounts, open_load
from tests.lake_loads import DAY_1, DAY_2, DAY_3, Found, load_time, publish, window, write

PUBLISHED = Found(
    {
        RUNNA_ACTIVITIES: [
            {"activity_id": f"{day}-{number}", "day": day, "source_path": f"runna/{day}/{number}.json"}
            for day in (DAY_1, DAY_2)
            for number in (1, 2)
        ]
    }
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def _counts(day: date, read: int, accepted: int, quarantined: int, duplicates: int) -> DayCounts:
    return DayCounts(RUNNA_ACTIVITIES.key, day, 1, 100, read, accepted, quarantined, duplicates, accepted)


def test_days_reconcile_when_every_record_is_somewhere() -> None:
    verdict = reconciles(RUNNA_ACTIVITIES, [_counts(DAY_1, 6, 3, 2, 1), _counts(DAY_2, 0, 0, 0, 0)])
    assert verdict == Verdict(
        RECONCILES,
        RUNNA_ACTIVITIES,
        {},
        {"records_read": 6, "accepted": 3, "quarantined": 2, "duplicates": 1},
    )


def test_a_day_with_records_that_are_nowhere_does_not_reconcile() -> None:
    days = [_counts(DAY_1, 1_200, 1_000, 150, 20), _counts(DAY_2, 1, 1, 0, 0), _counts(DAY_3, 2, 3, 0, 0)]
    assert reconciles(RUNNA_ACTIVITIES, days).failing_days == {
        DAY_1: "1,200 records read, but 1,000 accepted + 150 quarantined + 20 duplicates; 30 unaccounted for",
        DAY_3: "2 records read, but 3 accepted + 0 quarantined + 0 duplicates; -1 unaccounted for",
    }


def _shrunk(lake: Lake, rows: Found, files_read: tuple[str, ...], *, allow_shrink: bool = False) -> Verdict:
    publish(lake, PUBLISHED, window(DAY_1, DAY_2), 1)
    with open_load(lake, "source", run_id="run", started_at=load_time(2)) as load:
        write(load, rows, window(DAY_1, DAY_2))
        return has_not_shrunk(load, RUNNA_ACTIVITIES, files_read, allow_shrink=allow_shrink)


def test_a_batch_with_all_its_files_has_not_shrunk(lake: Lake) -> None:
    files = tuple(row["source_path"] for row in PUBLISHED.rows[RUNNA_ACTIVITIES])
    verdict = _shrunk(lake, PUBLISHED, files)
    assert (verdict.check, verdict.failing_days, verdict.figures) == (HAS_NOT_SHRUNK, {}, {"records_gone": 0})


def test_a_day_whose_files_have_gone_has_shrunk(lake: Lake) -> None:
    rows = PUBLISHED.rows[RUNNA_ACTIVITIES][:2]
    verdict = _shrunk(lake, Found({RUNNA_ACTIVITIES: rows}), tuple(row["source_path"] for row in rows))
    assert verdict.failing_days == {
        DAY_2: (
            "2 activities of 2 landing files are gone, such as runna/2024-03-02/1.json; the published day is kept. "
            "Put the files back, or run this day with allow_shrink if they are meant to go"
        )
    }
    assert verdict.figures == {"records_gone": 2}


def test_a_day_may_shrink_when_that_is_meant(lake: Lake) -> None:
    verdict = _shrunk(lake, Found({RUNNA_ACTIVITIES: []}), (), allow_shrink=True)
    assert (verdict.failing_days, verdict.figures) == ({}, {"records_gone": 0})


def test_a_passing_verdict_is_a_passing_result() -> None:
    result = Verdict(RECONCILES, RUNNA_ACTIVITIES, {}, {"records_read": 6}).result()
    assert result.passed
    assert result.description is None
    assert result.asset_key == dg.AssetKey(["raw_runna", "activities"])
    assert result.check_name == "reconciles"
    assert result.metadata == {"records_read": dg.IntMetadataValue(6), "failing_days": dg.JsonMetadataValue([])}


def test_a_failing_verdict_names_its_days_in_order() -> None:
    result = Verdict(RECONCILES, RUNNA_ACTIVITIES, {DAY_2: "two lost", DAY_1: "one lost"}).result()
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.ERROR
    assert result.description == "2024-03-01: one lost\n2024-03-02: two lost"
    assert result.metadata == {"failing_days": dg.JsonMetadataValue(["2024-03-01", "2024-03-02"])}


@pytest.mark.parametrize(
    ("days", "last_line"), [(DAYS_IN_TEXT, "2024-03-20: lost"), (DAYS_IN_TEXT + 5, "… and 5 more")]
)
def test_many_failing_days_are_cut_in_the_text_only(days: int, last_line: str) -> None:
    failing = {DAY_1 + timedelta(days=number): "lost" for number in range(days)}
    result = Verdict(RECONCILES, RUNNA_ACTIVITIES, failing).result()
    lines = (result.description or "").splitlines()
    assert lines[:2] == ["2024-03-01: lost", "2024-03-02: lost"]
    assert lines[-1] == last_line
    assert result.metadata["failing_days"] == dg.JsonMetadataValue([day.isoformat() for day in failing])


def test_a_dataset_without_days_names_none() -> None:
    result = Verdict(RECONCILES, LINGOKIDS_USERS, {WHOLE_DATASET_DAY: "one lost"}).result()
    assert not result.passed
    assert result.description == "one lost"
    assert result.metadata == {"failing_days": dg.JsonMetadataValue([])}


def test_checks_of_raw_datasets_block() -> None:
    spec = check_spec(RECONCILES, RUNNA_ACTIVITIES, "Nothing is lost.")
    assert spec.key == dg.AssetCheckKey(dg.AssetKey(["raw_runna", "activities"]), "reconciles")
    assert (spec.blocking, spec.description) == (True, "Nothing is lost.")


def _gone(missing: dict[date, tuple[int, int]], *as_a_whole: date, allow_shrink: bool = False) -> Verdict:
    return few_records_are_gone(RUNNA_ACTIVITIES, missing, as_a_whole=as_a_whole, allow_shrink=allow_shrink)


@pytest.mark.parametrize("known", [5, 15, 35, 1_000, 123_455])
@pytest.mark.parametrize("as_a_whole", [(), (DAY_1,)])
def test_exactly_a_fifth_may_go_and_no_more(known: int, as_a_whole: tuple[date, ...]) -> None:
    assert _gone({DAY_1: (known, known // 5)}, *as_a_whole).failing_days == {}
    assert set(_gone({DAY_1: (known, known // 5 + 1)}, *as_a_whole).failing_days) == {DAY_1}


def test_a_day_that_lost_more_than_a_fifth_fails_alone() -> None:
    verdict = _gone({DAY_1: (1_000, 201), DAY_2: (4_000, 1), DAY_3: (10, 0)})
    assert (verdict.check, verdict.figures) == (HAS_NOT_SHRUNK, {"records_known": 5_010, "records_gone": 202})
    assert verdict.failing_days == {
        DAY_1: (
            "201 of 1,000 activities are gone; the published day is kept. See whether the service is well and still "
            "asked for the same account, or run this with allow_shrink if they are to go"
        )
    }


def test_days_that_are_judged_as_a_whole_pass_or_fail_together() -> None:
    assert _gone({DAY_1: (2, 2), DAY_2: (8, 0)}, DAY_1, DAY_2, DAY_3).failing_days == {}
    failing = _gone({DAY_1: (2, 2), DAY_2: (6, 0)}, DAY_1, DAY_2, DAY_3).failing_days
    assert set(failing) == {DAY_1, DAY_2, DAY_3}
    assert {sentence.partition(";")[0] for sentence in failing.values()} == {"2 of 8 activities are gone"}


def test_what_is_meant_to_go_goes_and_is_counted() -> None:
    verdict = _gone({DAY_1: (2, 2)}, DAY_1, allow_shrink=True)
    assert (verdict.failing_days, verdict.figures) == ({}, {"records_known": 2, "records_gone": 2})


@pytest.mark.parametrize("as_a_whole", [(), (DAY_1, DAY_2)])
def test_where_nothing_was_known_nothing_is_gone(as_a_whole: tuple[date, ...]) -> None:
    assert _gone({}, *as_a_whole) == Verdict(
        HAS_NOT_SHRUNK, RUNNA_ACTIVITIES, {}, {"records_known": 0, "records_gone": 0}
    )

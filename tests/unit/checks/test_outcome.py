"""How Dagster shows an outcome, and what a setting and a release make of it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from engagement_assets.checks.outcome import LINES_IN_TEXT, CheckOutcome, Finding, check_spec
from engagement_assets.contracts.load_checks import (
    HAS_NOT_SHRUNK,
    RECONCILES,
    REJECTED_SHARE,
    CheckDefinition,
    Severity,
)
from engagement_assets.extract.lingokids import LINGOKIDS_USERS
from engagement_assets.extract.runna.source import RUNNA_ACTIVITIES
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.lake.load import Load, open_load
from engagement_assets.lake.load_records import DayCounts, LoadHistory, PublishedDay, Release
from tests.lake_loads import DAY_1, DAY_2, Found, Reject, load_time, window, write

LOST = Finding("two lost", Severity.HALT, observed=8, expected=10, rows=2, keys=("a.json", "b.json"))
ODD = Finding("an odd one", Severity.WARN, observed=9, expected=10, rows=1, keys=("c.json",))
PUBLISHED = PublishedDay(datetime(2024, 6, 1), 10, 8, 1, 1, 8)
RELEASED = replace(
    PUBLISHED,
    release=Release("known and harmless", frozenset({"activities.reconciles", "activities.has_not_shrunk"})),
)


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    found = Found({RUNNA_ACTIVITIES: []}, rejects=[Reject(RUNNA_ACTIVITIES, day, "x.json") for day in (DAY_1, DAY_2)])
    with open_load(Lake(str(tmp_path / "lake")), "runna", run_id="run", started_at=load_time(1)) as load:
        write(load, found, window(DAY_1, DAY_2))
        yield load


def _metadata(outcome: CheckOutcome, load: Load, held: Mapping[date, object] | None = None) -> dict[str, Any]:
    return {name: value.value for name, value in outcome.result(load, held or {}).metadata.items()}


def test_a_passing_outcome_is_a_passing_result(load: Load) -> None:
    outcome = CheckOutcome(RECONCILES, RUNNA_ACTIVITIES, {}, {"records_read": 6}, note="not enough history")
    result = outcome.result(load, {})
    assert result.passed
    assert result.description == "not enough history"
    assert result.asset_key == dg.AssetKey(["raw_runna", "activities"])
    assert result.check_name == "reconciles"
    assert _metadata(outcome, load) == {
        "records_read": 6,
        "failing_days": [],
        "first_day_judged": "2024-03-01",
        "last_day_judged": "2024-03-02",
    }


def test_a_failing_outcome_names_its_days_in_order_with_its_metadata(load: Load) -> None:
    outcome = CheckOutcome(RECONCILES, RUNNA_ACTIVITIES, {DAY_2: LOST, DAY_1: ODD}, note="one more thing")
    result = outcome.result(load, {DAY_2: ...})
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.ERROR
    assert result.description == "2024-03-01: an odd one\n2024-03-02: two lost\none more thing"
    assert _metadata(outcome, load) == {
        "failing_days": ["2024-03-01", "2024-03-02"],
        "first_day_judged": "2024-03-01",
        "last_day_judged": "2024-03-02",
        "held_days": ["2024-03-02"],
        "observed": "2024-03-01: 9; 2024-03-02: 8",
        "expected": 10,
        "failing_rows": 3,
        "failing_keys": ["c.json", "a.json", "b.json"],
        "blocked": True,
    }


def test_an_outcome_that_lets_all_days_through_warns_and_has_blocked_nothing(load: Load) -> None:
    outcome = CheckOutcome(REJECTED_SHARE, RUNNA_ACTIVITIES, {DAY_1: ODD})
    result = outcome.result(load, {})
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert (_metadata(outcome, load)["blocked"], _metadata(outcome, load)["held_days"]) == (False, [])


def test_the_query_shows_the_failing_rows_where_they_lie(load: Load) -> None:
    outcome = CheckOutcome(REJECTED_SHARE, RUNNA_ACTIVITIES, {DAY_1: LOST, DAY_2: ODD}, rows_in=Lake.quarantine_key)
    held = {DAY_1: {"activities.rejected_share": "too many"}}
    query = _metadata(outcome, load, held)["failing_rows_sql"]
    load.publish(held)
    rows = duckdb.execute(query).df()
    assert list(rows["reason_code"]) == ["not_json", "not_json"]
    assert "held/records/rejected/day=2024-03-01" in query
    assert "held/records/rejected/day=2024-03-02" not in query


@pytest.mark.parametrize(
    ("days", "last_line"), [(LINES_IN_TEXT, "2024-03-20: 19 lost"), (LINES_IN_TEXT + 5, "… and 5 more days")]
)
def test_many_findings_are_cut_in_the_text_only(load: Load, days: int, last_line: str) -> None:
    failing = {DAY_1 + timedelta(days=number): replace(LOST, sentence=f"{number} lost") for number in range(days)}
    outcome = CheckOutcome(RECONCILES, RUNNA_ACTIVITIES, failing)
    lines = (outcome.result(load, failing).description or "").splitlines()
    assert lines[:2] == ["2024-03-01: 0 lost", "2024-03-02: 1 lost"]
    assert lines[-1] == last_line
    assert _metadata(outcome, load)["failing_days"] == [day.isoformat() for day in failing]


def test_what_is_found_of_several_days_is_said_once_with_their_ranges(load: Load) -> None:
    """Such as of a week, whose days fail together."""
    weeks = {DAY_1 + timedelta(days=number): LOST for number in range(7)}
    outcome = CheckOutcome(RECONCILES, RUNNA_ACTIVITIES, {**weeks, DAY_1 + timedelta(days=8): LOST, DAY_2: ODD})
    assert (outcome.result(load, {}).description or "").splitlines() == [
        "2024-03-01, 2024-03-03 to 2024-03-07, 2024-03-09: two lost",
        "2024-03-02: an odd one",
    ]
    assert _metadata(outcome, load)["observed"] == "2024-03-01, 2024-03-03 to 2024-03-07, 2024-03-09: 8; 2024-03-02: 9"


def test_a_dataset_without_days_names_none(load: Load) -> None:
    outcome = CheckOutcome(RECONCILES, LINGOKIDS_USERS, {WHOLE_DATASET_DAY: LOST})
    assert outcome.result(load, {}).description == "two lost"
    metadata = _metadata(outcome, load)
    assert (metadata["failing_days"], metadata["held_days"], "first_day_judged" in metadata) == ([], [], False)


def test_checks_of_raw_datasets_block() -> None:
    spec = check_spec(RECONCILES, RUNNA_ACTIVITIES)
    assert spec.key == dg.AssetCheckKey(dg.AssetKey(["raw_runna", "activities"]), "reconciles")
    assert (spec.blocking, spec.description) == (True, RECONCILES.description)


def test_a_setting_decides_what_a_failing_day_comes_to() -> None:
    outcome = CheckOutcome(REJECTED_SHARE, RUNNA_ACTIVITIES, {DAY_1: ODD, DAY_2: LOST})
    assert set(outcome.with_severity(None).halting_days) == {DAY_2}
    assert set(outcome.with_severity(Severity.WARN).halting_days) == set()
    assert set(outcome.with_severity(Severity.HALT).halting_days) == {DAY_1, DAY_2}


def _read_again(day: date, accepted: int) -> DayCounts:
    return DayCounts(RUNNA_ACTIVITIES.key, day, 1, 100, accepted + 2, accepted, 1, 1, accepted)


def test_a_released_day_that_is_read_again_with_the_same_counts_stays_released() -> None:
    history = LoadHistory({RUNNA_ACTIVITIES.key: {DAY_1: RELEASED, DAY_2: RELEASED}}, {})
    outcome = CheckOutcome(RECONCILES, RUNNA_ACTIVITIES, {DAY_1: LOST, DAY_2: LOST})
    let_through = outcome.without_released([_read_again(DAY_1, 8), _read_again(DAY_2, 7)], history)
    assert set(let_through.findings) == {DAY_2}
    assert let_through.note == "2024-03-01: released (`known and harmless`): two lost"


def test_a_day_that_nobody_released_is_judged_as_it_is() -> None:
    outcome = CheckOutcome(RECONCILES, RUNNA_ACTIVITIES, {DAY_1: LOST})
    history = LoadHistory({RUNNA_ACTIVITIES.key: {DAY_1: PUBLISHED}}, {})
    assert outcome.without_released([_read_again(DAY_1, 8)], history) is outcome
    assert outcome.without_released([_read_again(DAY_1, 8)], LoadHistory({}, {})) is outcome


@pytest.mark.parametrize("check", [REJECTED_SHARE, HAS_NOT_SHRUNK], ids=lambda check: check.name)
def test_a_release_lets_through_what_failed_then_and_no_loss_that_is_new(check: CheckDefinition) -> None:
    """The released day had failed `reconciles` and `has_not_shrunk`."""
    history = LoadHistory({RUNNA_ACTIVITIES.key: {DAY_1: RELEASED}}, {})
    outcome = CheckOutcome(check, RUNNA_ACTIVITIES, {DAY_1: LOST})
    assert outcome.without_released([_read_again(DAY_1, 8)], history) is outcome

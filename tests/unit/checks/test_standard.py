"""The checks of one load of a load, each passing and failing."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from engagement_assets.checks.outcome import CheckOutcome
from engagement_assets.checks.standard import (
    batch_has_not_shrunk,
    has_no_duplicate_ids,
    reconciles,
    rejected_share,
    schema_drift,
    service_has_not_shrunk,
)
from engagement_assets.contracts.load_checks import (
    HAS_NOT_SHRUNK,
    RECONCILES,
    STRAVA_HAS_NO_DUPLICATE_IDS,
    Severity,
)
from engagement_assets.extract.runna.source import RUNNA_ACTIVITIES
from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES
from engagement_assets.lake.known_records import published_rows
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import open_load
from engagement_assets.lake.load_records import DayCounts
from engagement_assets.settings import Settings
from tests.lake_loads import DAY_1, DAY_2, DAY_3, Found, Reject, load_time, publish, window, write

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


def _sentences(outcome: CheckOutcome) -> dict[date, str]:
    return {day: finding.sentence for day, finding in outcome.findings.items()}


def _severities(outcome: CheckOutcome) -> dict[date, Severity]:
    return {day: finding.severity for day, finding in outcome.findings.items()}


def _counts(day: date, read: int, accepted: int, quarantined: int, duplicates: int) -> DayCounts:
    return DayCounts(RUNNA_ACTIVITIES.key, day, 1, 100, read, accepted, quarantined, duplicates, accepted)


def test_days_reconcile_when_every_record_is_somewhere() -> None:
    outcome = reconciles(RUNNA_ACTIVITIES, [_counts(DAY_1, 6, 3, 2, 1), _counts(DAY_2, 0, 0, 0, 0)])
    assert outcome == CheckOutcome(
        RECONCILES,
        RUNNA_ACTIVITIES,
        {},
        {"records_read": 6, "accepted": 3, "quarantined": 2, "duplicates": 1, "erased": 0},
    )


def test_records_of_erased_persons_are_accounted_for() -> None:
    erased = replace(_counts(DAY_1, 6, 3, 1, 1), erased=1)
    assert reconciles(RUNNA_ACTIVITIES, [erased]).findings == {}
    assert set(reconciles(RUNNA_ACTIVITIES, [replace(erased, erased=2)]).findings) == {DAY_1}


def test_a_day_with_records_that_are_nowhere_does_not_reconcile() -> None:
    days = [_counts(DAY_1, 1_200, 1_000, 150, 20), _counts(DAY_2, 1, 1, 0, 0), _counts(DAY_3, 2, 3, 0, 0)]
    outcome = reconciles(RUNNA_ACTIVITIES, days)
    assert set(outcome.halting_days) == {DAY_1, DAY_3}
    found = outcome.findings[DAY_1]
    # What is not accounted for is no row that anybody could look at.
    assert (found.observed, found.expected, found.rows) == (1_170, 1_200, None)
    assert _sentences(outcome) == {
        DAY_1: "1,200 records read, but 1,000 accepted + 150 quarantined + 20 duplicates + 0 erased; "
        "30 unaccounted for",
        DAY_3: "2 records read, but 3 accepted + 0 quarantined + 0 duplicates + 0 erased; -1 unaccounted for",
    }


def _shrunk(lake: Lake, rows: Found, files_read: tuple[str, ...], *, allow_shrink: bool = False) -> CheckOutcome:
    publish(lake, PUBLISHED, window(DAY_1, DAY_2), 1)
    with open_load(lake, "source", run_id="run", started_at=load_time(2)) as load:
        write(load, rows, window(DAY_1, DAY_2))
        return batch_has_not_shrunk(load, RUNNA_ACTIVITIES, files_read, allow_shrink=allow_shrink)


def test_a_batch_with_all_its_files_has_not_shrunk(lake: Lake) -> None:
    files = tuple(row["source_path"] for row in PUBLISHED.rows[RUNNA_ACTIVITIES])
    outcome = _shrunk(lake, PUBLISHED, files)
    assert outcome == CheckOutcome(HAS_NOT_SHRUNK, RUNNA_ACTIVITIES, {}, {"records_gone": 0})


def test_a_day_whose_files_have_gone_has_shrunk(lake: Lake) -> None:
    rows = PUBLISHED.rows[RUNNA_ACTIVITIES][:2]
    outcome = _shrunk(lake, Found({RUNNA_ACTIVITIES: rows}), tuple(row["source_path"] for row in rows))
    assert outcome.halting_days == {
        DAY_2: (
            "2 activities are gone with their landing files, such as `runna/2024-03-02/1.json`; the published day is "
            "kept. Put the files back, or run this day with allow_shrink if they are meant to go"
        )
    }
    found = outcome.findings[DAY_2]
    assert (found.observed, found.expected, found.rows) == ("2 activities gone", "none gone", 2)
    assert outcome.figures == {"records_gone": 2}


def test_a_day_may_shrink_when_that_is_meant(lake: Lake) -> None:
    outcome = _shrunk(lake, Found({RUNNA_ACTIVITIES: []}), (), allow_shrink=True)
    assert (outcome.findings, outcome.figures) == ({}, {"records_gone": 0})


def _gone(missing: dict[date, tuple[int, int]], *as_a_whole: date, allow_shrink: bool = False) -> CheckOutcome:
    return service_has_not_shrunk(RUNNA_ACTIVITIES, missing, as_a_whole=as_a_whole, allow_shrink=allow_shrink)


@pytest.mark.parametrize("known", [5, 15, 35, 1_000, 123_455])
@pytest.mark.parametrize("as_a_whole", [(), (DAY_1,)])
def test_exactly_a_fifth_may_go_and_no_more(known: int, as_a_whole: tuple[date, ...]) -> None:
    assert _gone({DAY_1: (known, known // 5)}, *as_a_whole).findings == {}
    assert set(_gone({DAY_1: (known, known // 5 + 1)}, *as_a_whole).halting_days) == {DAY_1}


def test_a_day_that_lost_more_than_a_fifth_fails_alone() -> None:
    outcome = _gone({DAY_1: (1_000, 201), DAY_2: (4_000, 1), DAY_3: (10, 0)})
    assert (outcome.check, outcome.figures) == (HAS_NOT_SHRUNK, {"records_known": 5_010, "records_gone": 202})
    assert outcome.findings[DAY_1].observed == "201 of 1,000 activities gone"
    assert outcome.halting_days == {
        DAY_1: (
            "201 of 1,000 activities are gone; the published day is kept. Check whether the service works and still "
            "answers for the same account, or run this day with allow_shrink if they are meant to go"
        )
    }


def test_days_that_are_judged_as_a_whole_pass_or_fail_together() -> None:
    assert _gone({DAY_1: (2, 2), DAY_2: (8, 0)}, DAY_1, DAY_2, DAY_3).findings == {}
    failing = _gone({DAY_1: (2, 2), DAY_2: (6, 0)}, DAY_1, DAY_2, DAY_3).halting_days
    assert set(failing) == {DAY_1, DAY_2, DAY_3}
    assert {sentence.partition(";")[0] for sentence in failing.values()} == {"2 of 8 activities are gone"}


def test_what_is_meant_to_go_goes_and_is_counted() -> None:
    outcome = _gone({DAY_1: (2, 2)}, DAY_1, allow_shrink=True)
    assert (outcome.findings, outcome.figures) == ({}, {"records_known": 2, "records_gone": 2})


@pytest.mark.parametrize("as_a_whole", [(), (DAY_1, DAY_2)])
def test_where_nothing_was_known_nothing_is_gone(as_a_whole: tuple[date, ...]) -> None:
    assert _gone({}, *as_a_whole) == CheckOutcome(
        HAS_NOT_SHRUNK, RUNNA_ACTIVITIES, {}, {"records_known": 0, "records_gone": 0}
    )


def _rejected(lake: Lake, rejects: int, rows: int, outside: int = 0, /, **settings: Any) -> CheckOutcome:
    found = Found(
        {RUNNA_ACTIVITIES: [{"activity_id": str(number), "day": DAY_1} for number in range(rows)]},
        rejects=[
            Reject(RUNNA_ACTIVITIES, DAY_1, f"{number}.json", number, reason)
            for reason, count in (("not_json", rejects), ("outside_calendar", outside))
            for number in range(count)
        ],
    )
    with open_load(lake, "source", run_id="run", started_at=load_time(1)) as load:
        write(load, found, window(DAY_1, DAY_2))
        return rejected_share(load, RUNNA_ACTIVITIES, load.counts(), Settings(_env_file=None, **settings))


def test_one_percent_may_be_rejected(lake: Lake) -> None:
    outcome = _rejected(lake, 1, 99)
    assert (outcome.findings, outcome.figures) == ({}, {"records_read": 100, "quarantined": 1})


def test_more_than_one_percent_rejected_warns(lake: Lake) -> None:
    outcome = _rejected(lake, 5, 95)
    assert _severities(outcome) == {DAY_1: Severity.WARN}
    assert outcome.findings[DAY_1].sentence == "5 of 100 records were rejected (5.0%): not valid JSON (not_json): 5"


def test_more_than_five_percent_rejected_holds_the_day(lake: Lake) -> None:
    outcome = _rejected(lake, 6, 94)
    found = outcome.findings[DAY_1]
    assert _severities(outcome) == {DAY_1: Severity.HALT}
    assert (found.observed, found.expected, found.rows) == ("6.00%", "at most 5.00%", 6)
    assert found.keys == ("0.json:0", "1.json:1", "2.json:2", "3.json:3", "4.json:4")


def test_two_bad_files_of_six_do_not_hold_a_day(lake: Lake) -> None:
    assert _severities(_rejected(lake, 2, 4)) == {DAY_1: Severity.WARN}
    assert _severities(_rejected(lake, 98, 1)) == {DAY_1: Severity.WARN}


@pytest.mark.parametrize(("bad", "outside", "reason"), [(1, 0, "not valid JSON (not_json): 1"), (0, 2, None)])
def test_a_load_that_accepts_nothing_is_held_however_small_it_is(
    lake: Lake, bad: int, outside: int, reason: str | None
) -> None:
    outcome = _rejected(lake, bad, 0, outside)
    assert _severities(outcome) == {DAY_1: Severity.HALT}
    found = outcome.findings[DAY_1]
    assert (found.observed, found.expected) == ("100.00%", "at most 5.00%")
    assert found.sentence == (
        f"{bad + outside} of {bad + outside} records were rejected (100.0%): "
        f"{reason or 'a time before START_DATE or in the future (outside_calendar): 2'}; no record of the load could "
        "be used. The first one, `0.json:0`: ?"
    )
    assert _severities(_rejected(lake, bad, 0, outside, rejected_share_halt="1")) == {DAY_1: Severity.WARN}


def test_an_empty_day_beside_rejects_and_accepted_rows_of_another_day_is_not_held(lake: Lake) -> None:
    found = Found(
        {RUNNA_ACTIVITIES: [{"activity_id": "1", "day": DAY_2}]}, rejects=[Reject(RUNNA_ACTIVITIES, DAY_1, "0.json")]
    )
    with open_load(lake, "source", run_id="run", started_at=load_time(1)) as load:
        write(load, found, window(DAY_1, DAY_3))
        outcome = rejected_share(load, RUNNA_ACTIVITIES, load.counts(), Settings(_env_file=None))
    assert _severities(outcome) == {DAY_1: Severity.WARN}


def test_a_source_has_limits_of_its_own(lake: Lake) -> None:
    limits = {"rejected_share_warn": "0.01, runna=0.4", "rejected_share_halt": "0.05, runna=0.5"}
    assert _severities(_rejected(lake, 40, 60, **limits)) == {}
    assert _severities(_rejected(lake, 41, 59, **limits)) == {DAY_1: Severity.WARN}
    assert _severities(_rejected(lake, 51, 49, **limits)) == {DAY_1: Severity.HALT}
    assert _severities(_rejected(lake, 4, 4, rejected_share_min_records="100, runna=8")) == {DAY_1: Severity.HALT}


@pytest.mark.parametrize(
    ("outside", "bad", "accepted", "severity"),
    [(1, 0, 999, Severity.WARN), (900, 5, 95, Severity.WARN), (900, 6, 94, Severity.HALT), (900, 0, 1, Severity.WARN)],
)
def test_records_outside_of_the_calendar_warn_and_hold_no_day(
    lake: Lake, outside: int, bad: int, accepted: int, severity: Severity
) -> None:
    outcome = _rejected(lake, bad, accepted, outside)
    read = outside + bad + accepted
    foreign = f"a time before START_DATE or in the future (outside_calendar): {outside}"
    reasons = f"not valid JSON (not_json): {bad}, {foreign}" if bad else foreign
    assert _severities(outcome) == {DAY_1: severity}
    assert outcome.findings[DAY_1].sentence == (
        f"{outside + bad} of {read:,} records were rejected ({(outside + bad) / read:.1%}): {reasons}"
    )


def test_what_is_said_of_a_record_outside_of_the_calendar_is_not_a_share(lake: Lake) -> None:
    found = _rejected(lake, 0, 2_999, 1).findings[DAY_1]
    assert (found.observed, found.expected) == ("1 outside of the calendar", "0 outside of the calendar")
    held = _rejected(lake, 6, 94, 900).findings[DAY_1]
    assert (held.observed, held.expected) == ("6.00%", "at most 5.00%")


def test_many_new_fields_are_reported_by_the_first_names() -> None:
    outcome = _drift({DAY_1: {f"f{number:02}": 1 for number in range(25)}})
    sentence = outcome.findings[DAY_1].sentence
    assert sentence.startswith("new fields that no contract names: `f00` (1 records), `f01`")
    assert sentence.endswith("`f19` (1 records) and 5 more")


def _drift(
    unknown: Mapping[date, Mapping[str, int]],
    known: frozenset[str] = frozenset(),
    reasons: Mapping[date, Mapping[str, int]] | None = None,
) -> CheckOutcome:
    counts = [_counts(DAY_1, 12, 0, 12, 0), _counts(DAY_2, 9, 0, 9, 0), _counts(DAY_3, 0, 0, 0, 0)]
    return schema_drift(RUNNA_ACTIVITIES, counts, unknown, known, reasons or {})


def test_fields_that_loads_have_met_are_not_new() -> None:
    outcome = _drift({DAY_1: {"mood": 3}, DAY_2: {"mood": 1}}, frozenset({"mood"}))
    assert (outcome.findings, outcome.figures) == ({}, {"unknown_fields": "mood"})


def test_a_new_field_warns_with_its_name_on_every_day_that_has_it() -> None:
    outcome = _drift({DAY_1: {"mood": 3, "battery": 12}, DAY_2: {"mood": 1}}, frozenset({"battery"}))
    assert _severities(outcome) == {DAY_1: Severity.WARN, DAY_2: Severity.WARN}
    assert outcome.findings[DAY_1].sentence == "new fields that no contract names: `mood` (3 records)"
    assert (outcome.findings[DAY_1].observed, outcome.findings[DAY_1].keys) == ("mood", ("mood",))


def test_a_required_field_that_all_records_lack_holds_the_day() -> None:
    outcome = _drift({}, reasons={DAY_1: {"missing_user_id": 12}})
    assert _severities(outcome) == {DAY_1: Severity.HALT}
    assert _sentences(outcome) == {DAY_1: "all 12 records lack the required field user_id"}


@pytest.mark.parametrize(
    ("reasons", "severities"),
    [
        ({DAY_1: {"missing_user_id": 11}}, {}),
        ({DAY_1: {"missing_user_id": 6, "missing_activity_id": 6}}, {}),
        ({DAY_1: {"not_json": 12}}, {}),
        ({DAY_2: {"missing_user_id": 9}}, {DAY_2: Severity.WARN}),
    ],
    ids=["one record has it", "two fields", "another reason", "nine records"],
)
def test_a_field_has_gone_when_all_of_many_records_lack_it(
    reasons: Mapping[date, Mapping[str, int]], severities: dict[date, Severity]
) -> None:
    assert _severities(_drift({}, reasons=reasons)) == severities


def _run(activity_id: int, day: date, **columns: Any) -> dict[str, Any]:
    return {"activity_id": activity_id, "day": day, **columns}


def _duplicates(lake: Lake, published: list[dict[str, Any]], found: list[dict[str, Any]]) -> CheckOutcome:
    publish(lake, Found({STRAVA_ACTIVITIES: published}), window(DAY_1, DAY_3), 1)
    with open_load(lake, "source", run_id="run", started_at=load_time(2)) as load:
        write(load, Found({STRAVA_ACTIVITIES: found}), window(DAY_2))
        neighbours = (
            f"(select * from {published_rows(load, STRAVA_ACTIVITIES, window(DAY_1, DAY_3))} where deleted_at is null)"
        )
        return has_no_duplicate_ids(load, STRAVA_HAS_NO_DUPLICATE_IDS, STRAVA_ACTIVITIES, neighbours)


def test_ids_that_stand_once_are_no_duplicates(lake: Lake) -> None:
    gone = _run(3, DAY_1, deleted_at=datetime(2024, 6, 1))
    assert _duplicates(lake, [_run(1, DAY_1), _run(2, DAY_2), gone], [_run(2, DAY_2), _run(3, DAY_2)]).findings == {}


def test_an_id_that_stands_twice_in_a_load_holds_its_day(lake: Lake) -> None:
    outcome = _duplicates(lake, [], [_run(7, DAY_2), _run(7, DAY_2), _run(8, DAY_2)])
    assert outcome.halting_days == {DAY_2: "2 rows share their activity_id with another row of this load; such as `7`"}
    found = outcome.findings[DAY_2]
    assert (found.observed, found.expected, found.rows, found.keys) == (2, 0, 2, ("7",))
    assert outcome.rows_where == "activity_id::varchar in ('7')"


def test_an_activity_that_moved_over_midnight_warns(lake: Lake) -> None:
    outcome = _duplicates(lake, [_run(7, DAY_1)], [_run(7, DAY_2)])
    assert _severities(outcome) == {DAY_2: Severity.WARN}
    assert "1 activities are on a neighbouring day too" in outcome.findings[DAY_2].sentence

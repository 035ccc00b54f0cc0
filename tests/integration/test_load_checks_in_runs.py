"""What a run makes of a failing day: a warning lets it through, a halt holds it, a release puts it into the lake."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from engagement_assets.commands.range_run import RangeRequest, run_range
from engagement_assets.definitions import build_defs
from tests.integration.mobile_loads_checked import RAW, MobileLoads
from tests.lake_loads import records, window

pytestmark = pytest.mark.integration

CHECKS = {
    *("reconciles", "rejected_share", "schema_drift", "volume_as_expected"),
    *("every_file_is_read", "files_hold_what_was_loaded"),
}
DAY_1, DAY_2, DAY_3 = (date(2024, 1, day) for day in (1, 2, 3))


@pytest.fixture
def loads(tmp_path: Path) -> MobileLoads:
    return MobileLoads(tmp_path)


def _evaluation(result: Any, check: str) -> Any:
    return next(item for item in result.get_asset_check_evaluations() if item.check_name == check)


def _materialized(result: Any) -> list[tuple[str, str | None]]:
    return sorted(
        (event.asset_key.to_user_string(), event.partition) for event in result.get_asset_materialization_events()
    )


def test_a_good_range_passes_every_check(loads: MobileLoads) -> None:
    for day in (DAY_1, DAY_2):
        loads.write(day, good=200)
    result = loads.run(DAY_1, DAY_2)
    assert result.success
    assert {(item.check_name, item.passed) for item in result.get_asset_check_evaluations()} == {
        (name, True) for name in CHECKS
    }
    assert ("downstream", None) in _materialized(result)
    metadata = next(event for event in result.get_asset_materialization_events() if event.asset_key == RAW)
    assert metadata.materialization.metadata["held_days"].value == []


def test_a_file_that_nobody_reads_is_reported_and_holds_all_days_where_the_setting_says_so(loads: MobileLoads) -> None:
    loads.write(DAY_1, good=3)
    (loads.landing / "late.CSV").write_text("x", encoding="utf-8")
    warned = loads.run(DAY_1, DAY_2)
    check = _evaluation(warned, "every_file_is_read")
    assert (warned.success, check.passed, check.severity) == (True, False, dg.AssetCheckSeverity.WARN)
    assert check.description == (
        "the landing zone has files or folders that no load reads (1): `mobile_events/late.CSV` (its name does not end "
        "with .csv or .csv.gz). "
        "Rename or move what is meant to be loaded"
    )
    # It is about no day: the next load settles it, whatever its days.
    assert check.metadata["failing_days"].value == []
    loads.write(DAY_2, good=3)
    held = loads.run(DAY_1, DAY_2, check_severities="every_file_is_read=halt")
    assert not held.success
    assert loads.published() == {DAY_1: 3, DAY_2: 0}
    assert loads.lake.held_days("mobile_events") == [DAY_1, DAY_2]
    (failure,) = [event.step_failure_data for event in held.all_events if event.is_step_failure]
    assert (
        "events.every_file_is_read: the landing zone has files or folders that no load reads (1)"
        in failure.user_failure_data.description
    )


def test_events_that_a_replaced_file_no_longer_holds_stay_and_are_reported(loads: MobileLoads) -> None:
    loads.write(DAY_1, good=5)
    assert loads.run(DAY_1, DAY_1).success
    loads.write(DAY_1, good=3)
    result = loads.run(DAY_1, DAY_1)
    check = _evaluation(result, "files_hold_what_was_loaded")
    assert (result.success, check.passed, check.severity) == (True, False, dg.AssetCheckSeverity.WARN)
    assert "2 events came from landing files that are still there" in check.description
    assert "`mobile_events/2024-01-01.csv` (2). They stay" in check.description
    assert loads.published() == {DAY_1: 5}
    meant = loads.run(DAY_1, DAY_1, {"allow_shrink": True})
    assert _evaluation(meant, "files_hold_what_was_loaded").passed
    assert loads.published() == {DAY_1: 3}


def test_a_file_that_was_replaced_by_one_of_other_days_is_reported_by_the_load_of_the_day_that_it_lost(
    loads: MobileLoads,
) -> None:
    loads.write(DAY_1, good=5)
    assert loads.run(DAY_1, DAY_1).success
    file = loads.landing / f"{DAY_1}.csv"
    loads.write(DAY_3, good=2)
    file.write_bytes((loads.landing / f"{DAY_3}.csv").read_bytes())
    (loads.landing / f"{DAY_3}.csv").unlink()
    assert _evaluation(loads.run(DAY_3, DAY_3), "files_hold_what_was_loaded").passed
    lost = _evaluation(loads.run(DAY_1, DAY_1), "files_hold_what_was_loaded")
    assert not lost.passed
    assert "5 events came from landing files that are still there" in lost.description
    assert loads.published() == {DAY_1: 5, DAY_3: 2}


def test_a_halted_day_is_held_the_others_are_published_and_downstream_is_skipped(loads: MobileLoads) -> None:
    for day in (DAY_1, DAY_2, DAY_3):
        loads.write(day, good=200, bad=20 if day == DAY_2 else 0)
    result = loads.run(DAY_1, DAY_3)
    assert not result.success
    assert loads.published() == {DAY_1: 200, DAY_3: 200}
    assert _materialized(result) == [("raw_mobile/events", "2024-01-01"), ("raw_mobile/events", "2024-01-03")]
    check = _evaluation(result, "rejected_share")
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert (
        check.description
        == "2024-01-02: 20 of 220 records were rejected (9.1%): no event name (missing_event_name): 20"
    )
    shown = {name: value.value for name, value in check.metadata.items()}
    assert (shown["failing_days"], shown["held_days"], shown["blocked"]) == (["2024-01-02"], ["2024-01-02"], True)
    observations = [event for event in result.all_events if event.event_type_value == "ASSET_OBSERVATION"]
    assert [event.event_specific_data.asset_observation.metadata["held_days"].value for event in observations] == [
        ["2024-01-02"]
    ]

    loads.write(DAY_2, good=200)
    fixed = loads.run(DAY_2, DAY_2)
    assert fixed.success
    assert loads.published() == {DAY_1: 200, DAY_2: 200, DAY_3: 200}
    assert loads.lake.held_days("mobile_events") == []


def test_a_check_that_only_warns_lets_the_day_through_and_the_run_is_green(loads: MobileLoads) -> None:
    loads.write(DAY_1, good=200, bad=20)
    result = loads.run(DAY_1, DAY_1, check_severities="mobile.rejected_share=warn")
    assert result.success
    check = _evaluation(result, "rejected_share")
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["blocked"].value is False
    assert loads.published() == {DAY_1: 200}
    assert {name for name, _ in _materialized(result)} == {"raw_mobile/events", "downstream"}


def test_a_check_that_only_warns_can_be_made_to_halt(loads: MobileLoads) -> None:
    days = [DAY_1 + timedelta(weeks=week) for week in range(7)]
    for day in days:
        loads.write(day, good=3 if day == days[-1] else 100)
    assert _evaluation(loads.run(days[0], days[-1]), "volume_as_expected").severity == dg.AssetCheckSeverity.WARN
    halted = loads.run(days[-1], days[-1], check_severities="volume_as_expected=halt")
    check = _evaluation(halted, "volume_as_expected")
    assert (halted.success, check.passed, check.severity) == (False, False, dg.AssetCheckSeverity.ERROR)
    assert check.description == "2024-02-12: 3 rows, expected 70 to 130: the median of 6 Mondays before is 100"
    assert loads.lake.held_days("mobile_events") == [days[-1]]


def test_a_release_is_a_run_that_reads_nothing_and_goes_on_downstream(loads: MobileLoads) -> None:
    loads.write(DAY_1, good=200)
    loads.write(DAY_2, good=200, bad=20)
    assert not loads.run(DAY_1, DAY_2).success
    for file in loads.landing.iterdir():
        file.unlink()
    release = {"release_reason": "the app's own tests"}
    result = loads.run(DAY_1, DAY_2, release)
    assert result.success
    assert loads.published() == {DAY_1: 200, DAY_2: 200}
    assert ("downstream", None) in _materialized(result)
    checks = result.get_asset_check_evaluations()
    assert {(check.passed, check.description) for check in checks} == {
        (True, "not judged: released: 1 days (`the app's own tests`)")
    }
    assert {check.check_name for check in checks} == CHECKS
    reasons = records(loads.lake, "release_reason", "partition_date")
    assert [row for row in reasons if row[0]] == [("the app's own tests", DAY_2)]

    again = loads.run(DAY_1, DAY_2, release)
    assert again.success
    assert {check.description for check in again.get_asset_check_evaluations()} == {"not judged: nothing was held"}


def test_a_released_day_stays_released_until_it_is_read_with_other_counts(loads: MobileLoads) -> None:
    loads.write(DAY_1, good=200, bad=20)
    loads.run(DAY_1, DAY_1)
    loads.run(DAY_1, DAY_1, {"release_reason": "known"})
    again = loads.run(DAY_1, DAY_1)
    check = _evaluation(again, "rejected_share")
    assert (again.success, check.passed) == (True, True)
    assert check.description == (
        "2024-01-01: released (`known`): 20 of 220 records were rejected (9.1%): no event name (missing_event_name): 20"
    )
    loads.write(DAY_1, good=200, bad=21)
    assert not loads.run(DAY_1, DAY_1).success
    assert loads.lake.held_days("mobile_events") == [DAY_1]


def test_a_day_that_nothing_is_known_of_cannot_be_released(loads: MobileLoads) -> None:
    result = loads.run(DAY_1, DAY_1, {"release_reason": "please"})
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "2024-01-01 of raw_mobile/events is neither held nor loaded" in (
        failure.step_failure_data.user_failure_data.description
    )


def test_the_job_of_the_ui_releases_and_wants_a_reason(loads: MobileLoads) -> None:
    loads.write(DAY_1, good=200, bad=20)
    loads.run(DAY_1, DAY_1)
    job = build_defs(loads.settings).resolve_job_def("release_mobile_events")
    for reason, success, published in ((None, False, {}), ("seen in the UI", True, {DAY_1: 200})):
        config = {"ops": {"raw_mobile_events": {"config": {"release_reason": reason}}}} if reason else None
        with dg.DagsterInstance.ephemeral() as instance:
            result = job.execute_in_process(
                instance=instance,
                asset_selection=[RAW],
                partition_key=DAY_1.isoformat(),
                run_config=config,
                raise_on_error=False,
            )
        assert (result.success, loads.published()) == (success, published)
    assert [row for row in records(loads.lake, "release_reason") if row[0]] == [("seen in the UI",)]


def test_a_release_from_the_shell_is_a_run_over_a_range(loads: MobileLoads) -> None:
    for day in (DAY_1, DAY_2):
        loads.write(day, good=200, bad=20)
    loads.run(DAY_1, DAY_2)
    request = RangeRequest(window(DAY_1, DAY_2), 'key:"raw_mobile/events"', release_reason="known")
    run = run_range(loads.settings, request)
    assert run.failures == ()
    assert loads.published() == {DAY_1: 200, DAY_2: 200}
    assert {check.check_name for check in run.checks if check.asset_key == RAW} == CHECKS

"""What a run makes of a failing day: a warning lets it through, a halt holds it, a release puts it into the lake."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from engagement_assets.assets.raw_mobile import raw_mobile_assets
from engagement_assets.commands.range_run import RANGE_END_TAG, RANGE_START_TAG
from engagement_assets.definitions import build_defs
from engagement_assets.lake.datasets import MOBILE_EVENTS
from engagement_assets.lake.lake import Lake
from engagement_assets.resources import ApiClients
from engagement_assets.settings import Settings
from tests.lake_loads import parquet_rows, records

pytestmark = pytest.mark.integration

HEADER = ";".join(
    (
        *("anonymous_id", "business_zoned", "context_app_version", "context_device_id", "context_os_name"),
        *("event_name", "received_at", "created_at"),
    )
)
RAW = dg.AssetKey(["raw_mobile", "events"])
DAY_1, DAY_2, DAY_3 = (date(2024, 1, day) for day in (1, 2, 3))


class Door:
    """A landing zone with mobile events, and runs of their raw asset with one asset downstream."""

    def __init__(self, folder: Path) -> None:
        self.landing = folder / "landing" / "mobile_events"
        self.landing.mkdir(parents=True)
        self.lake = Lake(str(folder / "lake"))
        self.settings = Settings(
            _env_file=None,
            landing_uri=str(folder / "landing"),
            lake_uri=self.lake.uri,
            start_date=DAY_1,
            dagster_home=folder / "home",
        )

    def write(self, day: date, good: int, bad: int = 0) -> None:
        """A day's file: `good` usable lines, and `bad` ones without a name of the event."""
        lines = [
            f"a{number};zone;1;d;ios;{'Opened' if number < good else ''};{day} 10:00:{number % 60:02};{day} 09:00:00"
            for number in range(good + bad)
        ]
        (self.landing / f"{day}.csv").write_text("\n".join([HEADER, *lines, ""]), encoding="utf-8")

    def run(self, first: date, last: date, config: Mapping[str, Any] | None = None, **settings: Any) -> Any:
        """Load days inclusive; the result tells what became of the asset downstream."""
        # What was given as a text is read as one of the environment is.
        own = Settings(_env_file=None, **{**self.settings.model_dump(), **settings})

        @dg.asset(deps=[RAW])
        def downstream() -> None:
            pass

        with dg.DagsterInstance.ephemeral() as instance:
            return dg.materialize(
                [raw_mobile_assets(own), downstream],
                instance=instance,
                resources={"settings": own, "api_clients": ApiClients(own)},
                tags={RANGE_START_TAG: first.isoformat(), RANGE_END_TAG: last.isoformat()},
                run_config={"ops": {"raw_mobile_events": {"config": dict(config or {})}}},
                raise_on_error=False,
            )

    def published(self) -> dict[date, int]:
        """Rows of each day in the lake."""
        rows = parquet_rows(Path(self.lake.uri), f"{MOBILE_EVENTS.key}/*/data.parquet", "day", "event_id")
        return {day: sum(row[0] == day for row in rows) for day in self.lake.days(MOBILE_EVENTS)}


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


def _evaluation(result: Any, check: str) -> Any:
    return next(item for item in result.get_asset_check_evaluations() if item.check_name == check)


def _materialized(result: Any) -> list[tuple[str, str | None]]:
    return sorted(
        (event.asset_key.to_user_string(), event.partition) for event in result.get_asset_materialization_events()
    )


def test_a_good_range_passes_every_check(door: Door) -> None:
    for day in (DAY_1, DAY_2):
        door.write(day, good=200)
    result = door.run(DAY_1, DAY_2)
    assert result.success
    assert {(item.check_name, item.passed) for item in result.get_asset_check_evaluations()} == {
        (name, True) for name in ("reconciles", "rejected_share", "schema_drift", "volume_as_expected")
    }
    assert ("downstream", None) in _materialized(result)
    metadata = next(event for event in result.get_asset_materialization_events() if event.asset_key == RAW)
    assert metadata.materialization.metadata["held_days"].value == []


def test_a_halted_day_is_held_the_others_are_published_and_downstream_is_skipped(door: Door) -> None:
    for day in (DAY_1, DAY_2, DAY_3):
        door.write(day, good=200, bad=20 if day == DAY_2 else 0)
    result = door.run(DAY_1, DAY_3)
    assert not result.success
    assert door.published() == {DAY_1: 200, DAY_3: 200}
    assert _materialized(result) == [("raw_mobile/events", "2024-01-01"), ("raw_mobile/events", "2024-01-03")]
    check = _evaluation(result, "rejected_share")
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert check.description == "2024-01-02: 20 of 220 records were rejected (9.1%): missing_event_name 20"
    shown = {name: value.value for name, value in check.metadata.items()}
    assert (shown["failing_days"], shown["held_days"], shown["blocked"]) == (["2024-01-02"], ["2024-01-02"], True)
    observations = [event for event in result.all_events if event.event_type_value == "ASSET_OBSERVATION"]
    assert [event.event_specific_data.asset_observation.metadata["held_days"].value for event in observations] == [
        ["2024-01-02"]
    ]

    door.write(DAY_2, good=200)
    mended = door.run(DAY_2, DAY_2)
    assert mended.success
    assert door.published() == {DAY_1: 200, DAY_2: 200, DAY_3: 200}
    assert door.lake.held_days("mobile_events") == []


def test_a_check_that_only_warns_lets_the_day_through_and_the_run_is_green(door: Door) -> None:
    door.write(DAY_1, good=200, bad=20)
    result = door.run(DAY_1, DAY_1, check_severities="mobile.rejected_share=warn")
    assert result.success
    check = _evaluation(result, "rejected_share")
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["blocked"].value is False
    assert door.published() == {DAY_1: 200}
    assert {name for name, _ in _materialized(result)} == {"raw_mobile/events", "downstream"}


def test_a_check_that_only_warns_can_be_made_to_halt(door: Door) -> None:
    days = [DAY_1 + timedelta(weeks=week) for week in range(7)]
    for day in days:
        door.write(day, good=3 if day == days[-1] else 100)
    assert _evaluation(door.run(days[0], days[-1]), "volume_as_expected").severity == dg.AssetCheckSeverity.WARN
    halted = door.run(days[-1], days[-1], check_severities="volume_as_expected=halt")
    check = _evaluation(halted, "volume_as_expected")
    assert (halted.success, check.passed, check.severity) == (False, False, dg.AssetCheckSeverity.ERROR)
    assert check.description == "2024-02-12: 3 rows, expected 70 to 130: the median of 6 Mondays before is 100"
    assert door.lake.held_days("mobile_events") == [days[-1]]


def test_a_release_is_a_run_that_reads_nothing_and_goes_on_downstream(door: Door) -> None:
    door.write(DAY_1, good=200)
    door.write(DAY_2, good=200, bad=20)
    assert not door.run(DAY_1, DAY_2).success
    for file in door.landing.iterdir():
        file.unlink()
    release = {"release_reason": "the app's own tests"}
    result = door.run(DAY_1, DAY_2, release)
    assert result.success
    assert door.published() == {DAY_1: 200, DAY_2: 200}
    assert ("downstream", None) in _materialized(result)
    checks = result.get_asset_check_evaluations()
    assert {(check.passed, check.description) for check in checks} == {
        (True, "not judged: released: 1 days (the app's own tests)")
    }
    assert len(checks) == 4
    reasons = records(door.lake, "release_reason", "partition_date")
    assert [row for row in reasons if row[0]] == [("the app's own tests", DAY_2)]

    again = door.run(DAY_1, DAY_2, release)
    assert again.success
    assert {check.description for check in again.get_asset_check_evaluations()} == {"not judged: nothing was held"}


def test_a_released_day_stays_released_until_it_is_read_with_other_counts(door: Door) -> None:
    door.write(DAY_1, good=200, bad=20)
    door.run(DAY_1, DAY_1)
    door.run(DAY_1, DAY_1, {"release_reason": "known"})
    again = door.run(DAY_1, DAY_1)
    check = _evaluation(again, "rejected_share")
    assert (again.success, check.passed) == (True, True)
    assert check.description == (
        "2024-01-01: released (known): 20 of 220 records were rejected (9.1%): missing_event_name 20"
    )
    door.write(DAY_1, good=200, bad=21)
    assert not door.run(DAY_1, DAY_1).success
    assert door.lake.held_days("mobile_events") == [DAY_1]


def test_a_day_that_nothing_is_known_of_cannot_be_released(door: Door) -> None:
    result = door.run(DAY_1, DAY_1, {"release_reason": "please"})
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "2024-01-01 of raw_mobile/events is neither held nor loaded" in (
        failure.step_failure_data.user_failure_data.description
    )


def test_the_job_of_the_ui_releases_and_wants_a_reason(door: Door) -> None:
    door.write(DAY_1, good=200, bad=20)
    door.run(DAY_1, DAY_1)
    job = build_defs(door.settings).resolve_job_def("release_mobile_events")
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
        assert (result.success, door.published()) == (success, published)
    assert [row for row in records(door.lake, "release_reason") if row[0]] == [("seen in the UI",)]

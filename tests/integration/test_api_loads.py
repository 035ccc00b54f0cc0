"""The raw assets of both services: what a load keeps, holds and leaves when a service has a bad day."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from engagement_assets.definitions import build_defs
from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES
from engagement_assets.extract.user_events.source import USER_EVENTS
from engagement_assets.lake.lake import Lake
from engagement_assets.sandbox.strava_service import RateLimits
from tests.integration.services import FIRST_DAY, Services, services

pytestmark = pytest.mark.integration

LAST_DAY = date(2024, 1, 30)


@pytest.fixture
def good_day(tmp_path: Path) -> Iterator[Services]:
    with services(tmp_path / "services") as found:
        yield found


def failures(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Failed steps with the words that a person reads."""
    found = {}
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            error = data.error
            description = data.user_failure_data.description if data.user_failure_data else None
            found[str(event.step_key)] = description or (error.to_string() if error else "")
    return found


def failed_checks(result: dg.ExecuteInProcessResult) -> set[tuple[str, str]]:
    return {
        (check.asset_key.to_user_string(), check.check_name)
        for check in result.get_asset_check_evaluations()
        if not check.passed and check.severity == dg.AssetCheckSeverity.ERROR
    }


def materialized_days(result: dg.ExecuteInProcessResult, asset: str) -> list[str]:
    key = dg.AssetKey(asset.split("/"))
    return sorted(
        event.partition or "" for event in result.get_asset_materialization_events() if event.asset_key == key
    )


def metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    key = dg.AssetKey(asset.split("/"))
    events = [event for event in result.get_asset_materialization_events() if event.asset_key == key]
    return {name: value.value for name, value in events[0].materialization.metadata.items()}


def test_a_load_reports_its_requests_and_what_is_left_of_the_limits(good_day: Services) -> None:
    result = good_day.load(FIRST_DAY, LAST_DAY)
    assert result.success
    strava = metadata_of(result, "raw_strava/activities")
    assert (strava["requests_made"], strava["requests_left_15_minutes"], strava["requests_left_today"]) == (3, 98, 998)
    events = metadata_of(result, "raw_user_events/events")
    assert events["requests_made"] == 30
    shared = good_day.lake_rows(
        "raw_user_events/events", "count(*) - count(distinct (day, device_id, event_time))", "event_id is not null"
    )
    assert [(events["rows_sharing_device_and_time"],)] == shared
    assert shared[0][0] > 0


def test_a_load_tells_what_devices_wrote_for_none(good_day: Services) -> None:
    first, *_ = good_day.apis.strava.history.activities
    first.uploaded.update(start_latlng=[180.0, 180.0], max_speed=65.535)
    result = good_day.load(FIRST_DAY, date(2024, 1, 10))
    assert result.success
    strava, events = (metadata_of(result, name) for name in ("raw_strava/activities", "raw_user_events/events"))
    assert strava["placeholders_read_as_null"] == {"max_speed": 1}
    assert "placeholders_read_as_null" not in events


def test_a_daily_run_reads_its_trailing_days_again_and_a_range_its_own(good_day: Services) -> None:
    good_day.load(date(2024, 2, 10))
    windows = [request.query for request in good_day.apis.strava.requests if "after" in request.query]
    assert {(query["after"], query["before"]) for query in windows} == {
        (str(epoch(2024, 1, 11) - 1), str(epoch(2024, 2, 11)))
    }
    dates = [request.query["date"] for request in good_day.apis.user_events.requests]
    assert sorted(dates) == ["2024-02-07", "2024-02-08", "2024-02-09", "2024-02-10"]
    good_day.apis.user_events.requests.clear()
    good_day.load(date(2024, 2, 10), date(2024, 2, 11))
    dates = [request.query["date"] for request in good_day.apis.user_events.requests]
    assert sorted(dates) == ["2024-02-10", "2024-02-11"]


def epoch(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())


def test_an_empty_day_is_read_and_empty_and_another_is_not_read(good_day: Services) -> None:
    good_day.load(date(2024, 1, 5), date(2024, 1, 7))  # the service has nothing for 2024-01-06
    lake = Lake(str(good_day.folder / "lake"))
    assert lake.days(USER_EVENTS) == [date(2024, 1, 5), date(2024, 1, 6), date(2024, 1, 7)]
    counts = good_day.lake_rows(
        "records/loads", "partition_date, records_read, accepted", "source = 'user_events' and records_read = 0"
    )
    assert counts == [(date(2024, 1, 6), 0, 0)]


def test_a_service_that_is_down_does_not_stop_the_other(good_day: Services) -> None:
    good_day.apis.strava.faults.next("unavailable", times=100)
    result = good_day.load(FIRST_DAY, date(2024, 1, 5))
    assert not result.success
    assert set(failures(result)) == {"raw_strava"}
    assert "Strava did not answer" in failures(result)["raw_strava"]
    assert len(good_day.apis.strava.requests) == 15  # five attempts, three times
    assert materialized_days(result, "raw_user_events/events") == [f"2024-01-0{day}" for day in range(1, 6)]
    assert Lake(str(good_day.folder / "lake")).days(STRAVA_ACTIVITIES) == []


def test_a_retry_of_the_run_asks_for_no_page_twice(tmp_path: Path) -> None:
    with services(tmp_path, activities_per_day=20) as running:
        running.load(date(2024, 1, 1), date(2024, 1, 1))  # the token is there
        running.apis.strava.requests.clear()
        running.apis.user_events.requests.clear()

        running.apis.user_events.faults.next("unavailable", times=8)
        result = running.load(FIRST_DAY, LAST_DAY)
        assert result.success, failures(result)
        answered = [request.query["date"] for request in running.apis.user_events.requests if request.status == 200]
        assert len(answered) == len(set(answered))
        assert not list((running.folder / "lake" / ".pages").rglob("*.json"))


def test_pages_before_a_failure_are_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with services(tmp_path, activities_per_day=20) as running:
        running.load(date(2024, 1, 1))
        running.apis.strava.requests.clear()
        serve = running.apis.strava.history.visible
        calls = 0

        def visible_then_down(*arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 2:
                running.apis.strava.faults.next("unavailable", times=4)
                running.apis.strava.faults.next("html")
            return serve(*arguments)

        monkeypatch.setattr(running.apis.strava.history, "visible", visible_then_down)
        result = running.load(FIRST_DAY, LAST_DAY)
        assert result.success, failures(result)
        asked = [(request.query["page"], request.status, request.fault) for request in running.apis.strava.requests]
        assert [page for page, status, fault in asked if status == 200 and fault is None] == ["1", "2", "3", "4"]
        assert len(asked) == 9
        assert result.retry_attempts_for_node("raw_strava") == 1


def test_the_daily_limit_keeps_what_is_complete_and_the_next_run_goes_on(tmp_path: Path) -> None:
    with services(tmp_path, activities_per_day=40) as running:
        running.apis.strava.limits = RateLimits(overall=(200, 3), read=(100, 1_000))
        result = running.load(FIRST_DAY, LAST_DAY)
        message = failures(result)["raw_strava"]
        days = materialized_days(result, "raw_strava/activities")
        assert days[0] == "2024-01-01"
        stopped_on = date.fromisoformat(days[-1]) + timedelta(days=1)
        assert message.startswith(
            "Strava's daily limit is used up; it takes requests again from 2024-03-02 00:00 UTC on. What began before "
        )
        assert message.endswith(f"run {stopped_on} to 2024-01-30 again then")
        loaded = running.lake_rows("raw_strava/activities", "activity_id")
        assert len(loaded) == 600  # three pages, all of them
        assert running.lake_rows("raw_strava/activities", "count(*)", "deleted_at is not null") == [(0,)]
        running.apis.clock.set(datetime(2024, 3, 2, 0, 1, tzinfo=UTC))
        running.apis.strava.limits = RateLimits()
        assert running.load(stopped_on, LAST_DAY).success
        everything = set(running.apis.strava.served_activities())
        assert {row[0] for row in running.lake_rows("raw_strava/activities", "activity_id")} == everything


def test_a_fifth_of_the_window_gone_holds_the_days_unless_that_is_meant(good_day: Services) -> None:
    good_day.load(FIRST_DAY, LAST_DAY)
    before = good_day.lake_rows("raw_strava/activities", "activity_id, deleted_at, kudos_count, day")
    history = good_day.apis.strava.history
    good_day.apis.clock.advance(timedelta(hours=1))
    with services(good_day.folder / "other", seed=7) as other:
        good_day.apis.strava.history = other.apis.strava.history
        result = good_day.load(FIRST_DAY, LAST_DAY)
    assert failed_checks(result) == {("raw_strava/activities", "has_not_shrunk")}
    assert f"activities.has_not_shrunk on {FIRST_DAY} to 2024-01-30: " in failures(result)["raw_strava"]
    pages = Path(Lake(good_day.settings().lake_uri).pages_folder("strava"))
    assert list(pages.glob("*/*")) == [], "a load that is held has been judged: its pages are not needed again"
    kept = good_day.lake_rows("raw_strava/activities", "activity_id, deleted_at, kudos_count, day")
    assert kept == before
    good_day.apis.strava.history = history
    half = {activity.document(good_day.apis.clock.now())["id"] for activity in history.activities[::2]}
    history.activities = history.activities[1::2]
    assert not good_day.load(FIRST_DAY, LAST_DAY).success
    assert good_day.load(FIRST_DAY, LAST_DAY, allow_shrink=True).success
    marked = good_day.lake_rows("raw_strava/activities", "activity_id", "deleted_at is not null")
    assert half & {row[0] for row in before} <= {row[0] for row in marked}


def test_a_service_without_settings_cannot_be_run_and_says_what_is_missing(good_day: Services) -> None:
    defs = build_defs(good_day.settings(strava_client_id=""), good_day.clock)
    graph = defs.resolve_asset_graph()
    strava = graph.get(dg.AssetKey(["raw_strava", "activities"]))
    assert not strava.is_executable
    assert strava.description is not None
    assert strava.description.startswith("NOT LOADED: set STRAVA_CLIENT_ID to load it.")
    assert graph.get(dg.AssetKey(["raw_user_events", "events"])).is_executable


def test_the_older_identity_counts_events_of_one_moment_as_one(good_day: Services) -> None:
    good_day.load(FIRST_DAY, date(2024, 1, 10))
    by_event = good_day.lake_rows("raw_user_events/events", "distinct day, device_id, event_time")
    assert len(good_day.lake_rows("raw_user_events/events", "event_id")) > len(by_event)
    result = good_day.load(FIRST_DAY, date(2024, 1, 10), user_event_identity="device_and_time", allow_shrink=True)
    assert result.success
    assert good_day.lake_rows("raw_user_events/events", "day, device_id, event_time") == by_event

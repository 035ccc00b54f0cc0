"""Schedules: the day that has ended, at an hour of a time zone; off until somebody switches them on."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.schedule_definition import ScheduleExecutionData

from engagement_assets.commands.dev import _profile
from engagement_assets.definitions import build_defs
from engagement_assets.settings import Settings

SOURCES = ("runna", "lingokids", "mobile", "strava", "user_events")
DAILY = {"daily_engagement_schedule", *(f"daily_{source}_schedule" for source in SOURCES)}
STOPPED, RUNNING = dg.DefaultScheduleStatus.STOPPED, dg.DefaultScheduleStatus.RUNNING


def _settings(**values: Any) -> Settings:
    services = {
        "strava_client_id": "1",
        "strava_client_secret": "a secret",
        "strava_refresh_token": "a token",
        "user_events_api_url": "http://127.0.0.1/events",
        "user_events_api_token": "a token",
    }
    return Settings(_env_file=None, **{"landing_uri": "/nowhere", "start_date": date(2024, 1, 1), **services, **values})


def _repository(**values: Any) -> dg.RepositoryDefinition:
    return build_defs(_settings(**values)).get_repository_def()


def _tick(repository: dg.RepositoryDefinition, name: str, at: datetime) -> ScheduleExecutionData:
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(instance=instance, scheduled_execution_time=at, repository_def=repository)
        return repository.get_schedule_def(name).evaluate_tick(context)


@pytest.fixture(scope="module")
def repository() -> dg.RepositoryDefinition:
    return _repository(schedule_hour=5, schedule_time_zone="Europe/Berlin")


def test_there_is_one_for_all_one_per_source_a_weekly_and_an_hourly_one(repository: dg.RepositoryDefinition) -> None:
    schedules = {item.name: (item.cron_schedule, item.execution_timezone) for item in repository.schedule_defs}
    weekly = {"weekly_engagement_metrics_schedule": ("0 5 * * 1", "Europe/Berlin")}
    retention = {"retention_schedule": ("30 2 * * *", "Europe/Berlin")}
    freshness = {"freshness_schedule": ("5 * * * *", "UTC")}
    assert schedules == dict.fromkeys(DAILY, ("0 5 * * *", "Europe/Berlin")) | weekly | retention | freshness


def test_every_job_has_a_trigger_except_those_that_people_start(repository: dg.RepositoryDefinition) -> None:
    asked_for = {item.job_name for item in repository.schedule_defs}
    asked_for |= {target.job_name for item in repository.sensor_defs for target in item.targets}
    # The sensor `kudos_model` requests the assets of the job `kudos` without it.
    started_by_people = ("release_", "replay_", "erasure", "kudos", "__")
    jobs = {name for name in repository.job_names if not name.startswith(started_by_people)}
    assert {"daily_engagement", "daily_mobile", "freshness", "retention", "weekly_engagement_metrics"} <= jobs
    assert jobs - asked_for == set()


def test_a_freshness_run_is_first_in_the_queue(repository: dg.RepositoryDefinition) -> None:
    assert repository.get_job("freshness").tags["dagster/priority"] == "1"
    assert len(_tick(repository, "freshness_schedule", datetime(2024, 3, 4, 4, 5, tzinfo=UTC)).run_requests or []) == 1


def test_without_deadlines_there_is_no_freshness_schedule() -> None:
    assert "freshness_schedule" not in {item.name for item in _repository(freshness_hours="0").schedule_defs}


def test_everything_is_off_until_it_is_switched_on(repository: dg.RepositoryDefinition) -> None:
    assert {item.default_status for item in repository.schedule_defs} == {STOPPED}
    # Alerts are on without anyone switching them on.
    on = {item.name for item in repository.sensor_defs if item.default_status == dg.DefaultSensorStatus.RUNNING}
    assert on == {"alert_sensor"}


def test_those_are_on_from_the_start_that_do_nothing_twice() -> None:
    repository = _repository(schedules_on=True)
    on = {item.name for item in repository.schedule_defs if item.default_status == RUNNING}
    assert on == {"daily_engagement_schedule", "weekly_engagement_metrics_schedule", "freshness_schedule"}
    sensors = {item.name: item.default_status for item in repository.sensor_defs}
    for name in ("landing_files", "catch_up", "late_data", "cross_source_tables", "kudos_model"):
        assert sensors[name] == dg.DefaultSensorStatus.RUNNING


def test_make_dev_switches_sensors_on_for_loaded_sample_data_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("LANDING_URI", "SCHEDULES_ON", "DAGSTER_UI_URL"):
        monkeypatch.delenv(name, raising=False)
    published = tmp_path / "published.duckdb"
    monkeypatch.setenv("PUBLISHED_WAREHOUSE_PATH", str(published))
    assert not _profile(Settings(), "3000").schedules_on
    published.touch()
    assert _profile(Settings(), "3000").schedules_on
    assert not _profile(Settings(landing_uri=str(tmp_path)), "3000").schedules_on
    monkeypatch.setenv("SCHEDULES_ON", "false")
    assert not _profile(Settings(), "3000").schedules_on


def test_alerts_link_to_the_port_of_make_dev(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAGSTER_UI_URL", raising=False)
    assert _profile(Settings(), "3100").dagster_ui_url == "http://127.0.0.1:3100"
    monkeypatch.setenv("DAGSTER_UI_URL", "https://dagster.example")
    assert _profile(Settings(), "3100").dagster_ui_url == "https://dagster.example"


def test_no_schedule_is_on_for_sample_data() -> None:
    repository = _repository(landing_uri="", schedules_on=True)
    assert {item.default_status for item in repository.schedule_defs} == {STOPPED}
    result = _tick(repository, "daily_engagement_schedule", datetime(2024, 2, 6, 4, tzinfo=UTC))
    assert result.skip_message == "no UTC day from 2024-01-01 to 2024-02-04 has ended since the last tick"


def test_a_tick_requests_the_utc_day_that_has_ended(repository: dg.RepositoryDefinition) -> None:
    for name in DAILY:
        result = _tick(repository, name, datetime(2024, 3, 4, 4, tzinfo=UTC))
        (request,) = result.run_requests or []
        assert (request.partition_key, request.run_key) == ("2024-03-03", "2024-03-03")
        assert request.tags["dagster/partition"] == "2024-03-03"


def test_the_weekly_tick_requests_the_tables_over_all_sources(repository: dg.RepositoryDefinition) -> None:
    result = _tick(repository, "weekly_engagement_metrics_schedule", datetime(2024, 3, 4, 4, tzinfo=UTC))
    assert len(result.run_requests or []) == 1


def test_a_tick_before_the_first_partition_requests_nothing() -> None:
    result = _tick(_repository(schedule_hour=4), "daily_engagement_schedule", datetime(2024, 1, 1, 4, tzinfo=UTC))
    assert result.run_requests == []
    assert result.skip_message == "no UTC day from 2024-01-01 to 2024-01-01 has ended since the last tick"


def test_in_the_night_back_to_winter_time_a_tick_has_two_days() -> None:
    repository = _repository(schedule_hour=0, schedule_time_zone="Europe/London")
    result = _tick(repository, "daily_engagement_schedule", datetime(2024, 10, 28, 0, tzinfo=UTC))
    assert [request.partition_key for request in result.run_requests or []] == ["2024-10-26", "2024-10-27"]


def test_a_source_that_cannot_be_loaded_has_no_schedule() -> None:
    names = {item.name for item in _repository(strava_client_id="").schedule_defs}
    others = {"weekly_engagement_metrics_schedule", "retention_schedule", "freshness_schedule"}
    assert names == (DAILY - {"daily_strava_schedule"}) | others


def test_a_time_zone_that_is_none_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"schedule_time_zone\n.*expected the name of a time zone, such as Europe/Berlin, found"
    ):
        _settings(schedule_time_zone="Mars/Olympus")

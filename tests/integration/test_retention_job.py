"""The retention job on a real instance: it removes what the settings say and tells it; a dry run only tells."""

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from engagement_assets.definitions import build_defs
from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS
from engagement_assets.extract.services.client import Clock
from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES
from engagement_assets.instance.home import prepare_dagster_home
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.retention import prune_raw_days
from engagement_assets.orchestration.jobs import source_sets
from engagement_assets.orchestration.retention import RETENTION, retention_job, retention_schedule
from engagement_assets.partitions import daily_partitions, range_tags
from engagement_assets.per_source import PerSource
from engagement_assets.resources import ApiClients
from engagement_assets.settings import Settings
from tests.lake_loads import DAY_1, DAY_2, DAY_3, Found, Reject, event, events, publish, published, quarantined, window

pytestmark = pytest.mark.integration

DAYS = daily_partitions(date(2024, 3, 1))
NOW = datetime(2025, 6, 10, tzinfo=UTC)


@dg.asset(key=LINGOKIDS_EVENTS.key.split("/"), partitions_def=DAYS)
def raw_events() -> None: ...


@dg.asset(deps=[raw_events])
def staging() -> None: ...


@dg.asset(deps=[staging], partitions_def=DAYS)
def events_by_day() -> None: ...


class Graph:
    """A lake with three days of one dataset, and an instance that knows what was loaded and built."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance, **settings: Any) -> None:
        self.lake = Lake(str(folder / "lake"))
        found = events(
            *(event(str(day), day) for day in (DAY_1, DAY_2, DAY_3)),
            rejects=[Reject(LINGOKIDS_EVENTS, DAY_1, "events/bad")],
        )
        publish(self.lake, found, window(DAY_1, DAY_3), 1, name=LINGOKIDS_EVENTS.load_name)
        self.instance = instance
        self.settings = Settings(
            _env_file=None,
            landing_uri=str(folder),
            lake_uri=self.lake.uri,
            published_warehouse_path=folder / "published.duckdb",
            **settings,
        )

    def materialize(self, asset: dg.AssetsDefinition, day: date) -> str:
        return dg.materialize([asset], instance=self.instance, partition_key=day.isoformat()).run_id

    def prune(self, *, dry_run: bool = False) -> dict[str, Any]:
        """Run the job; what it told."""
        made: dg.Definitions
        made = dg.Definitions(
            assets=[raw_events, staging, events_by_day],
            jobs=[retention_job(lambda: made)],
            resources={"settings": self.settings, "api_clients": ApiClients(self.settings, Clock(lambda: NOW))},
        )
        result = made.resolve_job_def(RETENTION).execute_in_process(
            instance=self.instance, run_config={"ops": {"prune": {"config": {"dry_run": dry_run}}}}
        )
        (output,) = [item for item in result.all_events if item.is_successful_output]
        return {name: value.value for name, value in output.step_output_data.metadata.items()}


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    for name in ("DAGSTER_HOME", "DAGSTER_EVENT_BATCH_SIZE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    prepare_dagster_home(Settings(_env_file=None, dagster_home=tmp_path / "home"))
    with dg.DagsterInstance.get() as found:
        yield found


def test_days_go_that_the_tables_were_built_from(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    graph = Graph(tmp_path, instance)
    for day in (DAY_1, DAY_2):
        graph.materialize(raw_events, day)
        graph.materialize(events_by_day, day)
    # Loaded again, and not built again; the third day was never built.
    graph.materialize(raw_events, DAY_2)
    graph.materialize(raw_events, DAY_3)

    left = tmp_path / "lake/.aside/lingokids_events"
    left.mkdir(exist_ok=True)
    os.utime(left, (0, 0))

    would = graph.prune(dry_run=True)
    assert (would["dry_run"], would["removed"]) == (True, 3)
    assert "| leftovers of killed runs | 1 |" in would["table"]
    assert "| days of raw_lingokids/events | 1 |" in would["table"]
    assert "| quarantined records | 1 |" in would["table"]
    assert "| messages of alerts.jsonl | 0 |" in would["table"]
    assert "| logs of steps and sensors | 0 |" in would["table"]
    assert len(published(graph.lake, LINGOKIDS_EVENTS, "event_id")) == 3
    assert len(quarantined(graph.lake, "source_path")) == 1

    did = graph.prune()
    assert did["dry_run"] is False
    assert did["table"] == would["table"]
    assert not left.exists()
    assert quarantined(graph.lake, "source_path") == []
    assert [day for day, _ in published(graph.lake, LINGOKIDS_EVENTS, "event_id")] == [DAY_2, DAY_3]


def test_deleted_activities_go_and_the_tables_follow(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = Graph(tmp_path, instance)
    rows = [
        {"activity_id": days, "day": DAY_1, "deleted_at": NOW.replace(tzinfo=None) - timedelta(days=days)}
        for days in (29, 31)
    ]
    publish(graph.lake, Found({STRAVA_ACTIVITIES: rows}), window(DAY_1), 2, name="strava")
    commands: list[list[str]] = []

    def run(command: list[str], **_options: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, stdout="followed")

    monkeypatch.setattr(subprocess, "run", run)
    assert "| activities that Strava no longer has | 1 |" in graph.prune(dry_run=True)["table"]
    assert len(published(graph.lake, STRAVA_ACTIVITIES)) == 2
    assert commands == []
    assert "| activities that Strava no longer has | 1 |" in graph.prune()["table"]
    assert published(graph.lake, STRAVA_ACTIVITIES, "activity_id") == [(DAY_1, 29)]
    assert [command[1:] for command in commands] == [["-m", "engagement_assets.commands.erased_tables"]]


def test_models_of_days_that_were_removed_are_not_built_from_nothing(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    graph = Graph(tmp_path, instance, warehouse_path=tmp_path / "warehouse.duckdb", start_date=DAY_1)
    prune_raw_days(graph.lake, LINGOKIDS_EVENTS, DAY_3, lambda: lambda _: True, dry_run=False)
    defs = build_defs(graph.settings)
    (lingokids,) = [item for item in source_sets(defs.resolve_asset_graph().assets_defs) if item.name == "lingokids"]
    result = defs.resolve_job_def(lingokids.job_name).execute_in_process(
        instance=instance,
        asset_selection=lingokids.windowed,
        tags=range_tags(window(DAY_1, DAY_3)),
        raise_on_error=False,
    )
    (failure,) = [
        str(event.step_failure_data.user_failure_data) for event in result.all_events if event.is_step_failure
    ]
    assert "raw_lingokids/events of 2024-03-01 (2 such days) was removed by RAW_RETENTION_DAYS" in failure
    assert "Leave the days up to 2024-03-02 out of the range" in failure
    assert not graph.settings.warehouse_path.exists()


def test_what_has_no_limit_stays(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    limits = ("raw", "strava_deleted", "quarantine", "alert", "log", "run")
    graph = Graph(tmp_path, instance, **{f"{name}_retention_days": "0" for name in limits})
    run = graph.materialize(events_by_day, DAY_1)
    graph.materialize(events_by_day, DAY_1)
    told = graph.prune()
    assert "days of" not in told["table"]
    assert [line.split(" | ")[0] for line in told["table"].splitlines()[2:]] == ["| leftovers of killed runs"]
    assert len(published(graph.lake, LINGOKIDS_EVENTS, "event_id")) == 3
    assert quarantined(graph.lake, "source_path") != []
    assert instance.get_run_by_id(run) is not None


def test_the_schedule_is_off_until_somebody_switches_it_on() -> None:
    settings = Settings(_env_file=None, schedules_on=True, schedule_time_zone="Europe/Berlin")
    schedule = retention_schedule(settings, retention_job(dg.Definitions))
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 2 * * *", "Europe/Berlin")
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED


@pytest.mark.parametrize("days", ["30", "0, mobile=89"])
def test_a_limit_that_daily_runs_reach_back_over_is_refused(days: str) -> None:
    with pytest.raises(ValueError, match="expected 0 or at least 90 days, found"):
        Settings(_env_file=None, raw_retention_days=days)
    assert Settings(_env_file=None, raw_retention_days="0, mobile=90").raw_retention_days == PerSource(
        0, {"mobile": 90}
    )
    assert timedelta(days=90) > timedelta(days=Settings(_env_file=None).strava_trailing_days)

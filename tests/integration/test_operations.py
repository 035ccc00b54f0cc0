"""The deployment as it runs by itself: webserver, daemon and code server, on a Dagster instance of its own.

Belongs here: schedules, sensors, backfills from the UI and cancelled runs, side by side. Not here: what a sensor
decides (`tests/unit/sensors/`) or what the tables hold. The tests go on with one another's deployment, in this order.
"""

import json
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.partitions import range_tags, window_of_tags
from engagement_assets.sandbox.sample_data import write_sample_landing
from tests.integration.dagster_processes import DagsterProcesses, dagster_processes
from tests.integration.deployment import Deployment, differences

pytestmark = pytest.mark.integration

ALL_FILE_SOURCES = "+group:training or +group:learning or +group:mobility or +group:engagement"
SCHEDULE = "daily_lingokids_schedule"
# Of a backfill of four days: a run of three, and one of the last.
DAYS_PER_RUN = 3
SUCCESS = dg.DagsterRunStatus.SUCCESS


@cache
def days() -> list[date]:
    """The four days up to yesterday, as of the first of these tests: others may have run since these were collected."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    return [yesterday - timedelta(days=back) for back in (3, 2, 1, 0)]


@dataclass
class Running:
    """The deployment under test, its processes, and one over the same files that nothing disturbs."""

    deployment: Deployment
    dagster: DagsterProcesses
    undisturbed: Deployment

    def assert_equals_undisturbed(self, selection: str, schemas: tuple[str, ...]) -> None:
        """All tables of the schemas are those of one run over all days."""
        assert self.undisturbed.run(days()[0], days()[-1], selection).failures == ()
        found, expected = (
            {table: rows for table, rows in deployment.tables().items() if table.startswith(schemas)}
            for deployment in (self.deployment, self.undisturbed)
        )
        assert {table.partition(".")[0] for table in expected} == set(schemas)
        assert differences(found, expected) == {}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    root = tmp_path_factory.mktemp("operations")
    deployments = []
    for name in ("deployment", "undisturbed"):
        made = Deployment(root / name, landing=root / "landing")
        made.settings = made.settings.model_copy(update={"start_date": days()[0]})
        deployments.append(made)
    write_sample_landing(
        root / "landing",
        start=days()[0],
        days=len(days()),
        runna_activities_per_day=4,
        lingokids_events_per_day=20,
        mobile_events_per_day=20,
    )
    # As a shell usually has it.
    before = os.umask(0o022)
    # The schedule has run today, whatever the hour is.
    changes = {"LANDING_SETTLE_S": "1", "SCHEDULE_HOUR": "0", "BACKFILL_DAYS_PER_RUN": str(DAYS_PER_RUN)}
    with dagster_processes(deployments[0].settings, **changes) as started:
        yield Running(deployments[0], started, deployments[1])
    os.umask(before)


@dataclass
class Reader:
    """Opens the published copy again and again, and holds one connection open all the time, as a shell does."""

    path: Path
    opened: int = 0
    errors: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def read(self) -> None:
        while not self._stop.wait(0.5):
            if not self.path.exists():
                continue
            try:
                with duckdb.connect(str(self.path), read_only=True) as connection:
                    self._judge(connection)
                    if not self.opened:
                        held = duckdb.connect(str(self.path), read_only=True)
                    self.opened += 1
            except duckdb.Error as error:
                self.errors.append(str(error))
        if self.opened:
            self._judge(held)
            held.close()

    def _judge(self, connection: duckdb.DuckDBPyConnection) -> None:
        """An area is there whole or not at all, and its tables belong together."""
        tables = {
            row[0]
            for row in connection.execute(
                "select table_name from information_schema.tables where table_schema = 'learning'"
            ).fetchall()
        }
        if not tables:
            return
        counted = connection.execute(
            "select (select count(*) from learning.fct__activity_exits), "
            "(select sum(plays) from learning.engagement_daily)"
        ).fetchone()
        if counted is None or counted[0] != counted[1] or not counted[0]:
            self.errors.append(f"{tables} hold {counted} events")


@contextmanager
def _reading(path: Path) -> Iterator[Reader]:
    reader = Reader(path)
    thread = threading.Thread(target=reader.read)
    thread.start()
    try:
        yield reader
    finally:
        reader._stop.set()
        thread.join()


def _windows(runs: list[dg.DagsterRun]) -> list[tuple[str, date, date]]:
    found = [(run.job_name, window_of_tags(run.tags)) for run in runs]
    return sorted((name, window.start, window.days()[-1]) for name, window in found)


def _text(found: list[date]) -> list[str]:
    return [day.isoformat() for day in found]


def test_two_backfills_and_a_daily_run_at_once_with_readers(running: Running) -> None:
    dagster = running.dagster
    with _reading(running.deployment.settings.published_warehouse_path) as reader:
        # The schedule of one source takes its steps; that of all is no other, and takes five times as long.
        dagster.start_schedule(SCHEDULE, since=datetime.now(UTC) - timedelta(days=3))
        runna = dagster.backfill_job("daily_runna", _text(days()))
        lingokids = dagster.backfill_job("daily_lingokids", _text(days()[:DAYS_PER_RUN]))
        of_backfills = dagster.ended_runs(2, **{"dagster/backfill": runna})
        of_backfills += dagster.ended_runs(1, **{"dagster/backfill": lingokids})
        (daily,) = dagster.ended_runs(1, **{"dagster/schedule_name": SCHEDULE})

    assert [run.status for run in (*of_backfills, daily)] == [SUCCESS] * 4
    assert _windows(of_backfills) == [
        ("daily_lingokids", days()[0], days()[2]),
        ("daily_runna", days()[0], days()[2]),
        ("daily_runna", days()[3], days()[3]),
    ]
    assert daily.tags["dagster/partition"] == days()[-1].isoformat()
    # Of the ticks of three days the newest is run, the days of the others are left to the catch-up.
    assert [tick["status"] for tick in dagster.ticks("schedule", SCHEDULE)] == ["SUCCESS"]
    assert reader.errors == []
    assert reader.opened > 1


def test_missing_days_are_caught_up_once_and_the_tables_over_all_sources_follow(running: Running) -> None:
    dagster = running.dagster
    dagster.start_sensor("catch_up")
    (caught_up,) = dagster.ended_runs(1, **{"engagement/requested_by": "catch_up"})
    assert caught_up.status == SUCCESS
    assert _windows([caught_up]) == [("daily_mobile", days()[0], days()[3])]
    dagster.start_sensor("late_data")
    dagster.start_sensor("cross_source_tables")
    (weekly,) = dagster.ended_runs(1, **{"engagement/requested_by": "cross_source_tables"})
    assert (weekly.job_name, weekly.status) == ("weekly_engagement_metrics", SUCCESS)
    assert dagster.runs(**{"engagement/requested_by": "late_data"}) == []
    dagster.stop_sensor("cross_source_tables")  # it would follow each of the next tests' runs with one of its own
    running.assert_equals_undisturbed(ALL_FILE_SOURCES, ("training", "learning", "mobility", "engagement"))


def test_files_that_arrive_late_are_loaded_on_exactly_their_days(running: Running) -> None:
    dagster, landing = running.dagster, running.deployment.landing
    dagster.start_sensor("landing_files")
    dagster.wait_for("a tick of the landing sensor", lambda: dagster.ticks("sensor", "landing_files"))
    batches = landing / "runna" / "activities"
    activity = sorted((batches / str(days()[0])).glob("*.json"))[0]
    shutil.copy(activity, batches / str(days()[1]) / "again.json")
    event = next(
        line
        for path in sorted((landing / "lingokids/events").rglob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("{") and f'"occurred_at": "{days()[2]}' in line.replace('":"', '": "')
    )
    late = {**json.loads(event), "event_id": "00000000-0000-0000-0000-00000000late"}
    (landing / "lingokids/events/late.jsonl").write_text(json.dumps(late) + "\n", encoding="utf-8")

    runs = dagster.ended_runs(2, **{"engagement/requested_by": "landing_files"})
    assert [run.status for run in runs] == [SUCCESS] * 2
    assert _windows(runs) == [("daily_lingokids", days()[2], days()[2]), ("daily_runna", days()[1], days()[1])]
    assert running.deployment.query(
        f"select count(*) from learning.fct__activity_exits where event_id = '{late['event_id']}'"
    ) == [(1,)]


def test_a_cancelled_run_leaves_tables_that_the_next_run_makes_whole(running: Running) -> None:
    dagster = running.dagster
    for sensor in ("landing_files", "catch_up", "late_data"):
        dagster.stop_sensor(sensor)
    window = DayWindow(days()[0], days()[-1] + timedelta(days=1))
    run_id = dagster.launch("daily_lingokids", range_tags(window))

    def has_loaded() -> bool:
        steps = dagster.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_SUCCESS)
        return any(step.step_key == "raw_lingokids_events" for step in steps)

    dagster.wait_for("the load of the run", has_loaded)
    dagster.terminate(run_id)
    assert dagster.ended(run_id).status == dg.DagsterRunStatus.CANCELED
    assert running.deployment.run(days()[0], days()[-1], "+group:learning").failures == ()
    running.assert_equals_undisturbed("+group:learning", ("learning",))


def test_no_file_that_was_written_is_for_others(running: Running) -> None:
    files = (path for path in running.deployment.root.rglob("*") if path.is_file() and path != running.dagster.log)
    modes = Counter(path.stat().st_mode & 0o777 for path in files)
    assert modes.total() > 100
    assert [f"{mode:o}" for mode in modes if mode & 0o077] == []

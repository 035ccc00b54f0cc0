"""A deployment that version 0.1.0 has left: the present version opens its home, reads its lake and goes on with both.

The tests run in their order on one deployment. `tests/fixtures/version_0_1_0/make.sh` says what has happened to it:
Sunday to Tuesday are loaded, Sunday and Monday of Runna are held since files have gone, and a load of a late file of
Tuesday was killed while it published.
"""

import shutil
import tarfile
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from engagement_assets.alerts.alerting import alerts_folder
from engagement_assets.alerts.store import STORE_FILE, alert_store
from engagement_assets.commands.range_run import RangeRequest, RangeRun, run_range
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.instance.event_log import BatchingEventLogStorage
from engagement_assets.instance.run_launcher import SupervisedRunLauncher
from engagement_assets.lake.lake import Lake
from engagement_assets.transform.project import parsed_manifest
from tests.integration.deployment import Deployment, differences
from tests.integration.warehouse_builder import WarehouseBuilder

pytestmark = pytest.mark.integration

ARCHIVE = Path(__file__).parents[1] / "fixtures" / "version_0_1_0" / "deployment.tar.xz"
MADE_IN = "/srv/engagement"
SATURDAY, SUNDAY, MONDAY, TUESDAY, WEDNESDAY = (date(2024, 1, 6) + timedelta(days=number) for number in range(5))
SCHEMAS = ("training", "learning", "strava", "product", "mobility", "engagement")
ALL_TABLES = "* and not key:engagement_report"
FILE_SOURCES = "group:raw_runna or group:raw_lingokids or group:raw_mobile"
REJECTED_RECORDS = """
select source, dataset, partition_date, reason_code, source_path from audit.rejected_records order by all
"""
KILLED_RUN = ("", "daily_engagement")
SHRUNK = ("raw_runna/activities", "has_not_shrunk")
REJECTED = {
    (dataset, "rejected_share"): ["2024-01-08"]
    for dataset in ("raw_lingokids/events", "raw_mobile/events", "raw_runna/activities")
}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The deployment in a folder of this machine; its `dagster.yaml` is as 0.1.0 wrote it, but for that folder."""
    root = tmp_path_factory.mktemp("version_0_1_0")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(root, filter="data")
    instance_settings = root / "dagster_home" / "dagster.yaml"
    written = instance_settings.read_text(encoding="utf-8")
    assert MADE_IN in written
    instance_settings.write_text(written.replace(MADE_IN, str(root)), encoding="utf-8")
    return Deployment(root)


def _run(deployment: Deployment, first: date, last: date, selection: str = ALL_TABLES, reason: str = "") -> RangeRun:
    window = DayWindow(first, last + timedelta(days=1))
    return run_range(deployment.settings, RangeRequest(window, selection, release_reason=reason))


def _held(deployment: Deployment) -> list[date]:
    return Lake(deployment.settings.lake_uri).held_days("runna")


def _full_build(deployment: Deployment, root: Path) -> Deployment:
    """The same landing zone, loaded and built at once; what was read of services of then is taken over."""
    lake, copy = Path(deployment.settings.lake_uri), root / "lake"
    for name in ("strava", "user_events"):
        shutil.copytree(lake / f"raw_{name}", copy / f"raw_{name}")
        for records in lake.glob(f"records/loads/*/{name}.parquet"):
            target = copy / records.relative_to(lake)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(records, target)
    full_build = Deployment(root, landing=deployment.landing)
    assert full_build.run(SATURDAY, WEDNESDAY, FILE_SOURCES).failures == ()
    # Without the tests of the tables, which the other deployment has run.
    WarehouseBuilder(root, parsed_manifest(deployment.settings.warehouse_path.stem), copy).build(
        SATURDAY, WEDNESDAY + timedelta(days=1)
    )
    return full_build


def _open_incidents(deployment: Deployment) -> Mapping[tuple[str, str], list[str]]:
    """The failing days of what fails."""
    with alert_store(alerts_folder(deployment.settings) / STORE_FILE) as store:
        return {
            (subject.asset, subject.name): list(incident.failing_days)
            for subject, incident in store.incidents().items()
        }


def _newest_message(deployment: Deployment) -> dict[tuple[str, str], str]:
    """What the newest alert says of each check."""
    with alert_store(alerts_folder(deployment.settings) / STORE_FILE) as store:
        return {(item.asset, item.name): item.state.value for item in store.messages()[-1].items}


def _activities(deployment: Deployment) -> list[tuple[date, int]]:
    """How many activities each batch has in the published copy."""
    return deployment.query("select batch_date, count(*) from training.fct__activities group by all order by all")


def test_the_home_opens_as_it_was_written(deployment: Deployment) -> None:
    with dg.DagsterInstance.from_config(str(deployment.settings.dagster_home)) as instance:
        assert isinstance(instance.run_launcher, SupervisedRunLauncher)
        assert isinstance(instance.event_log_storage, BatchingEventLogStorage)
        runs = list(instance.get_runs(ascending=True))
        events = [len(instance.all_logs(run.run_id)) for run in runs]
        snapshots = [instance.get_job_snapshot(str(run.job_snapshot_id)).name for run in runs]
        days = instance.get_materialized_partitions(dg.AssetKey(["raw_lingokids", "events"]))
    found = [(run.job_name, run.status.value) for run in runs]
    assert found == [
        ("daily_engagement", "SUCCESS"),
        ("daily_engagement", "FAILURE"),
        ("load_audit", "SUCCESS"),
        ("daily_engagement", "STARTED"),
    ]
    assert snapshots == [job for job, _ in found]
    assert events == [1646, 63, 66, 14]
    assert days == {str(day) for day in (SUNDAY, MONDAY, TUESDAY)}


def test_held_days_and_incidents_are_still_there(deployment: Deployment) -> None:
    assert _held(deployment) == [SUNDAY, MONDAY]
    assert _open_incidents(deployment) == {**REJECTED, SHRUNK: ["2024-01-07", "2024-01-08"]}
    assert _newest_message(deployment) == {SHRUNK: "opened"}
    assert _activities(deployment) == [(SUNDAY, 2), (MONDAY, 6), (TUESDAY, 4)]


def test_a_held_day_is_released(deployment: Deployment) -> None:
    run = _run(deployment, SUNDAY, SUNDAY, 'key:"raw_runna/activities"', reason="meant to go")
    assert run.failures == ()
    assert _held(deployment) == [MONDAY]
    assert deployment.query("select distinct dataset, partition_date from audit.held_days order by all") == [
        (dataset, MONDAY) for dataset in ("activities", "activity_laps", "workout_steps")
    ]
    assert _open_incidents(deployment) == {**REJECTED, SHRUNK: ["2024-01-08"], KILLED_RUN: ["2024-01-09"]}


def test_the_incident_resolves_when_its_cause_goes_and_the_following_day_is_loaded(deployment: Deployment) -> None:
    for path in (deployment.root / "taken_away" / str(MONDAY)).iterdir():
        path.rename(deployment.landing / "runna" / "activities" / str(MONDAY) / path.name)
    assert _run(deployment, SUNDAY, WEDNESDAY).failures == ()
    assert _held(deployment) == []
    assert _open_incidents(deployment) == REJECTED
    assert _newest_message(deployment) == {SHRUNK: "resolved", KILLED_RUN: "resolved"}
    assert _activities(deployment) == [(MONDAY, 6), (TUESDAY, 4), (WEDNESDAY, 3)]
    # What the killed load had begun to publish.
    late = "select session_date from mobility.fct__mobile_sessions where anonymous_id = 'late-user'"
    assert deployment.query(late) == [(TUESDAY,)]


def test_with_an_earlier_day_all_tables_are_those_of_a_full_build(deployment: Deployment, tmp_path: Path) -> None:
    assert _run(deployment, SATURDAY, SATURDAY).failures == ()
    full_build = _full_build(deployment, tmp_path / "full_build")
    found, expected = (each.tables(schemas=SCHEMAS, published=False) for each in (deployment, full_build))
    # What 0.1.0 alone has built stays in the warehouse.
    assert found.keys() - expected.keys() <= {"mobility.mobile_session_aliases"}
    assert differences({table: found[table] for table in expected}, expected) == {}
    assert {table: len(rows) for table, rows in expected.items() if ".fct__" in table} == {
        "learning.fct__activity_exits": 74,
        "mobility.fct__mobile_sessions": 22,
        "product.fct__user_events": 36,
        "strava.fct__strava_activities": 2,
        "training.fct__activities": 18,
    }
    rejected = deployment.query(REJECTED_RECORDS)
    assert rejected == full_build.query(REJECTED_RECORDS)
    assert {
        ("lingokids", "events", MONDAY, "not_json", "lingokids/events/by-hand.jsonl"),
        ("mobile", "events", MONDAY, "bad_timestamp", "mobile_events/by-hand.csv"),
        ("runna", "activities", MONDAY, "not_json", "runna/activities/2024-01-08/cut-off.json"),
    } <= set(rejected)

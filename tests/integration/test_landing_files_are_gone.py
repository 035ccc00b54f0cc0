"""Landing files get pruned: nothing that was loaded goes, unless somebody says so; the other source goes on."""

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from engagement_assets.sandbox.sample_data import write_sample_landing
from tests.integration.deployment import Deployment, differences

pytestmark = pytest.mark.integration

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 3)
LEARNING, BOTH = "+group:learning", "+group:learning or +group:training"


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """With three days that nothing has loaded yet."""
    deployment = Deployment(tmp_path)
    write_sample_landing(
        deployment.landing, start=FIRST, days=3, runna_activities_per_day=12, lingokids_events_per_day=40
    )
    return deployment


def _activities(deployment: Deployment) -> int:
    return int(deployment.query("select count(*) from training.fct__activities")[0][0])


def _plays(deployment: Deployment) -> int:
    return int(deployment.query("select count(*) from learning.fct__activity_exits")[0][0])


def test_events_of_a_file_that_is_gone_stay_until_told_otherwise(deployment: Deployment) -> None:
    assert deployment.run(FIRST, LAST, LEARNING).failures == ()
    before = deployment.tables()
    for path in (deployment.landing / "lingokids" / "events").glob("2024-01-02*"):
        path.unlink()
    assert deployment.run(LAST, LAST, LEARNING).failures == ()
    assert deployment.run(FIRST, LAST, LEARNING).failures == ()
    assert differences(deployment.tables(), before) == {}

    assert deployment.run(FIRST, LAST, LEARNING, allow_shrink=True).failures == ()
    assert 0 < _plays(deployment) < len(before["learning.fct__activity_exits"])


def test_a_batch_that_lost_files_is_held_and_the_other_source_goes_on(deployment: Deployment) -> None:
    assert deployment.run(FIRST, LAST, BOTH).failures == ()
    before = deployment.tables()
    batch = deployment.landing / "runna" / "activities" / "2024-01-02"
    shutil.rmtree(batch)
    # The other source has something new, which must be published all the same.
    events = deployment.landing / "lingokids" / "events" / "2024-01-03-late.jsonl"
    events.write_text(
        '{"event_id": "late", "name": "activity_exit", "occurred_at": "2024-01-03 10:00:00", "user_id": "u", '
        '"data": {"activity_id": "a", "duration": 1.5, "completed": true}}\n',
        encoding="utf-8",
    )

    run = deployment.run(FIRST, LAST, BOTH)

    assert [failure.split(":")[0] for failure in run.failures] == ["raw_runna"]
    assert "held, the lake keeps what it had:\n  activities.has_not_shrunk on 2024-01-02: " in run.failures[0]
    failed = [check for check in run.checks if not check.passed]
    assert [(check.asset_key.to_user_string(), check.check_name) for check in failed] == [
        ("raw_runna/activities", "has_not_shrunk")
    ]
    assert "2024-01-02" in str(failed[0].description)
    (alert,) = (deployment.settings.dagster_home / "alerts" / "alerts.jsonl").read_text(encoding="utf-8").splitlines()
    told = [(item["state"], item["name"], item["partitions"]) for item in json.loads(alert)["items"]]
    assert told == [("opened", "has_not_shrunk", ["2024-01-02"])]
    after = deployment.tables()
    training = {table: rows for table, rows in before.items() if table.startswith("training.")}
    assert differences({table: after[table] for table in training}, training) == {}
    assert _plays(deployment) == len(before["learning.fct__activity_exits"]) + 1
    assert deployment.query(
        "select partition_date, status, failed_checks from audit.ingestion_loads "
        "where dataset = 'activities' and source = 'runna' "
        "qualify load_id = max(load_id) over () order by partition_date"
    ) == [
        (date(2024, 1, 1), "published", None),
        (date(2024, 1, 2), "held", "activities.has_not_shrunk"),
        (date(2024, 1, 3), "published", None),
    ]

    assert deployment.run(FIRST, LAST, "+group:training", allow_shrink=True).failures == ()
    assert 0 < _activities(deployment) < len(training["training.fct__activities"])

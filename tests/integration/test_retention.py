"""The retention job on a real deployment: it removes what the settings say, tells it, and the tables stay."""

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from engagement_assets.commands.dagster_home import prepare_dagster_home
from engagement_assets.definitions import build_defs
from engagement_assets.extract.http_api import Clock
from engagement_assets.per_source import PerSource
from engagement_assets.retention import RETENTION
from engagement_assets.sandbox.sample_data import write_sample_landing
from tests.integration.deployment import Deployment, differences

pytestmark = pytest.mark.integration

DAY_1, DAY_2 = date(2024, 1, 1), date(2024, 1, 2)
MUCH_LATER = datetime.now(UTC) + timedelta(days=800)


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(tmp_path)
    write_sample_landing(made.landing, start=DAY_1, days=2, runna_activities_per_day=1, lingokids_events_per_day=30)
    made.settings = made.settings.model_copy(update={"raw_retention_days": PerSource(0, {"lingokids": 400})})
    home = os.environ.get("DAGSTER_HOME")
    yield made
    if home is None:
        os.environ.pop("DAGSTER_HOME", None)


def _prune(deployment: Deployment, *, dry_run: bool) -> dict[str, object]:
    settings = deployment.settings
    prepare_dagster_home(settings)
    job = build_defs(settings, Clock(lambda: MUCH_LATER)).resolve_job_def(RETENTION)
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(
            instance=instance, run_config={"ops": {"prune": {"config": {"dry_run": dry_run}}}}
        )
        assert result.success
        (output,) = [event for event in result.all_events if event.is_successful_output]
        return {name: value.value for name, value in output.step_output_data.metadata.items()}


def _days(deployment: Deployment) -> list[str]:
    folder = Path(deployment.settings.lake_uri) / "raw_lingokids" / "events"
    return sorted(path.parent.name for path in folder.glob("day=2*/data.parquet"))


def test_days_go_that_the_tables_were_built_from_and_the_tables_stay(deployment: Deployment) -> None:
    assert deployment.run(DAY_1, DAY_2, "+group:learning").failures == ()
    # Loaded again, and not built again.
    assert deployment.run(DAY_2, DAY_2, 'key:"raw_lingokids/events"').failures == ()
    tables = deployment.tables()
    days = _days(deployment)

    would = _prune(deployment, dry_run=True)

    assert _days(deployment) == days == ["day=2024-01-01", "day=2024-01-02"]
    did = _prune(deployment, dry_run=False)
    assert _days(deployment) == ["day=2024-01-02"]
    assert (would["dry_run"], did["dry_run"]) == (True, False)
    assert "| days of raw_lingokids/events | 1 |" in str(did["table"])
    assert int(str(did["removed"])) > 1
    assert int(str(did["bytes"])) > 0
    assert "raw_runna" not in str(did["table"])
    assert deployment.run(DAY_2, DAY_2, "+group:learning").failures == ()
    assert differences(deployment.tables(), tables) == {}

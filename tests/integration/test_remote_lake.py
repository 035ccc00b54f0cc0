"""A lake that is not on this machine: the same graph, the same tables."""

from datetime import date
from pathlib import Path

import pytest

from engagement_assets.sandbox.sample_data import write_sample_landing
from tests.integration.deployment import Deployment

pytestmark = pytest.mark.integration


def test_a_lake_behind_a_url_gives_the_same_tables(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    write_sample_landing(landing, start=date(2024, 1, 1), days=2, lingokids_events_per_day=20)
    local = Deployment(tmp_path / "local", landing=landing)
    remote = Deployment(tmp_path / "remote", landing=landing)
    # The file system in memory stands for S3: dbt and publishing reach both in the same way.
    remote.settings.lake_uri = f"memory://{tmp_path.name}/lake"
    for deployment in (local, remote):
        run = deployment.run(date(2024, 1, 1), date(2024, 1, 2), '+key:"published/learning"')
        assert run.success, run.failures
    tables = local.tables()
    assert len(tables["learning.fct__activity_exits"]) > 20
    assert remote.tables() == tables

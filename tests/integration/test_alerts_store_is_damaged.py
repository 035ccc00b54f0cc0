"""A run in the shell where the alerts' store is damaged: data is loaded, and the run says that nobody is told."""

from datetime import date
from pathlib import Path

import pytest

from engagement_assets.alerts.store import STORE_FILE
from tests.integration.deployment import Deployment

pytestmark = pytest.mark.integration

DAY = date(2024, 1, 3)
ALERTS = 'key:"audit/alerts"'


def test_the_run_goes_on_and_the_check_of_the_alerts_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = Deployment(tmp_path)
    assert [check.passed for check in here.run(DAY, DAY, ALERTS).checks] == [True]
    assert capsys.readouterr().err == ""
    store = here.settings.dagster_home / "alerts" / STORE_FILE
    store.write_bytes(b"no database" * 100)

    run = here.run(DAY, DAY, ALERTS)
    told = f"{store} is no store of alerts, or damaged: file is not a database. To go on, move the file aside"
    (check,) = run.checks
    assert (run.success, check.passed) == (True, False)
    assert (check.description or "").startswith(told)
    assert f"nobody is told of what fails: {told}" in capsys.readouterr().err

"""The alerts' work is killed before each of its steps in turn: what comes after tells everything, and nothing twice."""

import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from engagement_assets.alerts.alerting import SENSOR, Alerting
from engagement_assets.alerts.channels import channels_of
from engagement_assets.alerts.delivery import Backoff
from engagement_assets.alerts.lineage import Links
from engagement_assets.alerts.timing import Timing
from engagement_assets.commands.dagster_home import prepare_dagster_home
from engagement_assets.settings import Settings
from tests.integration.alert_location import ASSETS, Fails, run
from tests.integration.alert_receiver import WEBHOOK_SECRET, receiver
from tests.integration.killed_processes import killed_before_statement

pytestmark = pytest.mark.integration

DAY = "2024-01-03"
EXPECTED = [
    ("opened", "adds_up", (DAY,)),
    ("opened", "holds_00", (DAY,)),
    ("resolved", "adds_up", (DAY,)),
    ("resolved", "holds_00", (DAY,)),
]
FEWEST_KILLS = 10
# Every statement would do, too; each costs a process.
STEP = 4


def _work(folder: Path, settings: Settings) -> None:
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    alerting = Alerting(
        folder,
        Links(settings.dagster_ui_url, settings.runbook_url),
        Timing(),
        channels_of(settings, folder),
        Backoff(first=timedelta()),
    )
    with dg.DagsterInstance.get() as instance:
        alerting.work(instance, dg.Definitions(assets=ASSETS).resolve_asset_graph(), SENSOR)


def test_a_kill_before_any_step_loses_and_doubles_nothing(
    tmp_path: Path, record_alert_case: Callable[..., None]
) -> None:
    with receiver() as there:
        settings = Settings(
            _env_file=None,
            landing_uri=str(tmp_path / "landing"),
            dagster_home=tmp_path / "dagster_home",
            alert_urls=there.urls,
            alert_webhook_secret=WEBHOOK_SECRET,
        )
        prepare_dagster_home(settings)
        seed = tmp_path / "seed"
        _work(seed, settings)
        with dg.DagsterInstance.get() as instance:
            run(instance, DAY, holds_00=Fails("WARN", (DAY,)), adds_up=Fails())
            run(instance, DAY)

        killed_before: list[str] = []
        while True:
            folder = tmp_path / f"alerts_{len(killed_before)}"
            shutil.copytree(seed, folder)
            there.taken.clear()
            statement = killed_before_statement(1 + STEP * len(killed_before), _work, folder, settings)
            _work(folder, settings)
            assert there.changes() == EXPECTED, statement
            assert len(there.by_key("webhook")) == len(there.by_key("slack")) == 2, statement
            # At most the message whose mark was missing is sent again, with its key.
            assert there.deliveries("webhook") + there.deliveries("slack") <= 5, statement
            if statement is None:
                break
            killed_before.append(" ".join(statement.split()[:4]))
            record_alert_case(
                f"killed before `{' '.join(statement.split()[:6])}`",
                transitions=len(EXPECTED),
                messages=2,
                received={channel: there.deliveries(channel) for channel in ("slack", "webhook")},
                distinct={channel: len(there.by_key(channel)) for channel in ("slack", "webhook")},
            )
        assert len(killed_before) >= FEWEST_KILLS

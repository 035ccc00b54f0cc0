"""Days of a deployment on PostgreSQL, in each of which one of the three services is killed while the day is loaded.

`make soak` takes ten days, and `SERVICE_DAYS` other numbers. In the end all tables equal a straight run, every alert
has arrived, and no run counts as running.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from pathlib import Path
from random import Random

import dagster as dg
import httpx
import pytest
from pydantic import SecretStr

from engagement_assets.alerts.alerting import ALERT_SENSOR, Alerting
from engagement_assets.alerts.store import AlertStore
from engagement_assets.instance.home import prepare_dagster_home
from engagement_assets.partitions import PARTITION_TAG
from engagement_assets.sandbox.sample_data import write_sample_landing
from tests.integration.alert_receiver import WEBHOOK_SECRET, Receiver, receiver
from tests.integration.dagster_processes import DagsterProcesses, environment_of
from tests.integration.deployment import Deployment, differences
from tests.integration.postgres import postgres_server
from tests.soak.killed_services import SERVICES, KilledServices
from tests.soak.test_soak import assert_no_run_is_left_at_work

pytestmark = pytest.mark.integration

DAYS = int(os.environ.get("SERVICE_DAYS", "3"))
YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
FIRST = YESTERDAY - timedelta(days=DAYS - 1)
JOB, LEARNING = "daily_lingokids", "+group:learning"
SUCCESS = dg.DagsterRunStatus.SUCCESS
WITHIN_S = 900


@dataclass
class KilledDays:
    """The days, one after the other, and what was done to them."""

    services: KilledServices
    dagster: DagsterProcesses
    draw: Random = field(default_factory=lambda: Random(2024))
    kills: Counter[str] = field(default_factory=Counter)
    failed: list[date] = field(default_factory=list)
    runs: int = 0

    def load(self, day: date, victim: str) -> None:
        """Launch the day's run, kill `victim` at some moment of it, and launch it again until it goes well."""
        run_id = self._launch(day)
        self._wait(lambda: self._steps(run_id) or self._is_finished(run_id))
        time.sleep(self.draw.uniform(0, 8))
        self.services.kill(victim)
        self.kills[victim] += 1
        self.services.start(victim)
        while self._end(run_id) is not SUCCESS:
            self.failed.append(day)
            run_id = self._launch(day)

    def _launch(self, day: date) -> str:
        """A webserver that has just started, or whose code server has, does not know the job at once."""
        launched: list[str] = []

        def try_it() -> bool:
            try:
                launched.append(self.dagster.launch(JOB, {PARTITION_TAG: day.isoformat()}))
            except (AssertionError, httpx.HTTPError):
                time.sleep(2)
            return bool(launched)

        self._wait(try_it)
        self.runs += 1
        return launched[0]

    def _steps(self, run_id: str) -> int:
        return len(self.dagster.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_START))

    def _is_finished(self, run_id: str) -> bool:
        run = self.dagster.instance.get_run_by_id(run_id)
        return run is not None and run.is_finished

    def _end(self, run_id: str) -> dg.DagsterRunStatus:
        self._wait(lambda: self._is_finished(run_id))
        run = self.dagster.instance.get_run_by_id(run_id)
        assert run is not None
        return run.status

    def _wait(self, holds: Callable[[], object]) -> None:
        until = time.monotonic() + WITHIN_S
        while not holds():
            assert time.monotonic() < until, [
                (run.status, dict(run.tags)) for run in self.dagster.instance.get_runs(limit=3)
            ]
            time.sleep(0.5)


def assert_every_alert_arrived_once_and_is_resolved(
    deployment: Deployment, there: Receiver, failed: list[date]
) -> None:
    alerting = Alerting.of(deployment.settings)
    channels = [channel.name for channel in alerting.channels]

    def all_is_told() -> bool:
        with closing(AlertStore(alerting.store_path)) as store:
            return not store.incidents() and not store.watched() and not store.undelivered(channels)

    until = time.monotonic() + WITHIN_S
    while not all_is_told():
        assert time.monotonic() < until, there.changes()
        time.sleep(1)
    with closing(AlertStore(alerting.store_path)) as store:
        told = [message.key for message in store.messages()]
    # By key: a code server that is killed between sending and noting it sends the same message again.
    assert sorted(there.by_key("webhook")) == sorted(told)
    changes = Counter(there.changes())
    assert set(changes.values()) <= {1}, changes
    opened = {(name, days) for state, name, days in changes if state == "opened"}
    resolved = {(name, days) for state, name, days in changes if state == "resolved"}
    assert opened == resolved
    assert {day for _, days in opened for day in days} == {str(day) for day in failed}


def test_killed_services_lose_no_day_no_alert_and_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.monotonic()
    landing = tmp_path / "landing"
    write_sample_landing(landing, start=FIRST, days=DAYS, runna_activities_per_day=1, lingokids_events_per_day=60)
    straight = Deployment(tmp_path / "straight", landing=landing)
    straight.settings = straight.settings.model_copy(update={"start_date": FIRST})
    assert straight.run(FIRST, YESTERDAY, LEARNING).failures == ()
    deployment = Deployment(tmp_path / "killed", landing=landing)
    with postgres_server() as url, receiver() as there:
        deployment.settings = deployment.settings.model_copy(
            update={
                "dagster_storage_url": SecretStr(url),
                "start_date": FIRST,
                "alert_urls": SecretStr(f"webhook+http://127.0.0.1:{there.port}/webhook"),
                "alert_webhook_secret": SecretStr(WEBHOOK_SECRET),
            }
        )
        environment = environment_of(
            deployment.settings,
            DAGSTER_STORAGE_URL=url,
            ALERT_URLS=f"webhook+http://127.0.0.1:{there.port}/webhook",
            ALERT_WEBHOOK_SECRET=WEBHOOK_SECRET,
            ALERT_INTERVAL_S="5",
            REJECTED_SHARE_WARN="1",  # of a few records, one that the sample means to be rejected is more than 1 %
            FRESHNESS_HOURS="0",  # while older days are loaded, yesterday is missing as it should be
        )
        for name in ("DAGSTER_HOME", "DAGSTER_STORAGE_URL", "DAGSTER_EVENT_BATCH_SIZE"):
            monkeypatch.setenv(name, "")
        prepare_dagster_home(deployment.settings)
        services = KilledServices(deployment.root, environment)
        try:
            for name in SERVICES:
                services.start(name)
            with dg.DagsterInstance.get() as instance:
                log = deployment.root / "webserver.log"
                dagster = DagsterProcesses(services.url, services.processes["webserver"], instance, log)
                days = KilledDays(services, dagster)
                dagster.start_sensor(ALERT_SENSOR)
                for number, victim in zip(range(DAYS), cycle(SERVICES), strict=False):
                    days.load(FIRST + timedelta(days=number), victim)
                assert_every_alert_arrived_once_and_is_resolved(deployment, there, days.failed)
                assert_no_run_is_left_at_work(deployment)
        finally:
            services.kill_all()
            with capsys.disabled():
                minutes = (time.monotonic() - began) / 60
                sys.stdout.write(f"\n\nservices: {DAYS} days, {minutes:.1f} minutes")
        with capsys.disabled():
            told, sent = len(there.by_key("webhook")), there.deliveries("webhook")
            killed = ", ".join(f"{name} {times}" for name, times in sorted(days.kills.items()))
            sys.stdout.write(
                f", {days.runs} runs, {len(days.failed)} of them cut off; killed: {killed}; "
                f"{told} alerts, sent {sent} times\n"
            )
    for published in (True, False):
        found = deployment.tables(published=published, schemas=["learning"])
        assert all(found.values())
        assert differences(found, straight.tables(published=published, schemas=["learning"])) == {}
    if len(SERVICES) <= DAYS:
        assert set(days.kills) == set(SERVICES)
    assert days.failed, "no run was cut off"

"""What a scrape answers, read by the parsers of the library that writes it."""

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import httpx
import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from engagement_assets.alerts.alerting import SENSOR, Alerting
from engagement_assets.alerts.incidents import Finding, Incident, Kind, Severity, Subject
from engagement_assets.alerts.messages import Message
from engagement_assets.alerts.store import AlertStore
from engagement_assets.commands.exporter import Exporter
from engagement_assets.extract.services.client import Clock
from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.per_source import PerSource
from engagement_assets.settings import Settings
from tests.free_port import free_port
from tests.integration.dagster_processes import environment_of

# The third day should have been loaded by noon of the fourth.
NOW = datetime(2024, 1, 4, 13, tzinfo=UTC)
SECRET_URL = "https://receiver.example/token-of-the-team"
Numbers = dict[tuple[str, ...], float]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        _env_file=None,
        landing_uri=str(tmp_path / "landing"),
        lake_uri=str(tmp_path / "lake"),
        warehouse_path=tmp_path / "warehouse.duckdb",
        published_warehouse_path=tmp_path / "published.duckdb",
        dagster_home=tmp_path / "dagster_home",
        alert_urls=SECRET_URL,
    )


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def _scraped(settings: Settings, instance: dg.DagsterInstance) -> Numbers:
    """The value of each sample by its name and its labels' values, source first; both formats hold the same."""
    registry = CollectorRegistry()
    registry.register(Exporter(settings, instance, Clock(lambda: NOW)))
    text, openmetrics = generate_latest(registry).decode(), generate_openmetrics(registry).decode()
    assert SECRET_URL not in text
    old, new = (
        {
            (sample.name, *(sample.labels[label] for label in sorted(sample.labels, reverse=True))): sample.value
            for family in families
            for sample in family.samples
        }
        for families in (text_string_to_metric_families(text), parse_openmetrics(openmetrics))
    )
    assert old == new
    return old


def _publish(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("""
            create schema audit;
            create table audit.ingestion_loads as select * from (values
                ('runna', 'activities', date '2024-01-01', 'published', timestamp '2024-01-02 05:00', 9, 1, 0),
                ('runna', 'activities', date '2024-01-02', 'published', timestamp '2024-01-03 05:00', 7, 2, 1),
                ('runna', 'activities', date '2024-01-01', 'published', timestamp '2024-01-03 06:00', 10, 0, 0),
                ('runna', 'activities', date '2024-01-03', 'held', timestamp '2024-01-04 05:00', 0, 99, 0),
                ('lingokids', 'users', null, 'published', timestamp '2024-01-04 05:00', 3, 0, 0)
            ) as loads(source, dataset, partition_date, status, loaded_at, accepted, quarantined, duplicates);
            create table audit.held_days as select * from (values
                ('runna', 'activities', date '2024-01-03'), ('runna', 'workout_steps', date '2024-01-03')
            ) as held(source, dataset, partition_date);
            create table audit.published_tables as select * from (values
                ('training', 'fct__activities', timestamp '2024-01-03 05:10'),
                ('training', 'weekly', timestamp '2024-01-02 05:10')
            ) as listed(schema_name, table_name, published_at);
        """)


def test_loads_and_publications_are_told_by_source_and_area(settings: Settings, instance: dg.DagsterInstance) -> None:
    _publish(settings.published_warehouse_path)
    found = _scraped(settings, instance)
    runna, users = ("runna", "activities"), ("lingokids", "users")

    def seconds(*moment: int) -> float:
        return datetime(*moment, tzinfo=UTC).timestamp()  # type: ignore[misc,arg-type]

    assert found["engagement_part_readable", "published"] == 1
    assert found["engagement_last_load_timestamp_seconds", *runna] == seconds(2024, 1, 3, 6)
    assert found["engagement_newest_day_timestamp_seconds", *runna] == seconds(2024, 1, 2)
    # The newest day counts, not the newest load, and no held day.
    counts = {key[3]: value for key, value in found.items() if key[:3] == ("engagement_newest_day_records", *runna)}
    assert counts == {"accepted": 7, "quarantined": 2, "duplicates": 1}
    assert found["engagement_overdue_seconds", *runna] == 3600
    assert found["engagement_newest_day_timestamp_seconds", *users] == seconds(2024, 1, 3)
    assert found["engagement_overdue_seconds", *users] == 0
    assert found["engagement_held_days", "runna"] == 1
    assert found["engagement_last_publication_timestamp_seconds", "training"] == seconds(2024, 1, 3, 5, 10)


def test_a_source_without_a_deadline_is_never_overdue(settings: Settings, instance: dg.DagsterInstance) -> None:
    _publish(settings.published_warehouse_path)
    without = settings.model_copy(update={"freshness_hours": PerSource(12, {"runna": 0})})
    names = {key for key in _scraped(without, instance) if key[0] == "engagement_overdue_seconds"}
    assert names == {("engagement_overdue_seconds", "lingokids", "users")}


def test_alerts_runs_and_files_are_counted(settings: Settings, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    alerting = Alerting.of(settings)
    with closing(AlertStore(alerting.store_path)) as store, store.transaction():
        for name, severity in (("one", Severity.WARN), ("two", Severity.WARN), ("three", Severity.ERROR)):
            subject = Subject(next(iter(Kind)), "raw_runna/activities", name)
            store.keep_incident(Incident(subject, NOW, NOW, severity, {}, 1, Finding("it fails", "a-run")))
        store.record(
            Message("key", NOW, Severity.WARN, "title", False, 1, {}, [], {}, ""),
            [alerting.channels[-1].name, "a channel of before"],
        )
        store.beat(SENSOR, NOW - timedelta(minutes=1))

    @dg.asset
    def fine() -> None: ...

    dg.materialize([fine], instance=instance)
    (tmp_path / "lake" / "raw_runna").mkdir(parents=True)
    (tmp_path / "lake" / "raw_runna" / "a.parquet").write_bytes(b"12345")
    (tmp_path / "lake" / "b").write_bytes(b"123")
    (tmp_path / "warehouse.duckdb").write_bytes(b"1234567")
    found = _scraped(settings, instance)
    assert {key[1]: value for key, value in found.items() if key[0] == "engagement_failing"} == {"warn": 2, "error": 1}
    assert found["engagement_alerts_worked_timestamp_seconds", "sensor"] == (NOW - timedelta(minutes=1)).timestamp()
    assert ("engagement_alerts_worked_timestamp_seconds", "shell") not in found
    assert found["engagement_undelivered_alerts",] == 1
    assert found["engagement_runs", "success"] == 1
    assert found["engagement_runs", "failure"] == 0
    assert {key[1] for key in found if key[0] == "engagement_runs"} == {
        status.value.lower() for status in dg.DagsterRunStatus
    }
    assert found["engagement_size_bytes", "lake"] == 8
    assert found["engagement_size_bytes", "warehouse"] == 7


def test_a_part_that_cannot_be_read_says_so_and_the_others_are_there(
    settings: Settings, instance: dg.DagsterInstance, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.published_warehouse_path.write_bytes(b"no database")
    found = _scraped(settings, instance)
    readable = {key[1]: value for key, value in found.items() if key[0] == "engagement_part_readable"}
    assert readable == {"published": 0, "alerts": 0, "runs": 1, "files": 1}
    assert not any(key[0] in {"engagement_last_load_timestamp_seconds", "engagement_failing"} for key in found)
    assert "error: the part published cannot be read: QueryError" in capsys.readouterr().err
    # To look for the alerts has not begun any.
    assert not Alerting.of(settings).store_path.exists()


def test_a_lake_in_a_bucket_has_no_size(settings: Settings, instance: dg.DagsterInstance) -> None:
    elsewhere = settings.model_copy(update={"lake_uri": "s3://bucket/lake"})
    for path in (settings.warehouse_path, settings.published_warehouse_path):
        path.touch()
    settings.dagster_home.mkdir()
    found = _scraped(elsewhere, instance)
    assert found["engagement_part_readable", "files"] == 1
    assert {key[1] for key in found if key[0] == "engagement_size_bytes"} == {"warehouse", "published", "dagster_home"}


@pytest.fixture
def rules() -> list[dict[str, str]]:
    """The alert rules that docs/deployment.md shows."""
    groups = yaml.safe_load((PROJECT_ROOT / "deploy" / "prometheus-rules.yaml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.integration
def test_the_service_answers_a_monitor_and_its_own_check_until_it_is_ended(settings: Settings) -> None:
    port = str(free_port())
    serve = [sys.executable, "-m", "engagement_assets.commands.serve", "--service=exporter"]
    environment = environment_of(settings, PORT=port, ALERT_URLS=SECRET_URL)
    with subprocess.Popen(serve, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as service:
        try:
            answer = _first_answer(f"http://127.0.0.1:{port}/metrics", service)
            asked = subprocess.run([*serve, "--check"], env=environment, check=False)
        finally:
            service.terminate()
        printed = service.communicate(timeout=60)[0].decode()
    assert 'engagement_part_readable{part="runs"} 1.0' in answer.text.splitlines()
    assert asked.returncode == 0
    assert service.returncode == -signal.SIGTERM
    assert SECRET_URL not in answer.text + printed


def _first_answer(url: str, service: subprocess.Popen[bytes]) -> httpx.Response:
    until = time.monotonic() + 300
    while True:
        try:
            return httpx.get(url, timeout=60)
        except httpx.ConnectError:
            assert service.poll() is None, service.communicate()
            assert time.monotonic() < until
            time.sleep(0.25)


def test_rules_ask_for_numbers_that_there_are(
    rules: list[dict[str, str]], settings: Settings, instance: dg.DagsterInstance
) -> None:
    _publish(settings.published_warehouse_path)
    settings.warehouse_path.touch()
    Alerting.of(settings).folder.mkdir(parents=True)
    with closing(AlertStore(Alerting.of(settings).store_path)) as store:
        store.beat(SENSOR, NOW)
    there = {name for name, *_ in _scraped(settings, instance)}
    asked = {name for rule in rules for name in re.findall(r"engagement_\w+", rule["expr"])}
    assert len(asked) > 5
    assert asked - there == set()


def test_rules_are_what_prometheus_reads() -> None:
    if not (promtool := shutil.which("promtool")):
        pytest.skip("there is no promtool to read the rules: `apt-get install prometheus`")
    command = [promtool, "check", "rules", str(PROJECT_ROOT / "deploy" / "prometheus-rules.yaml")]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (ended.returncode, "SUCCESS" in ended.stdout) == (0, True), ended.stderr

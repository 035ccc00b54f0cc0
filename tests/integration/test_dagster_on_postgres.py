"""Dagster's records in PostgreSQL: what runs, replays, retention and erasures rely on is the same as in SQLite.

Belongs here: what the project reads and changes of these records. Not here: tables and lake, which are the same
wherever Dagster keeps its records.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from engagement_assets.commands import erase
from engagement_assets.commands.exporter import Exporter
from engagement_assets.commands.range_run import RangeRequest, RangeRun, run_range
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.definitions import build_defs
from engagement_assets.extract.lines import json_records
from engagement_assets.extract.services.client import Clock
from engagement_assets.instance.home import prepare_dagster_home
from engagement_assets.instance.killed_runs import mark_killed_runs
from engagement_assets.instance.postgres_database import url_for_sqlalchemy
from engagement_assets.instance.postgres_storage import BatchingPostgresEventLogStorage
from engagement_assets.instance.run_history import prune_runs
from engagement_assets.lake.erasure import unfinished
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.replay import Choice
from engagement_assets.orchestration.retention import prune_all
from engagement_assets.partitions import range_tags
from engagement_assets.per_source import PerSource
from engagement_assets.sandbox.sample_data import write_sample_landing
from engagement_assets.settings import Settings
from tests.erasing_settings import erasing_settings
from tests.integration.deployment import Deployment
from tests.integration.postgres import postgres_server
from tests.lake_loads import DAY_1, event, events, publish, window
from tests.unit.instance.test_event_log import batch_sizes, reported
from tests.unit.instance.test_event_log import run as run_over_days

pytestmark = pytest.mark.integration

DAYS = [date(2024, 1, 1), date(2024, 1, 2)]
ANNA = "anna-of-all-persons"
LEARNING = "+group:learning"
EVENTS = dg.AssetKey(["raw_lingokids", "events"])
VARIABLES = ("DAGSTER_HOME", "DAGSTER_EVENT_BATCH_SIZE", "DAGSTER_STORAGE_URL")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres_server() as url, pytest.MonkeyPatch.context() as patch:
        for name in VARIABLES:
            patch.setenv(name, "")
            patch.delenv(name)
        yield url


def _execute(server: str, statement: str) -> None:
    with sa.create_engine(url_for_sqlalchemy(server), isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(sa.text(statement))


def _new_database(server: str, name: str) -> SecretStr:
    _execute(server, f"create database {name}")
    return SecretStr(server.replace("/postgres?", f"/{name}?"))


@pytest.fixture
def deployment(server: str, tmp_path: Path) -> Deployment:
    made = Deployment(tmp_path)
    made.settings = made.settings.model_copy(
        update={
            "dagster_storage_url": _new_database(server, "of_a_team"),
            "start_date": DAYS[0],
            "rejected_share_halt": PerSource(1.0),
        }
    )
    write_sample_landing(made.landing, start=DAYS[0], days=2, runna_activities_per_day=1, lingokids_events_per_day=40)
    return made


def _events(instance: dg.DagsterInstance, run: RangeRun) -> list[tuple[str, str | None]]:
    """Planned and materialized days of the raw events."""
    return [
        (entry.dagster_event_type.value, event.partition)
        for entry in instance.all_logs(run.run_id)
        if entry.dagster_event_type and (event := entry.get_dagster_event()).asset_key == EVENTS
        if event.is_asset_materialization_planned or event.is_step_materialization
    ]


def _scraped(settings: Settings, instance: dg.DagsterInstance) -> dict[tuple[str, ...], float]:
    """What a monitor is told, by name and the values of its labels, source first."""
    return {
        (sample.name, *(sample.labels[label] for label in sorted(sample.labels, reverse=True))): sample.value
        for family in Exporter(settings, instance, Clock()).collect()
        for sample in family.samples
    }


def test_a_range_of_days_is_loaded_replayed_and_pruned(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as too_strict:
        too_strict.setattr(json_records, "MAX_SECONDS", 60)
        run = deployment.run(DAYS[0], DAYS[1], LEARNING)
    assert run.failures == ()
    home = deployment.settings.dagster_home
    # Nothing of Dagster's records is in files, and what else is shared is.
    assert {path.name for path in home.iterdir()} == {"dagster.yaml", "alerts", "range_runs", "storage"}
    (message,) = (home / "alerts" / "alerts.jsonl").read_text(encoding="utf-8").splitlines()
    told = {(item["state"], item["asset"], item["name"]) for item in json.loads(message)["items"]}
    assert told == {("opened", "raw_lingokids/events", "rejected_share")}
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.event_log_storage, BatchingPostgresEventLogStorage)
        assert [each.run_id for each in instance.get_runs()] == [run.run_id]
        kinds = ("ASSET_MATERIALIZATION_PLANNED", "ASSET_MATERIALIZATION")
        assert sorted(_events(instance, run)) == sorted((kind, str(day)) for kind in kinds for day in DAYS)
        assert instance.get_materialized_partitions(EVENTS) == {str(day) for day in DAYS}

        numbers = _scraped(deployment.settings, instance)
    assert {name[1]: value for name, value in numbers.items() if name[0] == "engagement_part_readable"} == {
        "alerts": 1,
        "files": 1,
        "published": 1,
        "runs": 1,
    }
    assert numbers["engagement_runs", "success"] == 1
    assert numbers["engagement_failing", "warn"] == 1
    second_day = datetime.combine(DAYS[1], datetime.min.time(), UTC).timestamp()
    assert numbers["engagement_newest_day_timestamp_seconds", "lingokids", "events"] == second_day
    assert numbers["engagement_newest_day_records", "lingokids", "events", "quarantined"] > 0
    assert numbers["engagement_last_publication_timestamp_seconds", "learning"] > second_day

    of_events = "where dataset = 'events'"
    ((rejected,),) = deployment.query(f"select count(*) from audit.rejected_records {of_events}")
    replay = RangeRequest(window(*DAYS), 'key:"raw_lingokids/events"', replay=Choice())
    assert run_range(deployment.settings, replay).failures == ()
    ((replayed,),) = deployment.query(f"select count(*) from audit.replayed_records {of_events}")
    assert rejected >= replayed > 0

    with dg.DagsterInstance.get() as instance:
        once, again = (dg.materialize([users], instance=instance).run_id for _ in range(2))
        before = {each.run_id for each in instance.get_runs()}
        graph = build_defs(deployment.settings).resolve_asset_graph()
        later = datetime.now(UTC) + timedelta(days=100)
        assert list(prune_all(deployment.settings, instance, graph, now=later, dry_run=False)) != []
        kept = {each.run_id for each in instance.get_runs()}
        assert before - kept == {once}
        assert {run.run_id, again} <= kept
        assert instance.all_logs(once) == []
        assert all(instance.all_logs(run_id) for run_id in kept)
        assert instance.get_materialized_partitions(EVENTS) == {str(day) for day in DAYS}


def test_an_erasure_reaches_the_database_and_its_old_rows(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = erasing_settings(tmp_path, dagster_storage_url=_new_database(server, "erased"))
    lake = Lake(settings.lake_uri, settings.privacy_policy)
    rows = [event(f"of-{user}", DAY_1, user_id=user) for user in (ANNA, "ben")]
    publish(lake, events(*rows), window(DAY_1), 1, name="lingokids_events")
    prepare_dagster_home(settings)
    with dg.DagsterInstance.get() as instance:
        job = dg.Definitions(assets=[users]).resolve_implicit_global_asset_job_def()
        run = instance.create_run_for_job(job, tags={"asked_by": ANNA, "other": "stays"})
        instance.report_engine_event(f"failing rows: '{ANNA}', 'ben'", run)
    assert _holding(server, ANNA) != []
    assert erase._prove(settings, PersonalKind.USER, [ANNA]) == 1
    assert [line for line in capsys.readouterr().err.splitlines() if "database" in line] == [
        "FOUND in Dagster's database, table event_logs, column event",
        "FOUND in Dagster's database, table run_tags, column value",
        "FOUND in Dagster's database, table runs, column run_body",
    ]

    assert erase._erase(settings, "lingokids", PersonalKind.USER, [ANNA]) == 0

    assert unfinished(lake) == []
    nines = "9" * len(ANNA)
    with dg.DagsterInstance.get() as instance:
        assert instance.all_logs(run.run_id)[-1].message == f"failing rows: '{nines}', 'ben'"
        found = instance.get_run_by_id(run.run_id)
        assert found is not None
        assert {name: found.tags[name] for name in ("asked_by", "other")} == {"asked_by": nines, "other": "stays"}
    # Also where the database keeps what a row was before.
    assert _holding(server, ANNA) == []


def _holding(server: str, text: str) -> list[Path]:
    """The files of tables that hold a text; the write-ahead log keeps it for a while, as a backup does."""
    _execute(server, "checkpoint")
    tables = Path(server.partition("host=")[2]) / "data" / "base"
    return [path for path in tables.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


@dg.asset
def users() -> None: ...


def test_batches_store_what_single_events_store(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = batch_sizes(monkeypatch, BatchingPostgresEventLogStorage)
    found = []
    for size in ("500", "0"):
        url = _new_database(server, f"batches_of_{size}")
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", size)
        prepare_dagster_home(Settings(_env_file=None, dagster_home=tmp_path / size, dagster_storage_url=url))
        with dg.DagsterInstance.get() as instance:
            found.append(reported(instance, run_over_days(instance)))
    assert sorted(sizes) == [40, 40, 81]
    assert found[0] == found[1]


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg2", "postgres"])
def test_each_spelling_of_the_url_opens_the_database(server: str, tmp_path: Path, scheme: str) -> None:
    url = SecretStr(f"{scheme}://{server.partition('://')[2]}")
    prepare_dagster_home(Settings(_env_file=None, dagster_home=tmp_path, dagster_storage_url=url))
    with dg.DagsterInstance.get() as instance:
        assert dg.materialize([users], instance=instance).success
        assert instance.get_latest_materialization_event(users.key) is not None


def test_a_run_whose_process_was_killed_is_marked_and_frees_its_pool(server: str, tmp_path: Path) -> None:
    url = _new_database(server, "killed")
    prepare_dagster_home(Settings(_env_file=None, dagster_home=tmp_path, dagster_storage_url=url))
    with dg.DagsterInstance.get() as instance:
        job = dg.Definitions(assets=[users]).resolve_implicit_global_asset_job_def()
        run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=range_tags(window(*DAYS)))
        slots = instance.event_log_storage
        slots.initialize_concurrency_limit_to_default("warehouse")
        assert slots.claim_concurrency_slot("warehouse", run.run_id, "users").is_claimed
        (tmp_path / "range_runs").mkdir()
        (tmp_path / "range_runs" / f"{run.run_id}.lock").touch()
        assert mark_killed_runs(instance, tmp_path) == [run.run_id]
        assert slots.get_concurrency_info("warehouse").active_slot_count == 0
        record = instance.get_run_by_id(run.run_id)
        assert record is not None
        assert record.status is dg.DagsterRunStatus.FAILURE
        assert prune_runs(instance, [], datetime.now(UTC) + timedelta(days=1), dry_run=False).count == 1
        assert instance.get_runs() == []

"""The storage of events, compared with Dagster's own: events, open logs, watchers, kills."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.test_utils import create_run_for_test

from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.instance.event_log import OPEN_LOGS, BatchingEventLogStorage
from engagement_assets.instance.home import prepare_dagster_home
from engagement_assets.settings import Settings

DAYS = dg.DailyPartitionsDefinition(start_date="2024-01-01", end_date="2024-03-01")
RANGE = {"dagster/asset_partition_range_start": "2024-01-01", "dagster/asset_partition_range_end": "2024-02-09"}
KEYS = [dg.AssetKey("plain"), dg.AssetKey("checked")]


@dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
def plain() -> None: ...


@dg.multi_asset(
    specs=[dg.AssetSpec("checked", deps=["plain"], partitions_def=DAYS)],
    check_specs=[dg.AssetCheckSpec("holds", asset="checked")],
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def checked() -> Iterator[dg.MaterializeResult[None]]:
    yield dg.MaterializeResult(
        metadata={"rows": 3}, check_results=[dg.AssetCheckResult(passed=True, check_name="holds")]
    )


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    for name in ("DAGSTER_HOME", "DAGSTER_EVENT_BATCH_SIZE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    prepare_dagster_home(Settings(_env_file=None, dagster_home=tmp_path / "a home: 'quoted'"))
    with dg.DagsterInstance.get() as opened:
        yield opened


def run(instance: dg.DagsterInstance) -> str:
    result = (
        dg.Definitions([plain, checked], executor=dg.in_process_executor)
        .resolve_implicit_global_asset_job_def()
        .execute_in_process(instance=instance, tags=RANGE)
    )
    assert result.success
    return result.run_id


def reported(instance: dg.DagsterInstance, run_id: str) -> dict[str, object]:
    """What Dagster reports about the run and its assets, without times and ids."""
    log = instance.all_logs(run_id)
    records = instance.get_asset_records(KEYS)
    run_record = instance.get_run_record_by_id(run_id)
    assert run_record is not None
    return {
        "events": sorted(
            (event.dagster_event_type.value, event.step_key or "", event.get_dagster_event().partition or "")
            for event in log
            if event.dagster_event_type and event.dagster_event_type.value.startswith("ASSET")
        ),
        "days": {key: instance.get_materialized_partitions(key) for key in KEYS},
        "newest": [
            (record.asset_entry.asset_key, entry.asset_materialization.partition, entry.run_id == run_id)
            for record in records
            if (entry := record.asset_entry.last_materialization) and entry.asset_materialization
        ],
        "last runs": [record.asset_entry.last_run_id == run_id for record in records],
        "status": run_record.dagster_run.status,
        "check": [
            check.status
            for check in instance.event_log_storage.get_asset_check_execution_history(
                dg.AssetCheckKey(KEYS[1], "holds"), limit=5
            )
        ],
    }


def batch_sizes(monkeypatch: pytest.MonkeyPatch, storage: type[Any]) -> list[int]:
    """The sizes of the batches that are stored from now on."""
    sizes: list[int] = []
    store = storage.store_event_batch

    def store_and_count(self: Any, batch: Sequence[dg.EventLogEntry]) -> None:
        sizes.append(len(batch))
        store(self, batch)

    monkeypatch.setattr(storage, "store_event_batch", store_and_count)
    return sizes


def test_batches_store_what_single_events_store(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(instance.event_log_storage, BatchingEventLogStorage)
    sizes = batch_sizes(monkeypatch, BatchingEventLogStorage)
    batched = reported(instance, run(instance))
    # Planned events of both assets with the check, and the days of each asset.
    assert sorted(sizes) == [40, 40, 81]

    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "0")
    plain_home = tmp_path / "plain"
    plain_home.mkdir()
    with dg.DagsterInstance.local_temp(str(plain_home)) as single:
        assert type(single.event_log_storage) is SqliteEventLogStorage
        assert batched == reported(single, run(single))


def test_a_batch_that_fails_is_stored_one_by_one(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the index is locked")

    store = BatchingEventLogStorage._store_asset_event_tags
    expected = reported(instance, run(instance))
    monkeypatch.setattr(
        BatchingEventLogStorage,
        "_store_asset_event_tags",
        lambda self, index, events, ids: fail() if len(events) > 1 else store(self, index, events, ids),
    )
    batched = reported(instance, run(instance))
    assert batched["events"] == expected["events"]
    assert batched["newest"] == expected["newest"]


def test_the_storage_lies_where_dagsters_own_would(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run_id = run(instance)
    with dg.DagsterInstance.local_temp(str(tmp_path / "a home: 'quoted'")) as default:
        assert reported(default, run_id)["events"]


def report(instance: dg.DagsterInstance, message: str) -> str:
    """Report an event of a new run."""
    run: dg.DagsterRun = create_run_for_test(instance)
    instance.report_engine_event(message, run)
    return run.run_id


def messages(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    return [entry.user_message or entry.message for entry in instance.all_logs(run_id)]


def test_a_watcher_of_a_run_receives_its_events(instance: dg.DagsterInstance) -> None:
    run = create_run_for_test(instance)
    instance.report_engine_event("before", run)
    heard: list[str] = []
    received = threading.Event()

    def hear(entry: dg.EventLogEntry, _cursor: str) -> None:
        heard.append(entry.message)
        if entry.message == "after":
            received.set()

    instance.watch_event_logs(run.run_id, None, hear)
    instance.report_engine_event("after", run)
    assert received.wait(30)
    instance.end_watch_event_logs(run.run_id, hear)
    assert heard == ["before", "after"]


def test_few_logs_are_open_at_a_time_and_all_can_be_read(instance: dg.DagsterInstance) -> None:
    run_ids = {number: report(instance, f"of run {number}") for number in range(OPEN_LOGS + 5)}
    assert {number: messages(instance, run_id) for number, run_id in run_ids.items()} == {
        number: [f"of run {number}"] for number in run_ids
    }
    storage = instance.event_log_storage
    assert isinstance(storage, BatchingEventLogStorage)
    assert len(storage._engines) == OPEN_LOGS


def test_a_deleted_run_leaves_no_file(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run_id = report(instance, "soon gone")
    assert list(tmp_path.rglob(f"{run_id}.db")) != []
    instance.delete_run(run_id)
    assert list(tmp_path.rglob(f"{run_id}*")) == []


def test_events_of_a_killed_process_are_kept(instance: dg.DagsterInstance) -> None:
    run = create_run_for_test(instance)
    program = f"""
import os, signal
import dagster as dg
with dg.DagsterInstance.from_config({instance.root_directory!r}) as instance:
    run = instance.get_run_by_id({run.run_id!r})
    for number in range(20):
        instance.report_engine_event(f"event {{number}}", run)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=PROJECT_ROOT, check=False, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert messages(instance, run.run_id) == [f"event {number}" for number in range(20)]

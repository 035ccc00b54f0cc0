"""Events written in batches: what Dagster then tells of runs and assets, beside its own storage."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from engagement_assets.commands.dagster_home import prepare_dagster_home
from engagement_assets.event_log import BatchingEventLogStorage
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
    with dg.DagsterInstance.get() as found:
        yield found


def run(instance: dg.DagsterInstance) -> str:
    result = (
        dg.Definitions([plain, checked], executor=dg.in_process_executor)
        .resolve_implicit_global_asset_job_def()
        .execute_in_process(instance=instance, tags=RANGE)
    )
    assert result.success
    return result.run_id


def told(instance: dg.DagsterInstance, run_id: str) -> dict[str, object]:
    """What Dagster tells of the run and its assets, without times and ids."""
    log = instance.all_logs(run_id)
    records = instance.get_asset_records(KEYS)
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
        "status": instance.get_run_record_by_id(run_id).dagster_run.status,
        "check": [
            check.status
            for check in instance.event_log_storage.get_asset_check_execution_history(
                dg.AssetCheckKey(KEYS[1], "holds"), limit=5
            )
        ],
    }


def test_batches_tell_what_single_events_tell(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(instance.event_log_storage, BatchingEventLogStorage)
    sizes: list[int] = []
    store = BatchingEventLogStorage.store_event_batch
    monkeypatch.setattr(
        BatchingEventLogStorage,
        "store_event_batch",
        lambda self, events: (sizes.append(len(events)), store(self, events))[1],
    )
    found = told(instance, run(instance))
    # Planned events of both assets with the check, and the days of each asset.
    assert sorted(sizes) == [40, 40, 81]

    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "0")
    plain_home = tmp_path / "plain"
    plain_home.mkdir()
    with dg.DagsterInstance.local_temp(str(plain_home)) as single:
        assert type(single.event_log_storage) is SqliteEventLogStorage
        assert found == told(single, run(single))


def test_a_batch_that_fails_is_stored_one_by_one(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the index is locked")

    store = BatchingEventLogStorage._store_asset_event_tags
    expected = told(instance, run(instance))
    monkeypatch.setattr(
        BatchingEventLogStorage,
        "_store_asset_event_tags",
        lambda self, index, events, ids: fail() if len(events) > 1 else store(self, index, events, ids),
    )
    found = told(instance, run(instance))
    assert found["events"] == expected["events"]
    assert found["newest"] == expected["newest"]


def test_the_storage_lies_where_dagsters_own_would(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run_id = run(instance)
    with dg.DagsterInstance.local_temp(str(tmp_path / "a home: 'quoted'")) as default:
        assert told(default, run_id)["events"]

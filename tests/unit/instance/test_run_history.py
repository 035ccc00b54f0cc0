"""Pruning old runs loses no materialized day and no check result; on an instance with the project's storage."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from engagement_assets.instance.home import prepare_dagster_home
from engagement_assets.instance.run_history import prune_logs, prune_runs
from engagement_assets.settings import Settings

DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-02-01")
CHECK = dg.AssetCheckKey(dg.AssetKey("events"), "reconciles")


@dg.multi_asset(
    specs=[dg.AssetSpec("events", partitions_def=DAYS)],
    check_specs=[dg.AssetCheckSpec("reconciles", asset="events")],
)
def events() -> Iterator[dg.MaterializeResult[None]]:
    yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True, check_name="reconciles")])


@dg.asset
def users() -> None:
    pass


@dg.asset_check(asset=users)
def is_there() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@dg.asset
def broken() -> None:
    raise RuntimeError("it is broken")


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    for name in ("DAGSTER_HOME", "DAGSTER_EVENT_BATCH_SIZE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    prepare_dagster_home(Settings(_env_file=None, dagster_home=tmp_path / "home"))
    with dg.DagsterInstance.get() as opened:
        yield opened


def _run(instance: dg.DagsterInstance, asset: dg.AssetsDefinition, day: str | None = None) -> str:
    return dg.materialize([asset], instance=instance, partition_key=day, raise_on_error=False).run_id


def _runs(instance: dg.DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs()}


def test_runs_that_are_not_needed_are_deleted(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    day_1, again, day_2, failed, first_users, users_now = (
        _run(instance, events, "2024-01-01"),
        _run(instance, events, "2024-01-01"),
        _run(instance, events, "2024-01-02"),
        _run(instance, broken),
        _run(instance, users),
        _run(instance, users),
    )
    later = datetime.now(UTC) + timedelta(minutes=1)
    printed = tmp_path / "home" / "storage" / again
    assert printed.exists()

    pruned = prune_runs(instance, [CHECK], later, dry_run=True)

    assert _runs(instance) == {day_1, again, day_2, failed, first_users, users_now}
    assert prune_runs(instance, [CHECK], later, dry_run=False) == pruned
    assert _runs(instance) == {again, day_2, users_now}
    # Three whole runs, and what the other three printed.
    assert (pruned.count, len(pruned.names)) == (6, 5)
    assert pruned.bytes > 0
    assert instance.get_materialized_partitions(events.key) == {"2024-01-01", "2024-01-02"}
    assert instance.get_latest_materialization_event(users.key) is not None
    logs = tmp_path / "home" / "history" / "runs"
    assert {path.stem for path in logs.glob("*-*.db")} == {again, day_2, users_now}
    assert not printed.exists()
    assert instance.all_logs(again) != []
    assert prune_runs(instance, [CHECK], later, dry_run=False).count == 0


def test_a_run_stays_that_evaluated_a_check_last(instance: dg.DagsterInstance) -> None:
    checked, checked_again = (
        dg.materialize([users, is_there], selection=dg.AssetSelection.checks(is_there), instance=instance).run_id
        for _ in range(2)
    )
    later = datetime.now(UTC) + timedelta(minutes=1)
    prune_runs(instance, is_there.check_keys, later, dry_run=False)
    assert _runs(instance) == {checked_again}
    assert checked != checked_again
    prune_runs(instance, [], later, dry_run=False)
    assert _runs(instance) == set()


def test_young_runs_stay(instance: dg.DagsterInstance) -> None:
    failed = _run(instance, broken)
    assert prune_runs(instance, [], datetime.now(UTC) - timedelta(days=1), dry_run=False).count == 0
    assert _runs(instance) == {failed}


def test_old_logs_go_and_their_runs_stay(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    old, young = _run(instance, broken), _run(instance, broken)
    storage = tmp_path / "home" / "storage"
    tick, other = storage / "repository/sensor/1.err", storage / old / "kept.txt"
    for path in (tick, other):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("printed", encoding="utf-8")
    logs = [tick, *(storage / old / "compute_logs").iterdir()]
    for path in (*logs, other):
        os.utime(path, (0, 0))
    before = datetime.now(UTC) - timedelta(days=1)

    pruned = prune_logs(instance, before, dry_run=True)

    assert all(path.exists() for path in logs)
    assert prune_logs(instance, before, dry_run=False) == pruned
    assert (pruned.count, pruned.bytes > 0) == (len(logs), True)
    assert len(logs) >= 3
    assert [path for path in logs if path.exists()] == []
    assert other.exists()
    assert list((storage / young / "compute_logs").iterdir()) != []
    assert _runs(instance) == {old, young}
    assert prune_logs(instance, before, dry_run=False).count == 0

"""The one module that imports what Dagster keeps private: it is the only one, and its names mean what we think."""

import ast
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage import tags
from dagster_dbt import DagsterDbtTranslator

from engagement_assets import dagster_internals, partitions
from engagement_assets.dagster_internals import (
    ACTIVE_RUN_STATUSES,
    ASSET_EVENTS,
    FINISHED_STATUSES,
    NOT_FINISHED_STATUSES,
    RUNLESS_RUN_ID,
    SQLITE_BUSY_TIMEOUT_SECONDS,
    EventLogCursor,
    RunStorageSqlMetadata,
    ScheduleStorageSqlMetadata,
    SqlEventLogStorageMetadata,
    check_key_of_test,
    dbt_event,
    postgres_url_of,
)
from engagement_assets.installation import PROJECT_ROOT

OURS = Path("engagement_assets", "dagster_internals.py")
RUN_BY_USERS = ("engagement_assets", "benchmarks")
MODEL = {
    "unique_id": "model.shop.orders",
    "name": "orders",
    "resource_type": "model",
    "schema": "marts",
    "config": {"materialized": "table", "meta": {}, "schema": "marts"},
    "columns": {},
    "meta": {},
    "tags": [],
    "fqn": ["shop", "orders"],
    "description": "",
    "original_file_path": "models/orders.sql",
    "depends_on": {"nodes": []},
}
CHECK = {
    "unique_id": "test.shop.unique_orders",
    "name": "unique_orders",
    "resource_type": "test",
    "attached_node": "model.shop.orders",
    "config": {"severity": "ERROR", "meta": {}},
    "meta": {},
    "tags": [],
    "depends_on": {"nodes": ["model.shop.orders"]},
}
MANIFEST = {
    "metadata": {"project_name": "shop", "adapter_type": "duckdb"},
    "nodes": {MODEL["unique_id"]: MODEL, CHECK["unique_id"]: CHECK},
    "sources": {},
    "parent_map": {MODEL["unique_id"]: [], CHECK["unique_id"]: [MODEL["unique_id"]]},
    "child_map": {MODEL["unique_id"]: [CHECK["unique_id"]], CHECK["unique_id"]: []},
}


@dg.job(name="nothing")
def _job() -> None:
    pass


def _private(module: str) -> bool:
    """Whether a module of Dagster or its integrations is none that its documentation names."""
    package, *below = module.split(".")
    return package == "dagster_shared" or (package.startswith("dagster") and bool(below))


@pytest.mark.parametrize(
    ("module", "private"),
    [
        ("dagster", False),
        ("dagster_dbt", False),
        ("dagster._core.events", True),
        ("dagster_dbt.asset_utils", True),
        ("dagster_shared", True),
        ("dbt.cli.main", False),
    ],
)
def test_a_private_module_is_known(module: str, private: bool) -> None:
    assert _private(module) is private


def test_no_other_module_imports_private_ones() -> None:
    found = {
        f"{path.relative_to(PROJECT_ROOT)}: {module}"
        for folder in RUN_BY_USERS
        for path in (PROJECT_ROOT / folder).rglob("*.py")
        if path.relative_to(PROJECT_ROOT) != OURS
        for module in _imported_modules(path)
        if _private(module)
    }
    assert found == set()


def _imported_modules(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
    return modules


def test_each_name_has_the_test_that_fails_first_and_is_needed() -> None:
    text = (PROJECT_ROOT / OURS).read_text(encoding="utf-8")
    listed = text[text.index("__all__ = [") : text.index("\n]\n")]
    named, test = {}, ""
    for line in listed.splitlines():
        if found := re.search(r"tests/\S+\.py::test_\w+", line):
            test = found[0]
        elif name := re.search(r'^    "(\w+)",', line):
            named[name[1]] = test
    assert set(named) == set(dagster_internals.__all__)
    missing = {
        test
        for test in named.values()
        if f"def {test.partition('::')[2]}(" not in (PROJECT_ROOT / test.partition("::")[0]).read_text(encoding="utf-8")
    }
    assert missing == set()
    elsewhere = " ".join(
        path.read_text(encoding="utf-8")
        for folder in RUN_BY_USERS
        for path in (PROJECT_ROOT / folder).rglob("*.py")
        if path.relative_to(PROJECT_ROOT) != OURS
    )
    assert [name for name in named if not re.search(rf"\b{name}\b", elsewhere)] == []


def test_a_run_is_finished_or_not_and_only_one_at_work_is_active() -> None:
    status = dg.DagsterRunStatus
    assert set(FINISHED_STATUSES) == {status.SUCCESS, status.FAILURE, status.CANCELED}
    # Runs that another system starts, which ours are not.
    assert set(NOT_FINISHED_STATUSES) == set(status) - set(FINISHED_STATUSES) - {status.MANAGED}
    assert set(ACTIVE_RUN_STATUSES) == {status.STARTING, status.STARTED, status.CANCELING}


def test_the_tags_that_we_write_out_are_dagsters() -> None:
    assert partitions.PARTITION_TAG == tags.PARTITION_NAME_TAG
    assert partitions.BACKFILL_TAG == tags.BACKFILL_ID_TAG
    assert partitions.RANGE_START_TAG == tags.ASSET_PARTITION_RANGE_START_TAG
    assert partitions.RANGE_END_TAG == tags.ASSET_PARTITION_RANGE_END_TAG
    assert tags.PRIORITY_TAG == "dagster/priority"


def test_events_of_assets_are_those_that_runs_over_days_have_many_of() -> None:
    of_a_day = {dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, dg.DagsterEventType.ASSET_MATERIALIZATION}
    assert of_a_day <= ASSET_EVENTS
    assert dg.DagsterEventType.STEP_SUCCESS not in ASSET_EVENTS


def test_events_without_a_run_are_read_on_from_the_last_one(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        for day in ("2024-01-08", "2024-01-09"):
            instance.report_runless_asset_event(dg.AssetMaterialization("orders", partition=day))
        first, second = instance.get_records_for_run(RUNLESS_RUN_ID).records
        cursor = EventLogCursor.from_storage_id(first.storage_id).to_string()
        later = instance.get_records_for_run(RUNLESS_RUN_ID, cursor=cursor).records
    assert [record.storage_id for record in later] == [second.storage_id]


def test_a_busy_file_is_waited_for_as_long_as_dagster_does() -> None:
    assert SQLITE_BUSY_TIMEOUT_SECONDS == 30


def test_the_tables_of_all_storages_are_known(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.create_run_for_job(_job)
    existing: set[str] = set()
    for file in tmp_path.rglob("*.db"):
        with closing(sqlite3.connect(file)) as connection:
            existing |= {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
    known = {
        table
        for metadata in (RunStorageSqlMetadata, SqlEventLogStorageMetadata, ScheduleStorageSqlMetadata)
        for table in metadata.tables
    }
    assert {"runs", "event_logs", "jobs"} <= existing
    assert existing - known == {"alembic_version"}


def test_an_event_of_dbt_becomes_a_materialization() -> None:
    message = dbt_event(
        {
            "info": {"name": "LogModelResult", "level": "info", "invocation_id": "1"},
            "data": {
                "node_info": {
                    "unique_id": MODEL["unique_id"],
                    "resource_type": "model",
                    "node_status": "success",
                    "node_started_at": "2024-01-08T00:00:00",
                    "node_finished_at": "2024-01-08T00:00:02",
                    "materialized": "table",
                },
                "execution_time": 2.0,
            },
        }
    )
    assert message.is_result_event
    (event,) = message.to_default_asset_events(manifest=MANIFEST)
    assert isinstance(event, dg.AssetMaterialization)
    assert event.asset_key == dg.AssetKey(["marts", "orders"])


@pytest.mark.parametrize(("unique_id", "check"), [(CHECK["unique_id"], "unique_orders"), (MODEL["unique_id"], None)])
def test_a_dbt_test_is_the_check_of_its_table(unique_id: str, check: str | None) -> None:
    found = check_key_of_test(MANIFEST, DagsterDbtTranslator(), unique_id)
    assert found == (check and dg.AssetCheckKey(dg.AssetKey(["marts", "orders"]), check))


@pytest.mark.parametrize(
    "config",
    [
        {"postgres_url": "postgresql://dagster:word@db:5432/runs"},
        {"postgres_db": {"username": "dagster", "password": "word", "hostname": "db", "db_name": "runs"}},
    ],
)
def test_a_database_is_named_by_its_url_or_by_its_parts(config: dict[str, object]) -> None:
    assert postgres_url_of(config) == "postgresql://dagster:word@db:5432/runs"

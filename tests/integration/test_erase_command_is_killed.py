"""`make erase` that is killed while it works on tables, copies and Dagster's records: run again, it ends with nothing.

Belongs here: kills after the lake is clean. Not here: kills before (see `test_erasure.py`), or within the run that
builds tables (see `test_range_run_is_killed.py`): here deletes stand in for it.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from engagement_assets.commands import erase as erase_command
from engagement_assets.commands import erased_tables
from engagement_assets.commands.range_run import RangeRequest, RangeRun
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.lake.erasure import erase, unfinished
from engagement_assets.lake.lake import Lake
from engagement_assets.settings import Settings
from engagement_assets.transform.export import Exports, exports_of
from engagement_assets.transform.publish import publish_schemas
from tests.erasing_settings import erasing_settings
from tests.integration.killed_processes import killed_before_step
from tests.lake_loads import DAY_1, event, events, load_time, publish, window

pytestmark = pytest.mark.integration

# Between two tables, before warehouse and published copy are swapped, between two files of an export, and within
# Dagster's records. A longer look takes every third step after those of the lake, which has nothing left to erase.
STEPS = (46, 61, 75, 79, 84) if os.environ.get("ERASURE_EXAMPLES", "1") == "1" else range(46, 1_000, 3)
TABLES = ("learning.fct__activity_exits", "intermediate.int_lingokids_events_by_day")
USERS = "select list(user_id order by user_id) from {}"


def _settings(folder: Path) -> Settings:
    return erasing_settings(folder, export_dir=str(folder / "exports"), export_csv=True)


def _lake(folder: Path) -> Lake:
    settings = _settings(folder)
    return Lake(settings.lake_uri, settings.privacy_policy)


def _exports(folder: Path) -> Exports:
    exports = exports_of(_settings(folder))
    assert exports
    return exports


def _before(folder: Path) -> None:
    """A deployment whose lake has lost Anna, and nothing else has."""
    rows = [event(f"of-{user}", DAY_1, user_id=user) for user in ("anna", "ben")]
    publish(_lake(folder), events(*rows), window(DAY_1), 1, name="lingokids_events")
    settings = _settings(folder)
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        for schema in ("learning", "intermediate", "audit"):
            connection.execute(f"create schema {schema}")
        for table in TABLES:
            connection.execute(f"create table {table} (user_id varchar, event_date date)")
            connection.execute(f"insert into {table} values ('anna', '{DAY_1}'), ('ben', '{DAY_1}')")
        connection.execute("create table audit.ingestion_loads (load_id varchar)")
    publish_schemas(settings.warehouse_path, settings.published_warehouse_path, ("learning", "audit"))
    _exports(folder).follow(settings.published_warehouse_path)
    for name in ("home/history/runs.db", "home/alerts/alerts.sqlite"):
        (folder / name).parent.mkdir(parents=True)
        with closing(sqlite3.connect(folder / name)) as connection:
            connection.execute("create table events (body text)")
            connection.execute("""insert into events values ('{"user_id": "anna"}'), ('{"user_id": "ben"}')""")
            connection.commit()
    for name in ("home/alerts/alerts.jsonl", "home/storage/run/step.err"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text('{"key": "anna"}\n{"key": "ben"}\n', encoding="utf-8")
    erase(_lake(folder), "lingokids", PersonalKind.USER, ["anna"], load_time(9))


def _build(settings: Settings, _request: RangeRequest) -> RangeRun:
    """Stands in for the run that builds the tables, publishes them and writes the report."""
    for number, table in enumerate(TABLES):
        with duckdb.connect(str(settings.warehouse_path)) as connection:
            connection.execute(f"delete from {table} where user_id = 'anna'")
        settings.report_dir.mkdir(exist_ok=True)
        (settings.report_dir / "report.html").write_text(f"built {number}", encoding="utf-8")
    publish_schemas(settings.warehouse_path, settings.published_warehouse_path, ("learning",))
    return RangeRun("run", (), (), ())


def _erase(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(erased_tables, "run_range", _build)
        assert erase_command._erase(_settings(folder), "lingokids", PersonalKind.USER, ["anna"]) == 0


def _assert_nothing_is_left(folder: Path) -> None:
    assert unfinished(_lake(folder)) == []
    for name, tables in (("warehouse.duckdb", TABLES), ("published.duckdb", TABLES[:1])):
        with duckdb.connect(str(folder / name), read_only=True) as connection:
            assert [connection.execute(USERS.format(table)).fetchone() for table in tables] == [(["ben"],)] * len(
                tables
            )
    exported = folder / "exports" / "learning" / "fct__activity_exits"
    for suffix in (".parquet", ".csv"):
        assert duckdb.execute(USERS.format(f"'{exported}{suffix}'")).fetchone() == (["ben"],)
    assert _exports(folder).follow(folder / "published.duckdb") == []
    for name in ("home/history/runs.db", "home/alerts/alerts.sqlite"):
        with closing(sqlite3.connect(folder / name)) as connection:
            bodies = [body for (body,) in connection.execute("select body from events").fetchall()]
            assert bodies == ['{"user_id": "9999"}', '{"user_id": "ben"}']
    holding = [path for path in folder.rglob("*") if path.is_file() and b"anna" in path.read_bytes()]
    assert holding == []


def test_a_command_that_was_killed_after_the_lake_goes_on_to_the_end(tmp_path: Path) -> None:
    before = tmp_path / "before"
    _before(before)
    assert b"anna" in (before / "published.duckdb").read_bytes()
    for step in STEPS:
        folder = tmp_path / f"killed before step {step}"
        shutil.copytree(before, folder)
        was_killed = killed_before_step(step, _erase, folder)
        if was_killed:
            _erase(folder)
        _assert_nothing_is_left(folder)
        if not was_killed:
            break
        shutil.rmtree(folder)
    assert step > STEPS[4] or was_killed

"""An export is killed at any moment: files are whole, the manifest tells which belong together, the next mends all."""

import hashlib
import json
import random
import time
from itertools import count
from pathlib import Path

import duckdb
import pytest

from engagement_assets.transform.export import MANIFEST, Exports
from engagement_assets.transform.publish import publish_schemas
from tests.integration.killed_processes import killed_at_random, killed_before_step

pytestmark = pytest.mark.integration

ROWS = 200_000
TABLES = ("plays", "version")


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema learning")
        connection.execute(f"create table learning.plays as select i, md5(i::varchar) as m from range({ROWS}) rows (i)")
        connection.execute("create table learning.version as select 0 as version")
    return path


def _publish(warehouse: Path, published: Path, version: int) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("update learning.version set version = $version", {"version": version})
        connection.execute("update learning.plays set i = i + 1")
    publish_schemas(warehouse, published, ("learning",))


def _export(published: Path, folder: Path) -> None:
    Exports(str(folder), with_csv=True).follow(published)


def _versions(folder: Path) -> tuple[set[int], bool]:
    """The versions that the files are of, each looked at in full; and whether the manifest proves all of them."""
    learning, found = folder / "learning", set()
    for suffix in (".parquet", ".csv"):
        rows = f"select min(i), count(*) from '{learning}/plays{suffix}'"
        ((first, rows_found),) = duckdb.execute(rows).fetchall()
        ((version,),) = duckdb.execute(f"select version from '{learning}/version{suffix}'").fetchall()
        assert rows_found == ROWS
        found |= {first, version}
    manifest = json.loads((learning / MANIFEST).read_text(encoding="utf-8"))
    files = [file for table in manifest["tables"] for file in table["files"]]
    assert {file["path"] for file in files} == {f"{name}{suffix}" for name in TABLES for suffix in (".parquet", ".csv")}
    proven = [
        hashlib.sha256((learning / file["path"]).read_bytes()).hexdigest() == file["sha256"]
        and (learning / file["path"]).stat().st_size == file["bytes"]
        for file in files
    ]
    return found, all(proven)


def test_a_killed_export_leaves_old_files_or_new_ones_and_the_manifest_tells(warehouse: Path, tmp_path: Path) -> None:
    published, folder = tmp_path / "published.duckdb", tmp_path / "exports"
    publish_schemas(warehouse, published, ("learning",))
    started = time.monotonic()
    _export(published, folder)
    export_s = time.monotonic() - started
    draw, mixed = random.Random(2024), 0
    for version in count(1):
        _publish(warehouse, published, version)
        finished = not killed_before_step(version, _export, published, folder)
        versions, is_proven = _versions(folder)
        assert versions <= {version - 1, version}
        # Files of two publications are never taken for those of one.
        assert not (is_proven and len(versions) > 1)
        mixed += len(versions) == 2
        if finished:
            break
        killed_at_random(draw, export_s, _export, published, folder)
        # The publication is left out, as that of an area without news is, and the export is not.
        _export(published, folder)
        assert _versions(folder) == ({version}, True)
    assert version > 10
    assert mixed > 2
    assert sorted(path.name for path in (folder / "learning").iterdir()) == [
        MANIFEST, "plays.csv", "plays.parquet", "version.csv", "version.parquet"
    ]  # fmt: skip

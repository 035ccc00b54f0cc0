"""A publication is killed at any moment: readers see the old copy whole, or the new one."""

import random
import time
from itertools import count
from pathlib import Path

import duckdb
import pytest

from engagement_assets.transform.publish import publish_schemas
from tests.integration.killed_processes import killed_at_random, killed_before_step

pytestmark = pytest.mark.integration

ROWS = 200_000


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema learning")
        connection.execute(f"create table learning.plays as select i, i::varchar as name from range({ROWS}) rows (i)")
        connection.execute("create table learning.version as select 0 as version")
    return path


def _set_version(warehouse: Path, version: int) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("update learning.version set version = $version", {"version": version})
        connection.execute("update learning.plays set i = i + 1")


def _publish(warehouse: Path, published: Path) -> None:
    publish_schemas(warehouse, published, ("learning",))


def _version(published: Path) -> int:
    """The version of the copy, after a look at all rows; both tables must be of one publication."""
    with duckdb.connect(str(published), read_only=True) as connection:
        found = connection.execute(
            "select version, (select (min(i), count(*)) from learning.plays) from learning.version"
        ).fetchall()
        version, (first, rows) = found[0]
    assert (first, rows) == (version, ROWS)
    return int(version)


def test_a_killed_publication_leaves_the_old_copy_or_the_new_one(warehouse: Path, tmp_path: Path) -> None:
    published = tmp_path / "published.duckdb"
    started = time.monotonic()
    _publish(warehouse, published)
    publication_s = time.monotonic() - started
    draw = random.Random(2024)
    for version in count(1):
        _set_version(warehouse, version)
        before = _version(published)
        if not killed_before_step(version, _publish, warehouse, published):
            break
        assert _version(published) in (before, version)
        killed_at_random(draw, publication_s, _publish, warehouse, published)
        assert _version(published) in (before, version)
    assert _version(published) == version > 4
    _publish(warehouse, published)
    assert {path.name for path in tmp_path.iterdir()} == {".published.duckdb.lock", published.name, warehouse.name}

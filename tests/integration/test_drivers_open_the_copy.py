"""The published copy, opened by the oldest and newest drivers that docs/using.md promises: all rows, comments and keys.

Belongs here: other versions of DuckDB. Not here: what a publication writes (`tests/unit/transform/test_publish.py`).
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.integration.installed_packages import environment_with
from tests.integration.reports import Loaded

pytestmark = pytest.mark.integration

# Everything that a driver sees, in words that are the same for all versions.
READ = """
import hashlib, json, sys
import duckdb

with duckdb.connect(sys.argv[1], read_only=True) as copy:
    tables = copy.execute("select schema_name || '.' || table_name from duckdb_tables() order by all").fetchall()
    rows = {name: sorted(map(repr, copy.execute(f"from {name}").fetchall())) for name, in tables}
    print(json.dumps({
        "version": duckdb.__version__,
        "tables": {name: [len(of), hashlib.sha256("".join(of).encode()).hexdigest()] for name, of in rows.items()},
        "comments": copy.execute(
            "select table_name, null, comment from duckdb_tables() union all "
            "select table_name, column_name, comment from duckdb_columns() where not internal order by all"
        ).fetchall(),
        "keys": copy.execute("from audit.primary_keys order by all").fetchall(),
    }))
"""


def _seen(published: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """What the driver of an environment reads."""
    command = [sys.executable, "-c", READ, str(published)]
    ended = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    seen: dict[str, Any] = json.loads(ended.stdout)
    return seen


@pytest.fixture(scope="module")
def seen_now(loaded: Loaded) -> dict[str, Any]:
    return _seen(loaded.published, os.environ)


def test_the_newest_driver_is_that_of_the_lock_and_sees_comments_and_keys(seen_now: dict[str, Any]) -> None:
    assert seen_now["version"] == version("duckdb")
    assert seen_now["version"].startswith("2.")
    assert seen_now["tables"]["learning.fct__activity_exits"][0] > 1_000
    assert ["learning", "fct__activity_exits", 1, "event_id"] in seen_now["keys"]
    assert ["fct__activity_exits", "event_id", "The event's id, given by the app."] in seen_now["comments"]
    (described,) = (text for table, column, text in seen_now["comments"] if (table, column) == ("dim__plans", None))
    assert described.endswith("\n\nPrimary key: plan_id.")


@pytest.mark.parametrize("driver", ["1.0.0", "1.4.4"])
def test_an_older_driver_sees_the_same(driver: str, loaded: Loaded, seen_now: dict[str, Any], tmp_path: Path) -> None:
    if driver == "1.0.0" and sys.version_info >= (3, 13):
        pytest.skip("DuckDB 1.0.0 has no wheel for Python 3.13; the tests on 3.11 and 3.12 open the copy with it")
    seen = _seen(loaded.published, environment_with(f"duckdb-{driver}", tmp_path))
    assert seen.pop("version") == driver
    assert seen == {name: value for name, value in seen_now.items() if name != "version"}

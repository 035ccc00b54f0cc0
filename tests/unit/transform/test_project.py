"""Preparing the manifest: what a change of a dbt file must not lose."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from engagement_assets.transform import project

FILES = {
    "dbt_project.yml": "name: engagement_assets\nprofile: engagement_assets\nversion: '1.0.0'\n",
    "models/runs.sql": "select 1 as run_id",
    "tests/assert_runs_add_up.sql": "select * from {{ ref('runs') }} where run_id <> 1",
    "tests/_tests.yml": (
        "version: 2\ndata_tests:\n  - name: assert_runs_add_up\n    description: Runs would be lost.\n"
        "    config: { severity: warn }\n"
    ),
}


@pytest.fixture
def small_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """One model with one singular test that is described in YAML."""
    shutil.copy(project.DBT_PROJECT_DIR / "profiles.yml", tmp_path / "profiles.yml")
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(project, "DBT_PROJECT_DIR", tmp_path)
    monkeypatch.setattr(project, "parsed_dir", lambda: tmp_path / "target")
    project.parsed_manifest.cache_clear()
    yield tmp_path
    project.parsed_manifest.cache_clear()


def test_a_singular_test_keeps_its_severity_and_reason_when_its_sql_changes(small_project: Path) -> None:
    project.manifest()
    changed = "select * from {{ ref('runs') }} where run_id > 1"
    (small_project / "tests" / "assert_runs_add_up.sql").write_text(changed, encoding="utf-8")
    node = project.manifest()["nodes"]["test.engagement_assets.assert_runs_add_up"]
    assert (node["config"]["severity"], node["description"]) == ("warn", "Runs would be lost.")

"""dbt as a command builds, tests and tells what dbt in the process of the run does."""

import shutil
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from engagement_assets.sandbox.sample_data import write_sample_landing
from engagement_assets.transform import project
from engagement_assets.transform.build import is_held_lock
from engagement_assets.transform.dbt_profile import DbtProfile
from engagement_assets.transform.invocations import NodeResult, Outcome, build_by_command, build_in_process
from tests.integration.deployment import Deployment

pytestmark = pytest.mark.integration

DAY = date(2024, 1, 1)
# What says when and how long.
OF_THE_CLOCK = {"Execution Duration", "invocation_id"}
ARGUMENTS = ["build", "--indirect-selection", "empty", "--exclude-resource-type", "unit_test"]
FILES = {
    "dbt_project.yml": "name: shop\nprofile: engagement_assets\nversion: '1.0.0'\n",
    "models/orders.sql": "select 1 as order_id union all select 2",
    "models/broken.sql": "select no_such_column",
    "models/held_up.sql": "select * from {{ ref('orders') }}",
    "tests/assert_first.sql": "select * from {{ ref('orders') }} where order_id <> 1",
    "tests/assert_warned.sql": "{{ config(severity='warn') }} select * from {{ ref('orders') }}",
    "tests/assert_not_selected.sql": "select * from {{ ref('orders') }}",
}
ALL = [
    "model.shop.orders",
    "model.shop.broken",
    "model.shop.held_up",
    "test.shop.assert_first",
    "test.shop.assert_warned",
]


def test_the_graph_is_the_same_as_in_process(tmp_path: Path) -> None:
    write_sample_landing(tmp_path / "landing", start=DAY, days=1)
    in_process = Deployment(tmp_path / "in_process", landing=tmp_path / "landing")
    by_command = Deployment(tmp_path / "by_command", landing=tmp_path / "landing")
    by_command.settings.dbt_as_command = True
    checks = []
    for deployment in (in_process, by_command):
        run = deployment.run(DAY, DAY, '+key:"mobility/fct__mobile_sessions"')
        assert run.failures == ()
        built = [each for each in run.checks if each.asset_key.path[0] in {"staging", "intermediate", "mobility"}]
        checks.append(sorted(map(_check, built), key=repr))
    assert len(checks[0]) > 5
    assert checks[0] == checks[1]
    tables = in_process.tables(published=False, schemas=("mobility",))
    assert len(tables["mobility.fct__mobile_sessions"]) > 0
    assert tables == by_command.tables(published=False, schemas=("mobility",))


def _check(evaluation: dg.AssetCheckEvaluation) -> tuple[Any, ...]:
    metadata = {name: value.value for name, value in evaluation.metadata.items() if name not in OF_THE_CLOCK}
    return evaluation.asset_check_key, evaluation.passed, evaluation.severity, evaluation.description, repr(metadata)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with a model that fails, and a test of each outcome; the path is that of the warehouse."""
    folder = tmp_path / "shop"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    shutil.copy(project.DBT_PROJECT_DIR / "profiles.yml", folder)
    monkeypatch.setattr(project, "DBT_PROJECT_DIR", folder)
    monkeypatch.setattr(project, "parsed_dir", lambda: folder / "target")
    project.parsed_manifest.cache_clear()
    yield tmp_path / "warehouse.duckdb"
    project.parsed_manifest.cache_clear()


def _built(warehouse: Path, *, as_command: bool) -> tuple[Outcome, list[tuple[str, str]]]:
    """What a build came to, and the nodes and states of its events."""
    events: list[tuple[str, str]] = []

    def keep(event: Mapping[str, Any]) -> None:
        info = event["data"]["node_info"]
        events.append((info["unique_id"], info["node_status"]))

    profile = DbtProfile.duckdb(warehouse)
    if as_command:
        selectors = [f"fqn:shop.{unique_id.split('.')[2]}" for unique_id in ALL]
        return build_by_command(ARGUMENTS, selectors, profile, "", keep), events
    return build_in_process(ARGUMENTS, ALL, profile, "", keep), events


def _by_node(outcome: Outcome) -> dict[str, tuple[str, int, str]]:
    return {result.unique_id: (result.status, result.failures, _sql(result)) for result in outcome.results}


def _sql(result: NodeResult) -> str:
    return " ".join(result.compiled_code.split()) if result.is_test else ""


def test_what_fails_is_told_as_in_process(shop: Path) -> None:
    by_command, events = _built(shop, as_command=True)
    in_process, events_in_process = _built(shop, as_command=False)
    assert _by_node(by_command) == _by_node(in_process)
    assert {unique_id: found[:2] for unique_id, found in _by_node(by_command).items()} == {
        "model.shop.orders": ("success", 0),
        "model.shop.broken": ("error", 0),
        "model.shop.held_up": ("skipped", 0),
        "test.shop.assert_first": ("fail", 1),
        "test.shop.assert_warned": ("warn", 2),
    }
    assert sorted(events) == sorted(events_in_process)
    assert (by_command.success, by_command.exception) == (False, None)
    (broken,) = (result for result in by_command.results if result.name == "broken")
    assert "no_such_column" in broken.message


def test_a_locked_warehouse_and_a_project_that_is_wrong_are_no_results(shop: Path) -> None:
    with duckdb.connect(str(shop)):
        locked, _ = _built(shop, as_command=True)
    assert (locked.results, locked.success) == ([], False)
    assert locked.exception is not None
    assert is_held_lock(locked.exception)
    (project.DBT_PROJECT_DIR / "models" / "orders.sql").write_text("{{ ref('nowhere') }}", encoding="utf-8")
    wrong, _ = _built(shop, as_command=True)
    assert wrong.results == []
    assert "nowhere" in str(wrong.exception)
    assert "`dbt build` ended with code 2: " in str(wrong.exception)

"""What holds for every dbt test of the project: a severity with its reason, a name that claims, one check of one asset.

Belongs here: rules over the manifest. Not here: what a test finds (see `tests/integration/test_*_checks.py`).
"""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg
import pytest

from engagement_assets.assets.dbt_models import dbt_model_assets
from engagement_assets.transform.data_tests import check_description, grain
from engagement_assets.transform.project import manifest

# What has no one column or set of columns that tells its rows apart.
WITHOUT_A_GRAIN = {"ingestion_loads", "rejected_records"}

Node = Mapping[str, Any]


@pytest.fixture(scope="module")
def content() -> Mapping[str, Any]:
    return manifest()


@pytest.fixture(scope="module")
def dbt_tests(content: Mapping[str, Any]) -> dict[str, Node]:
    """All dbt tests by their ids, unit tests apart."""
    return {unique_id: node for unique_id, node in content["nodes"].items() if node["resource_type"] == "test"}


@pytest.fixture(scope="module")
def checks(content: Mapping[str, Any]) -> dict[str, dg.AssetCheckSpec]:
    """The asset checks that the dbt steps have, by the ids of their dbt tests."""
    specs = [spec for step in dbt_model_assets(content, date(2024, 1, 1)) for spec in step.check_specs]
    by_id = {spec.metadata["dagster_dbt/unique_id"]: spec for spec in specs}
    assert len(by_id) == len(specs)
    return by_id


def without_severity_or_reason(tests: Mapping[str, Node]) -> list[str]:
    return sorted(
        node["name"]
        for node in tests.values()
        if node["unrendered_config"].get("severity") not in {"warn", "error"}
        or not re.fullmatch(r"[A-Z`].{10,}\.", " ".join(node["description"].split()))
    )


def test_every_dbt_test_says_how_severe_it_is_and_why(dbt_tests: dict[str, Node]) -> None:
    assert without_severity_or_reason(dbt_tests) == []


@pytest.mark.parametrize(
    "defect",
    [{"unrendered_config": {}}, {"description": ""}, {"description": "Because."}],
    ids=["no_severity", "no_reason", "no_sentence"],
)
def test_a_dbt_test_without_severity_or_reason_is_found(dbt_tests: dict[str, Node], defect: Node) -> None:
    unique_id, node = next(iter(dbt_tests.items()))
    assert without_severity_or_reason({unique_id: {**node, **defect}}) == [node["name"]]


def test_names_are_unique_and_list_no_arguments(dbt_tests: dict[str, Node]) -> None:
    names = Counter(node["name"] for node in dbt_tests.values())
    assert [name for name, times in names.items() if times > 1] == []
    # dbt's own names are short claims for two kinds, and lists of all arguments for the others.
    assert [
        node["name"]
        for node in dbt_tests.values()
        if (kind := (node.get("test_metadata") or {}).get("name")) not in {None, "unique", "not_null"}
        and node["name"].startswith(f"{kind}_")
    ] == []


def test_every_dbt_test_is_one_check_and_of_a_table_that_it_reads(
    content: Mapping[str, Any], dbt_tests: dict[str, Node], checks: dict[str, dg.AssetCheckSpec]
) -> None:
    assert checks.keys() == dbt_tests.keys()
    for unique_id, node in dbt_tests.items():
        is_singular = node.get("test_metadata") is None
        tested = {
            model["name"]: (model["config"]["schema"], model["name"])
            for model in (content["nodes"][parent] for parent in node["depends_on"]["nodes"])
        }
        if is_singular:
            # Also where one model is read: the check must not move when the test comes to read another.
            expected = tested[node["meta"]["dagster"]["ref"]["name"]]
        else:
            model = content["nodes"][node["attached_node"]]
            expected = (model["config"]["schema"], model["name"])
        assert tuple(checks[unique_id].asset_key.path) == expected, node["name"]


def test_a_check_waits_for_all_tables_that_it_reads(
    content: Mapping[str, Any], dbt_tests: dict[str, Node], checks: dict[str, dg.AssetCheckSpec]
) -> None:
    """No test is the check of a table that is built before another one that it reads."""
    ancestors: dict[str, set[str]] = {}

    def ancestors_of(unique_id: str) -> set[str]:
        if unique_id not in ancestors:
            parents = set(content["parent_map"].get(unique_id, ()))
            ancestors[unique_id] = parents.union(*(ancestors_of(parent) for parent in parents))
        return ancestors[unique_id]

    steps = dbt_model_assets(content, date(2024, 1, 1))
    step_of = {key: step.op.name for step in steps for key in step.keys}
    key_of = {spec.metadata["dagster_dbt/unique_id"]: spec.key for step in steps for spec in step.specs}
    for unique_id, node in dbt_tests.items():
        key = checks[unique_id].asset_key
        owner = next(model for model, model_key in key_of.items() if model_key == key)
        for parent in node["depends_on"]["nodes"]:
            assert parent == owner or parent in ancestors_of(owner) or step_of[key_of[parent]] == step_of[key], (
                f"{node['name']} is a check of {owner}, and reads {parent}, which is built later"
            )


def test_a_check_blocks_what_its_severity_says_and_tells_why(
    dbt_tests: dict[str, Node], checks: dict[str, dg.AssetCheckSpec]
) -> None:
    for unique_id, node in dbt_tests.items():
        assert checks[unique_id].blocking == (node["config"]["severity"] == "error"), node["name"]
        assert checks[unique_id].description == check_description(node)
    by_name = {spec.name: spec.description for spec in checks.values()}
    assert by_name["laps_of_an_activity_add_up"] == (
        "Laps of an activity add up. A failure blocks: A lap would be missing from, or counted twice in, the shares "
        "that people read."
    )
    assert by_name["units_of_measure_are_known"] == (
        "Units of measure are known. A failure warns: A distance in another unit is left out of weekly_plan_distance, "
        "as unknown."
    )


def test_every_tested_table_says_what_tells_its_rows_apart(
    content: Mapping[str, Any], dbt_tests: dict[str, Node]
) -> None:
    tested = {node["attached_node"] for node in dbt_tests.values() if node.get("attached_node")}
    without = {content["nodes"][unique_id]["name"] for unique_id in tested if not grain(content, unique_id)}
    assert without == WITHOUT_A_GRAIN
    assert grain(content, "model.engagement_assets.int_engagement_user_weeks") == (
        "source",
        "user_id",
        "week_start_date",
    )

"""What holds for every dbt test of the project: a severity with its reason, a name that checks, one check of one asset.

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
WITHOUT_A_GRAIN = {"erasures", "held_days", "ingestion_loads", "rejected_records", "replayed_records"}

# Which table a test over several tables is a check of: the one that is wrong when it fails.
SINGULAR_TESTS = {
    "engagement/weekly_engagement": {
        "assert_every_unit_is_in_its_week_once",
        "assert_users_of_the_week_before_return_or_churn",
    },
    "engagement/weekly_retention": {"assert_cohorts_add_up_to_the_active_users"},
    "learning/fct__activity_exits": {"assert_every_event_is_counted_once", "assert_few_plays_are_of_unknown_users"},
    "learning/top_activities": {"assert_top_activities_hold_all_plays"},
    "learning/learning_active_users": {"assert_active_users_fit_their_slices"},
    "intermediate/int_mobile_events_sessionized": {"assert_mobile_events_pause_between_sessions_only"},
    "mobility/fct__mobile_sessions": {
        "assert_every_mobile_event_is_in_exactly_one_session",
        "assert_mobile_sessions_do_not_overlap",
        "assert_mobile_sessions_hold_every_event",
    },
    "product/fct__user_events": {
        "assert_an_event_counts_as_its_newest_upload_has_it",
        "assert_every_accepted_event_is_in_the_fact_once",
    },
    "strava/fct__strava_activities": {"assert_every_strava_activity_is_in_the_fact_once"},
    "strava/strava_kudos_history": {"assert_every_kudos_observation_is_in_the_history_once"},
    "strava/strava_monthly_summary": {"assert_every_run_is_in_its_month"},
    "strava/strava_weekly_kudos_change": {"assert_weeks_are_compared_with_exactly_the_week_before"},
    "strava/strava_kudos_by_workout_type": {"assert_kudos_of_runs_are_the_same_in_every_table"},
    "training/fct__activities": {"assert_every_activity_is_in_the_fact_once"},
    "training/bdg__workout_to_steps": {"assert_step_counts_are_those_of_the_bridge"},
    "training/bdg__activity_to_laps": {"assert_every_accepted_lap_is_in_the_bridge"},
    "training/user_pace_adherence": {"assert_laps_are_judged_and_summed_once"},
}

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
    # dbt's own names are short checks for two kinds, and lists of all arguments for the others.
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
        key = checks[unique_id].asset_key
        tested = {content["nodes"][parent]["name"] for parent in node["depends_on"]["nodes"]}
        assert key.path[-1] in tested, node["name"]
        if attached := node.get("attached_node"):
            model = content["nodes"][attached]
            assert key.path == [model["schema"], model["name"]], node["name"]
    singular: dict[str, set[str]] = {}
    for unique_id, node in dbt_tests.items():
        if node.get("test_metadata") is None:
            # Said also where one table is read: the check must not move when the test comes to read another.
            assert node["meta"]["dagster"]["ref"], node["name"]
            singular.setdefault(checks[unique_id].asset_key.to_user_string(), set()).add(node["name"])
    assert singular == SINGULAR_TESTS


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
        "Laps of an activity add up. A failure blocks: A lap would be missing from the shares, or be counted twice."
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

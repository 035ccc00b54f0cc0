"""The graph as Dagster loads it: keys, groups, owners, partitions, checks, pools."""

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import dagster as dg
import pytest
import yaml

from engagement_assets.alerts.incidents import Kind, Subject
from engagement_assets.alerts.lineage import Lineage, Links
from engagement_assets.assets import kudos_model
from engagement_assets.commands import selection
from engagement_assets.contracts.load_checks import CHECK_NAMES
from engagement_assets.definitions import build_defs
from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.orchestration.sensors.catch_up import FOLLOWS_ITS_INPUT, IS_CAUGHT_UP
from engagement_assets.settings import Settings

RAW_PARTITIONED = [
    "raw_strava/activities",
    "raw_strava/activity_kudos",
    "raw_user_events/events",
    "raw_lingokids/events",
    "raw_mobile/events",
    "raw_runna/activities",
    "raw_runna/activity_laps",
    "raw_runna/workout_steps",
]


def test_the_code_location_can_be_loaded(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)


def test_who_runs_no_dbt_does_not_import_it(defs: dg.Definitions, tmp_path: Path) -> None:
    """Webservers, code servers, daemons and most commands load the definitions and no more; the project is parsed."""
    assert defs
    code = (
        "import json, sys; from dagster_shared.libraries import DagsterLibraryRegistry; "
        "from engagement_assets.definitions import build_defs; from engagement_assets.settings import Settings; "
        "build_defs(Settings(_env_file=None)).resolve_asset_graph(); "
        "print(json.dumps([sorted(sys.modules), DagsterLibraryRegistry.get()]))"
    )
    process = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    modules, libraries = json.loads(process.stdout)
    assert {"dagster_dbt", "engagement_assets.assets.dbt_models"} <= set(modules)
    heavy = ("dbt.", "dbt_common", "altair", "jsonschema", "pandas", "sklearn", "vl_convert")
    assert [module for module in modules if module.startswith(heavy)] == []
    # What the UI lists, where dagster-dbt would name another dbt.
    assert libraries["dbt-core"] == version("dbt-core")
    assert "dbt-fusion" not in libraries


def test_the_names_that_files_tell_are_those_of_the_graph(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    assert set(selection.keys()) == {key.to_user_string() for key in graph.get_all_asset_keys()}
    assert set(selection.groups()) == {graph.get(key).group_name for key in graph.get_all_asset_keys()}


def test_without_scikit_learn_the_graph_is_the_same_and_nothing_trains(
    defs: dg.Definitions, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kudos_model, "find_spec", lambda _: None)
    without = build_defs(settings)
    dg.Definitions.validate_loadable(without)
    before, after = defs.resolve_asset_graph(), without.resolve_asset_graph()
    assert after.get_all_asset_keys() == before.get_all_asset_keys()
    assert before.executable_asset_keys - after.executable_asset_keys == kudos_model.KUDOS_ASSETS
    assert {job.name for job in defs.resolve_all_job_defs()} - {job.name for job in without.resolve_all_job_defs()} == {
        "kudos"
    }
    sensors = [{item.name for item in each.get_repository_def().sensor_defs} for each in (defs, without)]
    assert sensors[0] - sensors[1] == {"kudos_model"}


def test_loading_the_definitions_touches_no_file(defs: dg.Definitions, settings: Settings) -> None:
    assert defs is not None
    assert not Path(settings.landing_uri).exists()
    assert not Path(settings.landing_uri).parent.joinpath("lake").exists()


def test_every_table_of_the_contract_is_an_asset(specs: dict[str, dg.AssetSpec]) -> None:
    contract = {
        "training/fct__activities",
        "training/dim__plans",
        "training/dim__workouts",
        "training/bdg__activity_to_laps",
        "training/bdg__workout_to_steps",
        "training/lap_pace_adherence",
        "training/activity_pace_adherence",
        "training/user_pace_adherence",
        "training/weekly_plan_distance",
        "training/workout_leaderboard",
        "training/tempo_sessions",
        "learning/fct__activity_exits",
        "learning/engagement_daily",
        "learning/engagement_weekly",
        "learning/engagement_monthly",
        "learning/engagement_yearly",
        "learning/top_activities",
        "learning/learning_active_users",
        "strava/fct__strava_activities",
        "strava/strava_kudos_history",
        "strava/strava_monthly_summary",
        "strava/strava_yearly_summary",
        "strava/strava_weekly_kudos_change",
        "strava/strava_kudos_by_workout_type",
        "strava/kudos_training_examples",
        "strava/kudos_prediction_inputs",
        "strava_kudos_model",
        "predictions/strava_kudos_predictions",
        "product/fct__user_events",
        "product/weekly_active_users",
        "product/weekly_active_corporations",
        "product/weekly_user_event_summary",
        "mobility/fct__mobile_sessions",
        "mobility/bdg__mobile_session_to_events",
        "mobility/weekly_booking_conversion",
        "engagement/weekly_engagement",
        "engagement/weekly_retention",
        "audit/ingestion_loads",
        "audit/rejected_records",
        "audit/held_days",
        "audit/alerts",
        "published/training",
        "published/learning",
        "published/strava",
        "published/product",
        "published/mobility",
        "published/engagement",
        "engagement_report",
        "raw_lingokids/users",
        "raw_lingokids/activities",
        *RAW_PARTITIONED,
    }
    assert contract - specs.keys() == set()


def test_raw_datasets_are_partitioned_by_day_and_loaded_in_one_run_per_range(
    defs: dg.Definitions,
) -> None:
    graph = defs.resolve_asset_graph()
    for name in RAW_PARTITIONED:
        node = graph.get(dg.AssetKey(name.split("/")))
        assert node.partitions_def == dg.DailyPartitionsDefinition("2024-01-01", timezone="UTC", end_offset=1)
        assert node.backfill_policy == dg.BackfillPolicy.single_run()


def test_a_backfill_of_days_that_are_apart_may_be_many_runs(settings: Settings) -> None:
    defs = build_defs(settings.model_copy(update={"backfill_days_per_run": 7}))
    graph = defs.resolve_asset_graph()
    policies = {key.to_user_string(): graph.get(key).backfill_policy for key in graph.executable_asset_keys}
    apart = {name for name, policy in policies.items() if policy == dg.BackfillPolicy.multi_run(7)}
    assert apart == {
        *(f"raw_runna/{name}" for name in ("activities", "activity_laps", "workout_steps")),
        "raw_lingokids/events",
        "raw_mobile/events",
    }
    # A day of a service reads the days before it again, so it is read once for all days.
    assert {policies[name] for name in policies.keys() - apart} == {dg.BackfillPolicy.single_run()}
    of_jobs = {name: defs.resolve_job_def(name).backfill_policy for name in ("daily_runna", "daily_strava")}
    assert of_jobs == {"daily_runna": dg.BackfillPolicy.multi_run(7), "daily_strava": dg.BackfillPolicy.single_run()}


def test_all_partitioned_assets_share_one_partitions_definition(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    definitions = {node.partitions_def for node in graph.asset_nodes if node.partitions_def is not None}
    assert len(definitions) == 1


def test_raw_lineage_joins_the_dbt_sources(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    staging = graph.get(dg.AssetKey(["staging", "stg_runna__activities"]))
    assert staging.parent_keys == {dg.AssetKey(["raw_runna", "activities"])}


def test_the_sources_share_no_asset_before_they_are_published(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    upstream = {
        area: dg.AssetSelection.assets(["published", area]).upstream().resolve(graph)
        for area in ("training", "learning")
    }
    assert upstream["training"] & upstream["learning"] == set()


def test_whatever_opens_the_warehouse_takes_its_pool(defs: dg.Definitions) -> None:
    pools = {
        definition.op.name: definition.op.pool
        for definition in defs.resolve_asset_graph().assets_defs
        if definition.is_executable
    }
    raw = {name: pool for name, pool in pools.items() if name.startswith("raw_")}
    assert raw == {name: name for name in raw}
    # The freshness checks read the lake.
    assert pools.pop("is_fresh") is None
    # The alerts have a file of their own.
    assert pools.pop("audit_alerts") is None
    # The model reads the published copy, and its check reads the versions.
    assert pools.pop("strava_kudos_model") == "strava_kudos_model"
    assert pools.pop("strava_kudos_model_is_not_worse_than_baselines") is None
    assert {pool for name, pool in pools.items() if name not in raw} == {"warehouse"}


def test_a_pool_lets_one_step_through_at_a_time() -> None:
    instance = yaml.safe_load((PROJECT_ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    assert instance["concurrency"]["pools"] == {"granularity": "op", "default_limit": 1}


def test_load_checks_of_raw_datasets_are_blocking(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    blocking = {
        (key.asset_key.to_user_string(), key.name)
        for key in graph.asset_check_keys
        if key.asset_key.path[0].startswith("raw_") and graph.get(key).blocking
    }
    everywhere = [*RAW_PARTITIONED, "raw_lingokids/users", "raw_lingokids/activities"]
    standard = ("reconciles", "rejected_share", "schema_drift", "volume_as_expected")
    assert blocking == {
        *((name, check) for name in everywhere for check in standard),
        *((f"raw_{name}", "every_file_is_read") for name in ("runna/activities", "mobile/events")),
        *((f"raw_lingokids/{name}", "every_file_is_read") for name in ("events", "users", "activities")),
        *((name, "files_hold_what_was_loaded") for name in ("raw_mobile/events", "raw_lingokids/events")),
        ("raw_runna/activities", "has_not_shrunk"),
        ("raw_strava/activities", "has_not_shrunk"),
        ("raw_strava/activities", "strava_has_no_duplicate_ids"),
        ("raw_strava/activities", "strava_weekly_count_as_expected"),
        ("raw_strava/activities", "strava_weekly_kudos_as_expected"),
        ("raw_user_events/events", "has_not_shrunk"),
    }


def test_sample_data_and_sources_without_settings_have_no_deadline(tmp_path: Path) -> None:
    sample = build_defs(Settings(_env_file=None, landing_uri=""))
    assert [key for key in sample.resolve_asset_graph().asset_check_keys if key.name == "is_fresh"] == []
    own = build_defs(Settings(_env_file=None, landing_uri=str(tmp_path), freshness_hours="12, mobile=0"))
    graph = own.resolve_asset_graph()
    fresh = {key.asset_key.to_user_string() for key in graph.asset_check_keys if key.name == "is_fresh"}
    assert {name.partition("/")[0] for name in fresh} == {"raw_runna", "raw_lingokids"}
    with_policy = {spec.key.to_user_string() for spec in own.resolve_all_asset_specs() if spec.freshness_policy}
    assert with_policy == fresh


def test_every_alert_leads_to_an_entry_of_the_runbook(defs: dg.Definitions) -> None:
    text = (PROJECT_ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    entries = set(re.findall(r"^## (\w+)$|^<a id=\"(.+)\"></a>$", text, re.MULTILINE))
    graph = defs.resolve_asset_graph()
    lineage = Lineage(graph, Links("", "runbook.md"))
    raw = dg.AssetKey(["raw_runna", "activities"])
    reported = [dg.AssetCheckKey(raw, name) for name in (IS_CAUGHT_UP, FOLLOWS_ITS_INPUT)]
    checks = [
        Subject(Kind.CHECK, key.asset_key.to_user_string(), key.name) for key in [*graph.asset_check_keys, *reported]
    ]
    failed = [Subject(Kind.STEP, "", "raw_runna"), Subject(Kind.RUN, "", "daily_engagement")]
    linked = {lineage.runbook_entry(subject).removeprefix("runbook.md#") for subject in [*checks, *failed]}
    assert linked > CHECK_NAMES
    assert linked - {name or anchor for name, anchor in entries} == set()


def test_every_raw_dataset_has_checks_of_the_catalog_alone(defs: dg.Definitions) -> None:
    keys = defs.resolve_asset_graph().asset_check_keys
    assert {key.name for key in keys if key.asset_key.path[0].startswith("raw_")} == CHECK_NAMES


def test_dbt_tests_are_asset_checks(defs: dg.Definitions) -> None:
    names = {key.asset_key.to_user_string() for key in defs.resolve_asset_graph().asset_check_keys}
    marts = {
        key.to_user_string()
        for key in defs.resolve_asset_graph().executable_asset_keys
        if key.path[0] in {"training", "learning", "strava", "product", "mobility", "engagement"}
    }
    assert marts - names == set()


def test_the_days_of_windowed_models_are_found_along_partitioned_assets(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    raw = {dg.AssetKey(name.split("/")) for name in RAW_PARTITIONED}
    windowed = {node.key for node in graph.asset_nodes if node.is_partitioned} - raw
    assert len(windowed) >= 13
    reached: set[dg.AssetKey] = set(raw)
    while new := {key for key in windowed - reached if graph.get(key).parent_keys & reached}:
        reached |= new
    assert windowed - reached == set()


def test_plain_dagster_takes_a_range_for_any_selection(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    policies = {graph.get(key).backfill_policy for key in graph.executable_asset_keys}
    assert policies == {dg.BackfillPolicy.single_run()}

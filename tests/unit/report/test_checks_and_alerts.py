"""The states of checks in the report."""

from collections.abc import Iterator

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.events import DagsterEvent, DagsterEventType

from engagement_assets.assets.engagement_report import checks_of_all_sources
from engagement_assets.contracts.check_metadata import FAILING_DAYS, FAILING_ROWS
from engagement_assets.definitions import build_defs
from engagement_assets.report.checks_and_alerts import check_states
from engagement_assets.settings import Settings
from engagement_assets.sources import source_named

RESULTS = {
    "passes": dg.AssetCheckResult(check_name="passes", passed=True, metadata={FAILING_ROWS: 0}),
    "warns": dg.AssetCheckResult(check_name="warns", passed=False, severity=dg.AssetCheckSeverity.WARN),
    "fails": dg.AssetCheckResult(
        check_name="fails",
        passed=False,
        metadata={FAILING_ROWS: 3, FAILING_DAYS: ["2024-01-01", "2024-01-02/2024-01-03", "2024-01-05"]},
    ),
}


@dg.asset(check_specs=[dg.AssetCheckSpec(name, asset="table") for name in RESULTS])
def table() -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    """An asset with a check of each outcome."""
    yield dg.MaterializeResult()
    yield from RESULTS.values()


def test_the_newest_evaluation_of_every_check_is_reported() -> None:
    keys = [dg.AssetCheckKey(dg.AssetKey("table"), name) for name in (*RESULTS, "never_ran")]
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([table], instance=instance)
        states = check_states(instance, keys)
    assert [(each.asset, each.check, each.state, each.failing_rows, each.failing_days) for each in states] == [
        ("table", "fails", "failed", 3, "2024-01-01 to 2024-01-03, 2024-01-05"),
        ("table", "never_ran", "not run", None, ""),
        ("table", "passes", "passed", None, ""),
        ("table", "warns", "warned", None, ""),
    ]
    assert states[0].evaluated_at[:2] == "20"
    assert states[1].evaluated_at == ""


def planned(instance: dg.DagsterInstance, keys: list[dg.AssetCheckKey]) -> None:
    """What a run leaves in the event log before it evaluates these checks."""
    run = instance.create_run_for_job(dg.Definitions([table]).resolve_implicit_global_asset_job_def())
    for key in keys:
        plan = AssetCheckEvaluationPlanned(asset_key=key.asset_key, check_name=key.name)
        planning = DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED.value
        event = DagsterEvent(event_type_value=planning, job_name=run.job_name, event_specific_data=plan)
        instance.report_dagster_event(event, run.run_id)


def test_a_run_in_progress_changes_no_state_until_it_has_evaluated() -> None:
    keys = [dg.AssetCheckKey(dg.AssetKey("table"), name) for name in (*RESULTS, "never_ran")]
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([table], instance=instance)
        before = check_states(instance, keys)
        planned(instance, keys)
        during = check_states(instance, keys)
        dg.materialize([table], instance=instance)
        after = check_states(instance, keys)
    assert during == before
    assert [each.state for each in during] == ["failed", "not run", "passed", "warned"]
    # A completed evaluation is newer, although the plan of the other run is still there.
    assert [each.state for each in after] == ["failed", "not run", "passed", "warned"]
    assert after[0].evaluated_at >= before[0].evaluated_at


def test_the_checks_of_a_service_without_settings_are_shown_too() -> None:
    without = Settings(_env_file=None)
    assert without.missing_for(source_named("strava"))
    names = {
        key.name for key in checks_of_all_sources(without) if key.asset_key == dg.AssetKey(["raw_strava", "activities"])
    }
    assert {"reconciles", "has_not_shrunk", "strava_has_no_duplicate_ids", "is_fresh"} <= names
    defined = set(build_defs(without).resolve_asset_graph().asset_check_keys)
    assert not any(key.asset_key.path[0] == "raw_strava" for key in defined)
    # Nothing is made up: what definitions have of these assets is among them.
    assert {key for key in defined if key.asset_key.path[0].startswith("raw_")} <= checks_of_all_sources(without)

"""Jobs: which assets run together, and with which config."""

from datetime import date

import dagster as dg
import pytest

from engagement_assets.assets.kudos_model import KUDOS_ASSETS, STRAVA_KUDOS_MODEL
from engagement_assets.commands.range_run import _selected_keys
from engagement_assets.definitions import build_defs
from engagement_assets.settings import Settings
from engagement_assets.sources import RAW_DATASETS


@pytest.fixture(scope="module")
def defs(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    """A deployment that can load every source."""
    return build_defs(
        Settings(
            _env_file=None,
            landing_uri=str(tmp_path_factory.mktemp("deployment") / "landing"),
            start_date=date(2024, 1, 1),
            strava_client_id="1",
            strava_client_secret="a secret",
            strava_refresh_token="a token",
            user_events_api_url="http://127.0.0.1/events",
            user_events_api_token="a token",
        )
    )


def test_freshness_has_a_job_of_its_own_and_is_in_no_load(defs: dg.Definitions) -> None:
    def checks_of(job: str) -> set[str]:
        layer = defs.resolve_job_def(job).asset_layer
        return {key.asset_key.to_user_string() for key in layer.asset_graph.asset_check_keys if key.name == "is_fresh"}

    assert checks_of("freshness") == {dataset.key for dataset in RAW_DATASETS}
    assert [checks_of(job.name) for job in defs.resolve_all_job_defs() if job.name == "daily_engagement"] == [set()]
    assert checks_of("release_runna") == set()


def test_no_run_over_days_waits_for_the_model_of_kudos(defs: dg.Definitions) -> None:
    jobs = {
        job.name
        for job in defs.resolve_all_job_defs()
        if KUDOS_ASSETS & job.asset_layer.selected_asset_keys and job.name != "__ASSET_JOB"
    }
    assert jobs == {"kudos"}


@pytest.mark.parametrize(
    ("selection", "of_kudos"),
    [
        ("*", set()),
        ('key:"raw_strava/activities"+', set()),
        ("group:predictions", set(KUDOS_ASSETS)),
        ("key:strava_kudos_model", {STRAVA_KUDOS_MODEL}),
    ],
)
def test_a_range_of_days_leaves_the_model_of_kudos_out_unless_nothing_else_is_selected(
    defs: dg.Definitions, selection: str, of_kudos: set[dg.AssetKey]
) -> None:
    keys, _ = _selected_keys(defs, selection)
    assert keys & KUDOS_ASSETS == of_kudos
    assert (keys == of_kudos) == bool(of_kudos)


def test_every_load_has_a_job_that_releases_its_held_days(defs: dg.Definitions) -> None:
    jobs = {job.name: job for job in defs.resolve_all_job_defs() if job.name.startswith("release_")}
    assert set(jobs) == {
        *("release_runna", "release_strava", "release_user_events", "release_mobile_events"),
        *("release_lingokids_events", "release_lingokids_users", "release_lingokids_activities"),
    }


def test_every_load_has_a_job_that_replays_its_quarantine(defs: dg.Definitions) -> None:
    jobs = {job.name: job for job in defs.resolve_all_job_defs() if job.name.startswith("replay_")}
    assert set(jobs) == {
        *("replay_runna", "replay_strava", "replay_user_events", "replay_mobile_events"),
        *("replay_lingokids_events", "replay_lingokids_users", "replay_lingokids_activities"),
    }
    config = jobs["replay_mobile_events"].partitioned_config
    assert config is not None
    assert config.get_run_config_for_partition_key("2024-01-02") == {
        "ops": {"raw_mobile_events": {"config": {"replay": True}}}
    }


def test_the_page_of_an_asset_lists_only_the_jobs_that_it_is_part_of(defs: dg.Definitions) -> None:
    jobs: dict[str, set[str]] = {}
    for job in defs.resolve_all_job_defs():
        for key in job.asset_layer.selected_asset_keys:
            # Dagster hides the job in which the UI materializes what somebody selects.
            jobs.setdefault(key.to_user_string(), set()).update({job.name} - {"__ASSET_JOB"})
    of_a_load = {"daily_lingokids", "daily_engagement", "release_lingokids_events", "replay_lingokids_events"}
    assert jobs["raw_lingokids/events"] == of_a_load
    assert jobs["learning/engagement_daily"] == {"daily_lingokids", "daily_engagement"}
    assert jobs["published/learning"] == {"daily_lingokids", "daily_engagement"}
    assert jobs["engagement/weekly_engagement"] == {"daily_engagement", "weekly_engagement_metrics"}
    assert not [name for name in jobs["audit/held_days"] if not name.startswith("daily_") and name != "load_audit"]


def test_each_source_has_a_job_of_its_own_raw_data_models_and_published_copy(defs: dg.Definitions) -> None:
    jobs = {
        name: {key.to_user_string() for key in defs.resolve_job_def(name).asset_layer.selected_asset_keys}
        for name in ("daily_runna", "daily_lingokids", "daily_strava", "daily_user_events", "daily_mobile")
    }
    assert {
        "raw_lingokids/events",
        "raw_lingokids/users",
        "staging/stg_lingokids__events",
        "learning/fct__activity_exits",
        "learning/engagement_daily",
        "learning/top_activities",
        "published/learning",
        "audit/ingestion_loads",
    } <= jobs["daily_lingokids"]
    shared = [left & right for first, left in jobs.items() for second, right in jobs.items() if first < second]
    audit = {"erasures", "held_days", "ingestion_loads", "rejected_records", "replayed_records"}
    assert set().union(*shared) == {f"audit/{table}" for table in audit}
    cross_source = defs.resolve_job_def("weekly_engagement_metrics").asset_layer.selected_asset_keys
    assert set().union(*jobs.values()).isdisjoint(key.to_user_string() for key in cross_source)


def test_a_backfill_of_a_job_is_one_run(defs: dg.Definitions) -> None:
    for name in ("daily_engagement", "daily_runna", "daily_lingokids", "daily_strava", "daily_mobile"):
        assert defs.resolve_job_def(name).backfill_policy == dg.BackfillPolicy.single_run()


def test_the_tables_over_all_sources_stand_on_all_facts_and_have_a_job_without_them(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    upstream = dg.AssetSelection.assets(["published", "engagement"]).upstream().resolve(graph)
    facts = {key.to_user_string() for key in upstream if key.path[-1].startswith("fct__")}
    assert facts == {
        "training/fct__activities",
        "strava/fct__strava_activities",
        "product/fct__user_events",
        "mobility/fct__mobile_sessions",
        "learning/fct__activity_exits",
    }
    alone = defs.resolve_job_def("weekly_engagement_metrics").asset_layer.selected_asset_keys
    assert {key.path[0] for key in alone} == {"intermediate", "engagement", "published", "engagement_report"}
    assert {key for key in upstream - alone if "engagement" in key.path[-1]} == set()

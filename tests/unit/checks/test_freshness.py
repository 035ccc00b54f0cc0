"""Whether the newest day is there when it should be."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from engagement_assets.checks.freshness import freshness_checks, judge_freshness
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS, LINGOKIDS_USERS
from engagement_assets.extract.services.client import Clock
from engagement_assets.lake.erasure import erase
from engagement_assets.lake.held_days import release
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.lake.load import open_load
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.resources import ApiClients
from engagement_assets.settings import Settings
from tests.lake_loads import FIRST_LOAD, Found, event, events, publish, window

NEWEST = date(2024, 5, 31)
DEADLINE = datetime(2024, 6, 2, 12, tzinfo=UTC)  # of 2024-06-01, twelve hours after its end
EVENTS = dg.AssetKey(["raw_lingokids", "events"])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def settings(lake: Lake, tmp_path: Path) -> Settings:
    return Settings(_env_file=None, landing_uri=str(tmp_path), lake_uri=lake.uri)


@pytest.fixture
def loaded(lake: Lake) -> Lake:
    """Events of the day before the load, and users, loaded on 2024-06-01."""
    publish(lake, events(event("a", NEWEST)), window(NEWEST), 1, name="lingokids_events")
    publish(lake, Found({LINGOKIDS_USERS: [{"user_id": "u"}]}), None, 1, name="lingokids_users")
    return lake


@pytest.mark.parametrize("dataset", [LINGOKIDS_EVENTS, LINGOKIDS_USERS], ids=["events", "users"])
def test_a_source_is_fresh_until_the_deadline_of_the_next_day(
    loaded: Lake, settings: Settings, dataset: Dataset
) -> None:
    for now in (FIRST_LOAD, DEADLINE - timedelta(seconds=1)):
        result = judge_freshness(loaded, dataset, now, settings)
        assert (result.passed, result.description) == (True, None)


def test_a_day_that_is_not_there_at_its_deadline_is_missed(loaded: Lake, settings: Settings) -> None:
    result = judge_freshness(loaded, LINGOKIDS_EVENTS, DEADLINE + timedelta(days=1), settings)
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.description == "the newest day is 2024-05-31, expected 2024-06-02 by 2024-06-03 12:00 UTC"
    assert result.metadata["failing_days"] == dg.JsonMetadataValue(["2024-06-01/2024-06-02"])


def test_a_source_that_stopped_years_ago_names_its_days_as_one_interval(loaded: Lake, settings: Settings) -> None:
    result = judge_freshness(loaded, LINGOKIDS_EVENTS, DEADLINE + timedelta(days=1_000), settings)
    assert result.description == "the newest day is 2024-05-31, expected 2027-02-26 by 2027-02-27 12:00 UTC"
    assert result.metadata["failing_days"] == dg.JsonMetadataValue(["2024-06-01/2027-02-26"])


def test_a_held_day_is_not_there(lake: Lake, settings: Settings) -> None:
    held = {NEWEST: ["events.rejected_share"]}
    publish(lake, events(event("a", NEWEST)), window(NEWEST), 1, held=held, name="lingokids_events")
    result = judge_freshness(lake, LINGOKIDS_EVENTS, FIRST_LOAD, settings)
    assert (result.passed, result.description) == (
        False,
        "nothing has been loaded lately, expected 2024-05-31 by 2024-06-01 12:00 UTC",
    )


def test_an_erasure_makes_no_stopped_snapshot_fresh(loaded: Lake, settings: Settings, tmp_path: Path) -> None:
    policy = PrivacyPolicy(erasure_key="e" * 32, erasures=tmp_path / "erasures")
    erase(Lake(loaded.uri, policy), "lingokids", PersonalKind.USER, ["u"], DEADLINE + timedelta(days=9))
    result = judge_freshness(loaded, LINGOKIDS_USERS, DEADLINE, settings)
    assert (result.passed, result.metadata["observed"]) == (False, dg.TextMetadataValue("2024-05-31"))


def test_a_released_snapshot_is_as_old_as_the_load_that_was_held(lake: Lake, settings: Settings) -> None:
    users = Found({LINGOKIDS_USERS: [{"user_id": "u"}]})
    publish(lake, users, None, 1, name="lingokids_users", held={WHOLE_DATASET_DAY: ["rejected_share"]})
    before_deadline = DEADLINE - timedelta(seconds=1)
    assert not judge_freshness(lake, LINGOKIDS_USERS, before_deadline, settings).passed
    released_at = DEADLINE + timedelta(days=9)
    with open_load(lake, "lingokids_users", run_id="release", started_at=released_at) as load:
        release(load, (LINGOKIDS_USERS,), [WHOLE_DATASET_DAY], "looked at")
    assert judge_freshness(lake, LINGOKIDS_USERS, before_deadline, settings).passed
    assert not judge_freshness(lake, LINGOKIDS_USERS, DEADLINE, settings).passed


def test_a_snapshot_must_have_been_loaded_since(loaded: Lake, settings: Settings) -> None:
    result = judge_freshness(loaded, LINGOKIDS_USERS, DEADLINE, settings)
    assert (result.passed, result.metadata["failing_days"]) == (False, dg.JsonMetadataValue([]))
    assert result.description == "the newest snapshot covers 2024-05-31, expected 2024-06-01 by 2024-06-02 12:00 UTC"


def test_a_later_deadline_and_an_error_are_settings(loaded: Lake) -> None:
    late = Settings(
        _env_file=None, landing_uri="x", freshness_hours="12,lingokids=36", check_severities="is_fresh=halt"
    )
    assert judge_freshness(loaded, LINGOKIDS_EVENTS, DEADLINE, late).passed
    missed = judge_freshness(loaded, LINGOKIDS_EVENTS, DEADLINE + timedelta(hours=24), late)
    assert (missed.passed, missed.severity) == (False, dg.AssetCheckSeverity.ERROR)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(("now", "failing"), [(FIRST_LOAD, set()), (DEADLINE, {"raw_lingokids/events"})])
def test_the_check_runs_alone_and_goes_by_the_clock(settings: Settings, now: datetime, failing: set[str]) -> None:
    clients = ApiClients(settings, Clock(lambda: now))
    (checks,) = freshness_checks(settings)
    selection = dg.AssetSelection.checks(dg.AssetCheckKey(EVENTS, "is_fresh"))
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [checks], selection=selection, resources={"settings": settings, "api_clients": clients}, instance=instance
        )
    evaluations = result.get_asset_check_evaluations()
    assert [check.asset_key for check in evaluations] == [EVENTS]
    assert {check.asset_key.to_user_string() for check in evaluations if not check.passed} == failing
    assert result.success

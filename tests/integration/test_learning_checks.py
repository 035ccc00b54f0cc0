"""The dbt tests of the learning area: each passes on sound tables and finds what it is for.

Belongs here: running dbt's own tests, on models and on tables. Not here: what happens between builds
(see `test_learning_incremental.py`).
"""

import shutil
from datetime import date, datetime, time
from pathlib import Path

import duckdb
import pytest
from dbt.contracts.graph.manifest import Manifest

from engagement_assets.contracts.datasets import LINGOKIDS_EVENTS, LINGOKIDS_USERS
from tests.integration.warehouse_builder import WarehouseBuilder

pytestmark = pytest.mark.integration

LEARNING = "+path:models/marts/learning"
DAY = date(2021, 1, 3)
NEXT_DAY = date(2021, 1, 4)
DATA_TESTS = "test_type:data,path:models/marts/learning test_type:data,path:tests/learning"


@pytest.fixture(scope="module")
def three_events(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> WarehouseBuilder:
    """Two users on a Sunday and a Monday, built; one event came on both days."""
    warehouse = WarehouseBuilder(tmp_path_factory.mktemp("three_events"), manifest)
    for day, users in ((DAY, {"a": "ana", "b": "ben"}), (NEXT_DAY, {"a": "ana", "c": "ana"})):
        events = [
            {
                "event_id": event_id,
                "user_id": user_id,
                "activity_id": "song",
                "occurred_at": datetime.combine(day, time(10)),
                "duration_ms": 5_000,
            }
            for event_id, user_id in users.items()
        ]
        warehouse.write_day(LINGOKIDS_EVENTS, day, events)
    warehouse.write_whole(LINGOKIDS_USERS, [{"user_id": "ana"}, {"user_id": "ben"}])
    warehouse.build(DAY, NEXT_DAY, LEARNING)
    return warehouse


def test_the_unit_tests_of_the_models_pass(three_events: WarehouseBuilder) -> None:
    folders = ("staging/lingokids", "intermediate/learning", "marts/learning")
    select = " ".join(f"test_type:unit,path:models/{folder}" for folder in folders)
    assert three_events.failing_tests(select) == {}


@pytest.mark.parametrize(
    ("defects", "found_by"),
    [
        ([], []),
        (
            [
                "insert into fct__activity_exits from fct__activity_exits where event_id = 'a'",
                "update fct__activity_exits set subscription_status = 'gold' where event_id = 'b'",
                "insert into engagement_weekly from engagement_weekly",
                "update engagement_monthly set played_ms = 0",
                "update engagement_yearly set completed_plays = 1",
                "insert into top_activities from top_activities where grain = 'day'",
                "update learning_active_users set active_users = 0 where dimension_name = 'all'",
            ],
            [
                "assert_active_users_fit_their_slices",
                "assert_every_event_is_counted_once",
                "assert_top_activities_hold_all_plays",
                "engagement_daily_adds_up_to_its_events",
                "engagement_monthly_adds_up_to_its_days",
                "engagement_weekly_adds_up_to_its_days",
                "engagement_weekly_holds_a_group_once",
                "engagement_yearly_adds_up_to_its_months",
                "subscription_statuses_are_the_described_ones",
                "top_activities_hold_an_activity_once",
                "unique_fct__activity_exits_event_id",
            ],
        ),
        (
            [
                "delete from fct__activity_exits where event_id = 'a'",
                "update fct__activity_exits set occurred_at = occurred_at + interval 1 day",
                "update fct__activity_exits set subscription_status = 'unknown' where event_id = 'b'",
                "insert into engagement_daily from engagement_daily",
                "insert into engagement_monthly from engagement_monthly",
                "insert into learning_active_users from learning_active_users",
            ],
            [
                "activity_exits_lie_on_the_day_they_occurred",
                "assert_every_event_is_counted_once",
                "assert_few_plays_are_of_unknown_users",
                "engagement_daily_adds_up_to_its_events",
                "engagement_daily_holds_a_group_once",
                "engagement_monthly_holds_a_group_once",
                "engagement_weekly_adds_up_to_its_days",
                "engagement_yearly_adds_up_to_its_months",
                "learning_active_users_hold_a_slice_once",
            ],
        ),
    ],
    ids=["sound", "doubled", "lost"],
)
def test_the_data_tests_tell_which_tables_are_wrong(
    three_events: WarehouseBuilder, tmp_path: Path, manifest: Manifest, defects: list[str], found_by: list[str]
) -> None:
    folder = shutil.copytree(three_events.warehouse_path.parent, tmp_path / "defective")
    warehouse = WarehouseBuilder(folder, manifest)
    with duckdb.connect(str(warehouse.warehouse_path)) as connection:
        connection.execute("set schema = 'learning'")
        for defect in defects:
            connection.execute(defect)
    assert sorted(warehouse.failing_tests(DATA_TESTS)) == found_by


def test_a_lake_that_holds_an_event_twice_is_told(tmp_path: Path, manifest: Manifest) -> None:
    warehouse = WarehouseBuilder(tmp_path / "doubled", manifest)
    event = {"event_id": "a", "user_id": "ana", "activity_id": "song", "occurred_at": datetime.combine(DAY, time(10))}
    warehouse.write_day(LINGOKIDS_EVENTS, DAY, [event, event])
    warehouse.build(DAY, DAY, LEARNING)
    tests = {"lingokids_events_by_day_hold_an_event_once", "unique_fct__activity_exits_event_id"}
    assert set(warehouse.failing_tests(" ".join(tests))) == tests

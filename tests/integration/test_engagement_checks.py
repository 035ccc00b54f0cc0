"""The dbt tests of the engagement area: each passes on sound tables and finds what it is for.

Belongs here: running dbt's own tests, on models and on tables. Not here: what happens between builds
(see `test_engagement_incremental.py`).
"""

import shutil
from datetime import date

import duckdb
import pytest
from dbt.contracts.graph.manifest import Manifest

from tests.integration.engagement_sources import ENGAGEMENT, EngagementLake
from tests.integration.warehouse_builder import WarehouseBuilder

pytestmark = pytest.mark.integration

FIRST, SECOND, FOURTH = date(2020, 12, 30), date(2021, 1, 6), date(2021, 1, 20)
UNIT_TESTS = "test_type:unit,path:models/intermediate/engagement test_type:unit,path:models/marts/engagement"
DATA_TESTS = (
    "test_type:data,path:models/intermediate/engagement test_type:data,path:models/marts/engagement "
    "test_type:data,path:tests/engagement"
)


@pytest.fixture(scope="module")
def four_weeks(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> WarehouseBuilder:
    """Ana runs in three of four weeks, once without a date; Ben learns twice, in the first and second. Built."""
    warehouse = WarehouseBuilder(tmp_path_factory.mktemp("four_weeks"), manifest)
    lake = EngagementLake(warehouse)
    for number, day in enumerate((FIRST, SECOND, FOURTH)):
        undated = [{"id": "undated", "user": "ana", "ms": 1, "on": None}] if day == FIRST else []
        lake.write("runna", day, [{"id": str(number), "user": "ana", "ms": 60_000}, *undated])
    for number, day in enumerate((FIRST, SECOND)):
        lake.write("lingokids", day, [{"id": str(number), "user": "ben", "ms": 60_000}])
    warehouse.build(FIRST, SECOND, ENGAGEMENT)
    return warehouse


def test_the_unit_tests_of_the_models_pass(four_weeks: WarehouseBuilder) -> None:
    assert four_weeks.failing_tests(UNIT_TESTS) == {}


@pytest.mark.parametrize(
    ("defects", "found_by"),
    [
        ([], []),
        (
            [
                "insert into weekly_engagement from weekly_engagement where source = 'runna' limit 1",
                "insert into weekly_retention from weekly_retention where source = 'lingokids' and weeks_since = 2",
                "insert into intermediate.int_engagement_days_observed "
                "from intermediate.int_engagement_days_observed limit 1",
                "insert into intermediate.int_engagement_user_weeks "
                "from intermediate.int_engagement_user_weeks limit 1",
                "insert into intermediate.int_engagement_activity_weeks "
                "from intermediate.int_engagement_activity_weeks limit 1",
            ],
            [
                "days_observed_hold_a_source_and_day_once",
                "runna_activity_weeks_hold_an_activity_and_week_once",
                "user_weeks_hold_a_user_and_week_once",
                "weekly_engagement_holds_a_source_and_week_once",
                "weekly_retention_holds_a_cohort_and_week_once",
            ],
        ),
        (
            ["update weekly_engagement set resurrected_users = 0"],
            ["active_users_are_returning_new_or_resurrected"],
        ),
        (
            ["update weekly_engagement set churned_users = churned_users + 1 where source = 'lingokids'"],
            ["assert_users_of_the_week_before_return_or_churn"],
        ),
        (
            [
                "delete from weekly_engagement where source = 'runna' and active_users = 0",
                "delete from weekly_retention where source = 'runna' and active_users = 0",
            ],
            ["assert_users_of_the_week_before_return_or_churn"],
        ),
        (
            ["update weekly_engagement set engagement_units = engagement_units + 1 where active_users > 0"],
            ["assert_every_unit_is_in_its_week_once"],
        ),
        (
            ["delete from training.fct__activities where activity_date is null"],
            ["assert_every_unit_is_in_its_week_once"],
        ),
        (
            ["update weekly_engagement set is_complete_week = true"],
            ["weekly_engagement_agrees_with_itself"],
        ),
        (
            [
                "update weekly_engagement set is_complete_week = true, days_observed = 7, "
                "newest_input_at = week_start_date + interval '6' day"
            ],
            ["weekly_engagement_agrees_with_itself"],
        ),
        (
            ["update weekly_engagement set engaged_hours = 1"],
            ["weekly_engagement_agrees_with_itself"],
        ),
        (
            ["update weekly_retention set active_users = 1, retention_rate = 1"],
            ["assert_cohorts_add_up_to_the_active_users"],
        ),
        (
            [
                "update weekly_retention set cohort_size = 2, retention_rate = active_users / 2 "
                "where source = 'lingokids'"
            ],
            ["assert_cohorts_add_up_to_the_active_users", "weekly_retention_agrees_with_itself"],
        ),
        (
            [
                "update weekly_engagement set source = 'lingo' where source = 'lingokids'",
                "update weekly_retention set source = 'lingo' where source = 'lingokids'",
            ],
            [
                "assert_every_unit_is_in_its_week_once",
                "weekly_engagement_agrees_with_itself",
                "weekly_engagement_is_of_known_sources",
            ],
        ),
        (
            [
                "insert into intermediate.int_engagement_user_weeks by name select 'mobile' as source",
                "insert into intermediate.int_engagement_user_weeks by name "
                "select date '2021-01-04' as week_start_date",
            ],
            ["not_null_int_engagement_user_weeks_source", "not_null_int_engagement_user_weeks_week_start_date"],
        ),
        (
            ["update weekly_engagement set week_start_date = null where source = 'lingokids' and churned_users = 1"],
            [
                "assert_cohorts_add_up_to_the_active_users",
                "assert_users_of_the_week_before_return_or_churn",
                "not_null_weekly_engagement_week_start_date",
            ],
        ),
    ],
    ids=[
        "sound",
        "doubled",
        "resurrected_forgotten",
        "churned_too_many",
        "week_missing",
        "unit_too_many",
        "undated_wrong",
        "incomplete_called_complete",
        "running_called_complete",
        "hours_wrong",
        "back_too_many",
        "cohort_too_large",
        "source_unknown",
        "nameless",
        "week_nameless",
    ],
)
def test_the_data_tests_tell_which_tables_are_wrong(
    four_weeks: WarehouseBuilder,
    tmp_path_factory: pytest.TempPathFactory,
    manifest: Manifest,
    defects: list[str],
    found_by: list[str],
) -> None:
    folder = shutil.copytree(four_weeks.warehouse_path.parent, tmp_path_factory.mktemp("defective") / "copy")
    warehouse = WarehouseBuilder(folder, manifest)
    with duckdb.connect(str(warehouse.warehouse_path)) as connection:
        connection.execute("set schema = 'engagement'")
        for defect in defects:
            connection.execute(defect)
    assert sorted(warehouse.failing_tests(DATA_TESTS)) == found_by

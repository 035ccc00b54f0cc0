"""Sound tables of the engagement area, defects in them, and the data tests that find each.

Belongs here: what `test_data_tests.py` builds, spoils and expects. Not here: running tests.
"""

from datetime import date

from tests.integration.defects import Area, Defect, tests_in
from tests.integration.engagement_sources import ENGAGEMENT, EngagementLake
from tests.integration.warehouse_builder import WarehouseBuilder

FIRST, SECOND, FOURTH = date(2020, 12, 30), date(2021, 1, 6), date(2021, 1, 20)


def _build(warehouse: WarehouseBuilder) -> None:
    """Ana runs in three of four weeks, once without a date; Ben learns twice, in the first and second. Built."""
    lake = EngagementLake(warehouse)
    for number, day in enumerate((FIRST, SECOND, FOURTH)):
        undated = [{"id": "undated", "user": "ana", "ms": 1, "on": None}] if day == FIRST else []
        lake.write("runna", day, [{"id": str(number), "user": "ana", "ms": 60_000}, *undated])
    for number, day in enumerate((FIRST, SECOND)):
        lake.write("lingokids", day, [{"id": str(number), "user": "ben", "ms": 60_000}])
    warehouse.build(FIRST, SECOND, ENGAGEMENT)


DEFECTS: dict[str, Defect] = {
    "doubled": (
        [
            "insert into weekly_engagement from weekly_engagement where source = 'runna' limit 1",
            "insert into weekly_retention from weekly_retention where source = 'lingokids' and weeks_since = 2",
            "insert into intermediate.int_engagement_days_observed "
            "from intermediate.int_engagement_days_observed limit 1",
            "insert into intermediate.int_engagement_user_weeks from intermediate.int_engagement_user_weeks limit 1",
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
    "resurrected_forgotten": (
        ["update weekly_engagement set resurrected_users = 0"],
        ["active_users_are_returning_new_or_resurrected"],
    ),
    "churned_too_many": (
        ["update weekly_engagement set churned_users = churned_users + 1 where source = 'lingokids'"],
        ["assert_users_of_the_week_before_return_or_churn"],
    ),
    "week_missing": (
        [
            "delete from weekly_engagement where source = 'runna' and active_users = 0",
            "delete from weekly_retention where source = 'runna' and active_users = 0",
        ],
        ["assert_users_of_the_week_before_return_or_churn"],
    ),
    "unit_too_many": (
        ["update weekly_engagement set engagement_units = engagement_units + 1 where active_users > 0"],
        ["assert_every_unit_is_in_its_week_once"],
    ),
    "undated_wrong": (
        ["delete from training.fct__activities where activity_date is null"],
        ["assert_every_unit_is_in_its_week_once"],
    ),
    "incomplete_called_complete": (
        ["update weekly_engagement set is_complete_week = true"],
        ["weekly_engagement_agrees_with_itself"],
    ),
    "running_called_complete": (
        [
            "update weekly_engagement set is_complete_week = true, days_observed = 7, "
            "newest_input_at = week_start_date + interval '6' day"
        ],
        ["weekly_engagement_agrees_with_itself"],
    ),
    "hours_wrong": (
        ["update weekly_engagement set engaged_hours = 1"],
        ["weekly_engagement_agrees_with_itself"],
    ),
    "back_too_many": (
        ["update weekly_retention set active_users = 1, retention_rate = 1"],
        ["assert_cohorts_add_up_to_the_active_users"],
    ),
    "cohort_too_large": (
        ["update weekly_retention set cohort_size = 2, retention_rate = active_users / 2 where source = 'lingokids'"],
        ["assert_cohorts_add_up_to_the_active_users", "weekly_retention_agrees_with_itself"],
    ),
    "source_unknown": (
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
    "nameless": (
        [
            "insert into intermediate.int_engagement_user_weeks by name select 'mobile' as source",
            "insert into intermediate.int_engagement_user_weeks by name select date '2021-01-04' as week_start_date",
        ],
        ["not_null_int_engagement_user_weeks_source", "not_null_int_engagement_user_weeks_week_start_date"],
    ),
    "week_nameless": (
        ["update weekly_engagement set week_start_date = null where source = 'lingokids' and churned_users = 1"],
        [
            "assert_cohorts_add_up_to_the_active_users",
            "assert_users_of_the_week_before_return_or_churn",
            "not_null_weekly_engagement_week_start_date",
        ],
    ),
}

ENGAGEMENT_TABLES = Area(
    schema="engagement",
    build=_build,
    unit_tests=tests_in("unit", "models/intermediate/engagement", "models/marts/engagement"),
    data_tests=tests_in("data", "models/intermediate/engagement", "models/marts/engagement", "tests/engagement"),
    defects=DEFECTS,
)

"""Sound tables of the product area, defects in them, and the data tests that find each.

Belongs here: what `test_data_tests.py` builds, spoils and expects. Not here: running tests.
"""

from datetime import date, datetime, time

from engagement_assets.extract.user_events.source import USER_EVENTS
from tests.integration.defects import Area, Defect, tests_in
from tests.integration.warehouse_builder import WarehouseBuilder

PRODUCT = "+path:models/marts/product"
SUNDAY = date(2021, 1, 3)
MONDAY = date(2021, 1, 4)


def _build(warehouse: WarehouseBuilder) -> None:
    """Ana and Ben on a Sunday and a Monday, built; one of Ana's events is listed under both days."""
    for day, users in ((SUNDAY, {"a": "ana", "b": "ben"}), (MONDAY, {"a": "ana", "c": "ana", "d": "ana"})):
        events = [
            {
                "event_id": event_id,
                "user_id": user_id,
                "event_time": datetime.combine(SUNDAY, time(10)),
                "server_upload_time": datetime.combine(day, time(11)),
                "user_corporate_id": "acme",
                "user_corporate_status": "active",
                "is_user_corporate_demo": user_id == "ben",
            }
            for event_id, user_id in users.items()
        ]
        warehouse.write_day(USER_EVENTS, day, events)
    warehouse.build(SUNDAY, MONDAY, PRODUCT)


DEFECTS: dict[str, Defect] = {
    "doubled": (
        [
            "insert into fct__user_events from fct__user_events where event_id = 'a'",
            "update fct__user_events set user_id = null where event_id = 'b'",
            "insert into weekly_active_users from weekly_active_users",
            "insert into weekly_active_corporations from weekly_active_corporations",
            "insert into weekly_user_event_summary from weekly_user_event_summary where user_id = 'ben'",
            "insert into intermediate.int_user_events_days_changed from intermediate.int_user_events_days_changed",
            "insert into intermediate.int_user_events_days_linked from intermediate.int_user_events_days_linked",
            "insert into intermediate.int_user_events_by_day from intermediate.int_user_events_by_day",
        ],
        [
            "assert_every_accepted_event_is_in_the_fact_once",
            "not_null_fct__user_events_user_id",
            "unique_fct__user_events_event_id",
            "unique_int_user_events_days_changed_event_date",
            "unique_weekly_active_corporations_week_start_date",
            "unique_weekly_active_users_week_start_date",
            "user_events_by_day_hold_an_event_once",
            "user_events_days_linked_hold_a_pair_once",
            "weekly_active_corporations_are_those_with_an_active_event",
            "weekly_active_users_are_those_with_an_event",
            "weekly_user_event_summary_adds_up_to_its_events",
            "weekly_user_event_summary_holds_a_user_and_corporation_once",
        ],
    ),
    "lost": (
        ["delete from fct__user_events where event_id = 'c'"],
        [
            "assert_every_accepted_event_is_in_the_fact_once",
            "weekly_user_event_summary_adds_up_to_its_events",
        ],
    ),
    "older_version": (
        [
            f"update fct__user_events set event_date = date '{SUNDAY}' where event_id = 'a'",
            "update weekly_user_event_summary set event_count = 2 where user_id = 'ben'",
            "update weekly_user_event_summary set event_count = 1 where event_count = 3",
        ],
        [
            "assert_an_event_counts_as_its_newest_upload_has_it",
            "weekly_active_users_are_those_with_an_event",
            "weekly_user_event_summary_adds_up_to_its_events",
            "weekly_user_event_summary_agrees_with_its_parts",
        ],
    ),
    "nameless": (
        [
            "update intermediate.int_user_events_by_day set event_id = null where event_id = 'b'",
            "update fct__user_events set event_id = null, event_date = null where event_id = 'b'",
            "update weekly_user_event_summary set user_id = null where user_id = 'ben'",
        ],
        [
            "assert_every_accepted_event_is_in_the_fact_once",
            "not_null_fct__user_events_event_date",
            "not_null_fct__user_events_event_id",
            "not_null_int_user_events_by_day_event_id",
            "not_null_weekly_user_event_summary_user_id",
            "weekly_active_corporations_are_those_with_an_active_event",
            "weekly_active_users_are_those_with_an_event",
            "weekly_user_event_summary_adds_up_to_its_events",
        ],
    ),
    "week_lost": (
        [f"delete from weekly_active_corporations where week_start_date = date '{MONDAY}'"],
        ["weekly_active_corporations_are_those_with_an_active_event"],
    ),
    "demo_not_counted": (
        ["update weekly_active_users set active_demo_users = 0"],
        ["weekly_active_users_are_those_with_an_event"],
    ),
    "average_wrong": (
        ["update weekly_user_event_summary set average_daily_events = 2 where user_id = 'ben'"],
        ["weekly_user_event_summary_agrees_with_its_parts"],
    ),
}

PRODUCT_TABLES = Area(
    schema="product",
    build=_build,
    unit_tests=tests_in("unit", "models/staging/user_events", "models/intermediate/product", "models/marts/product"),
    data_tests=tests_in("data", "models/intermediate/product", "models/marts/product", "tests/product"),
    defects=DEFECTS,
)

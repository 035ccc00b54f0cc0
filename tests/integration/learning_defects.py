"""Sound tables of the learning area, defects in them, and the data tests that find each.

Belongs here: what `test_data_tests.py` builds, spoils and expects. Not here: running tests.
"""

from datetime import date, datetime, time

from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS, LINGOKIDS_USERS
from tests.integration.defects import Area, Defect, tests_in
from tests.integration.warehouse_builder import WarehouseBuilder

LEARNING = "+path:models/marts/learning"
DAY = date(2021, 1, 3)
NEXT_DAY = date(2021, 1, 4)
HOLD_ALL_PLAYS = "assert_top_activities_hold_all_plays"


def _build(warehouse: WarehouseBuilder) -> None:
    """Two users on a Sunday and a Monday, built; one event came on both days."""
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


DEFECTS: dict[str, Defect] = {
    "doubled": (
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
            HOLD_ALL_PLAYS,
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
    "lost": (
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
            HOLD_ALL_PLAYS,
            "engagement_daily_adds_up_to_its_events",
            "engagement_daily_holds_a_group_once",
            "engagement_monthly_holds_a_group_once",
            "engagement_weekly_adds_up_to_its_days",
            "engagement_yearly_adds_up_to_its_months",
            "learning_active_users_hold_a_slice_once",
        ],
    ),
    "weeks_not_ranked": (["delete from top_activities where grain = 'week'"], [HOLD_ALL_PLAYS]),
    # One week has one play, the other two.
    "plays_of_another_week": (["update top_activities set plays = 3 - plays where grain = 'week'"], [HOLD_ALL_PLAYS]),
    "plays_of_another_activity": (
        ["update top_activities set activity_id = 'game' where grain = 'month'"],
        [HOLD_ALL_PLAYS],
    ),
    "another_time_than_played": (["update top_activities set played_ms = 1 where grain = 'day'"], [HOLD_ALL_PLAYS]),
}

LEARNING_TABLES = Area(
    schema="learning",
    build=_build,
    unit_tests=tests_in("unit", "models/staging/lingokids", "models/intermediate/learning", "models/marts/learning"),
    data_tests=tests_in("data", "models/marts/learning", "tests/learning"),
    defects=DEFECTS,
)

"""Sound tables of the mobility area, defects in them, and the data tests that find each.

Belongs here: what `test_data_tests.py` builds, spoils and expects. Not here: running tests.
"""

from datetime import date, datetime, timedelta

from engagement_assets.extract.mobile import MOBILE_EVENTS
from tests.integration.defects import Area, Defect, tests_in
from tests.integration.warehouse_builder import WarehouseBuilder

MOBILITY = "+path:models/marts/mobility"
SUNDAY = date(2021, 1, 3)
MONDAY = date(2021, 1, 4)
# Ana opens the app and rides over midnight; later she looks for a scooter. Ben looks around.
EVENTS = (
    ("a", "ana", datetime(2021, 1, 3, 23, 50), "Application Opened"),
    ("b", "ana", datetime(2021, 1, 3, 23, 55), "Ride Started - Successful"),
    ("c", "ana", datetime(2021, 1, 4, 0, 5), "Ride Done - Successful"),
    ("d", "ana", datetime(2021, 1, 4, 8, 0), "Scooter Selected - User"),
    ("e", "ben", datetime(2021, 1, 4, 9, 0), "Application Opened"),
)


def write_events(warehouse: WarehouseBuilder, *left_out: str) -> None:
    for day in (SUNDAY, MONDAY):
        rows = [
            {"event_id": event_id, "anonymous_id": user, "device_id": "phone", "created_at": at, "event_name": name}
            for event_id, user, at, name in EVENTS
            if at.date() == day and event_id not in left_out
        ]
        warehouse.write_day(MOBILE_EVENTS, day, rows)


def _build(warehouse: WarehouseBuilder) -> None:
    """Four sessions of two users; the first event of one came in a second build."""
    for left_out in ("a", ""):
        write_events(warehouse, left_out)
        warehouse.build(SUNDAY, MONDAY + timedelta(days=1), MOBILITY)


FACT, WEEKLY = "fct__mobile_sessions", "weekly_booking_conversion"
DAYS_CHANGED, SESSIONIZED = "intermediate.int_mobile_days_changed", "intermediate.int_mobile_events_sessionized"
IN_EXACTLY_ONE = "assert_every_mobile_event_is_in_exactly_one_session"
NO_OVERLAP = "assert_mobile_sessions_do_not_overlap"
HOLD_EVERY_EVENT = "assert_mobile_sessions_hold_every_event"
PAUSES = "assert_mobile_events_pause_between_sessions_only"
AGREE = "mobile_sessions_agree_with_themselves"
WEEKLY_ADDS_UP = "weekly_booking_conversion_adds_up_to_its_sessions"
WEEKLY_AGREES = "weekly_booking_conversion_agrees_with_its_parts"
WEEKLY_ONCE = "weekly_booking_conversion_holds_a_zone_and_os_once"
OF_BEN = "where anonymous_id = 'ben'"


DEFECTS: dict[str, Defect] = {
    "doubled": (
        [f"insert into {table} from {table}" for table in (WEEKLY, DAYS_CHANGED, SESSIONIZED)],
        [
            IN_EXACTLY_ONE,
            HOLD_EVERY_EVENT,
            PAUSES,
            "mobile_events_sessionized_hold_an_event_once",
            "mobile_session_to_events_holds_an_event_once",
            "unique_int_mobile_days_changed_event_date",
            WEEKLY_ADDS_UP,
            WEEKLY_ONCE,
        ],
    ),
    "session_doubled": (
        [
            f"insert into {SESSIONIZED} from {SESSIONIZED} where event_id = 'a'",
            f"insert into {FACT} from {FACT} {OF_BEN}",
        ],
        [
            IN_EXACTLY_ONE,
            NO_OVERLAP,
            HOLD_EVERY_EVENT,
            PAUSES,
            "mobile_events_sessionized_hold_an_event_once",
            "mobile_session_to_events_holds_an_event_once",
            "unique_fct__mobile_sessions_session_id",
            WEEKLY_ADDS_UP,
        ],
    ),
    "event_lost": (
        [f"delete from {SESSIONIZED} where event_id = 'b'"],
        [IN_EXACTLY_ONE, HOLD_EVERY_EVENT, PAUSES],
    ),
    "session_lost": (
        [f"delete from {FACT} {OF_BEN}"],
        [IN_EXACTLY_ONE, HOLD_EVERY_EVENT, WEEKLY_ADDS_UP],
    ),
    "session_left_behind": (
        # The session over midnight was built last; an old one holds its last event, too.
        [
            f"insert into {SESSIONIZED} select * replace ('old' as session_id, date '{SUNDAY - timedelta(days=2)}' as"
            f" session_date, 1 as position, 1 as change_number) from {SESSIONIZED} where event_id = 'c'",
        ],
        [IN_EXACTLY_ONE, "mobile_session_to_events_holds_an_event_once"],
    ),
    "miscounted": (
        [f"update {FACT} set event_count = event_count + 1 {OF_BEN}"],
        [HOLD_EVERY_EVENT],
    ),
    "cut": (
        # A session that was cut at midnight.
        [
            f"update {SESSIONIZED} set session_id = 'cut', session_date = date '{MONDAY}', position = 1"
            " where event_id = 'c'",
            f"insert into {FACT} select * replace ('cut' as session_id, 1 as event_count,"
            " 1 as distinct_event_count,"
            f" timestamp '{MONDAY} 00:05' as started_at, date '{MONDAY}' as session_date, 0 as duration_ms,"
            f" null as open_to_ride_ms, null as ride_ms) from {FACT} where event_count = 3",
            f"update {FACT} set event_count = 2, ended_at = timestamp '{SUNDAY} 23:55', distinct_event_count = 2"
            " where event_count = 3",
            f"insert into {WEEKLY} select * replace (1 as sessions, 0 as searching_sessions,"
            " 1 as booked_sessions, 0 as searching_booked_sessions, 1 as booking_rate,"
            f" null as searching_booking_rate, 'z' as zone) from {WEEKLY}"
            f" where week_start_date = date '{MONDAY}'",
        ],
        [NO_OVERLAP, PAUSES],
    ),
    "not_cut": (
        # Two sessions that were taken for one.
        [
            f"update {SESSIONIZED} set position = 4, session_date = date '{SUNDAY}',"
            f" session_id = (select session_id from {SESSIONIZED} where event_id = 'a') where event_id = 'd'",
            f"delete from {FACT} where is_searching",
            f"update {FACT} set event_count = 4, ended_at = timestamp '{MONDAY} 08:00' where event_count = 3",
            f"update {WEEKLY} set sessions = 1, searching_sessions = 0, searching_booking_rate = null"
            f" where week_start_date = date '{MONDAY}'",
        ],
        [PAUSES],
    ),
    "overlap": (
        [f"update {FACT} set ended_at = timestamp '{MONDAY} 07:46' where event_count = 3"],
        [NO_OVERLAP],
    ),
    "contradiction": (
        [f"update {FACT} set outcome = 'browsed' where is_booked"],
        [AGREE],
    ),
    "rate_wrong": (
        [f"update {WEEKLY} set searching_sessions = 2", f"update {WEEKLY} set booking_rate = 0.5"],
        [WEEKLY_ADDS_UP, WEEKLY_AGREES],
    ),
    "week_lost": (
        [f"delete from {WEEKLY} where week_start_date = date '{MONDAY}'"],
        [WEEKLY_ADDS_UP],
    ),
    "nameless": (
        [
            f"update {SESSIONIZED} set anonymous_id = null where event_id = 'e'",
            f"update {SESSIONIZED} set event_date = date '{SUNDAY}' where event_id = 'd'",
            f"insert into {DAYS_CHANGED} values (null, 1, 1)",
            f"insert into {SESSIONIZED} (event_id, position) values ('f', 1)",
            f"insert into {SESSIONIZED} (session_id, position) values ('s', 1)",
            f"insert into {WEEKLY} (sessions) values (0)",
            f"insert into {FACT} (event_count) values (0)",
        ],
        [
            IN_EXACTLY_ONE,
            HOLD_EVERY_EVENT,
            "mobile_events_lie_on_the_day_on_which_they_happened",
            AGREE,
            "not_null_bdg__mobile_session_to_events_event_id",
            "not_null_fct__mobile_sessions_session_id",
            "not_null_int_mobile_days_changed_event_date",
            "not_null_int_mobile_events_sessionized_anonymous_id",
            "not_null_int_mobile_events_sessionized_session_id",
            "not_null_weekly_booking_conversion_week_start_date",
            WEEKLY_ADDS_UP,
            WEEKLY_AGREES,
        ],
    ),
}

MOBILITY_TABLES = Area(
    schema="mobility",
    build=_build,
    unit_tests=tests_in("unit", "models/staging/mobile", "models/intermediate/mobility", "models/marts/mobility"),
    data_tests=tests_in("data", "models/intermediate/mobility", "models/marts/mobility", "tests/mobility"),
    defects=DEFECTS,
)

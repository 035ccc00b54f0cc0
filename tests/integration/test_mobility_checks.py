"""The dbt tests of the mobility area: each passes on sound tables and finds what it is for.

Belongs here: running dbt's own tests, on models and on tables. Not here: what happens between builds
(see `test_mobility_incremental.py`).
"""

import shutil
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from dbt.contracts.graph.manifest import Manifest

from engagement_assets.extract.mobile import MOBILE_EVENTS
from tests.integration.warehouse_builder import WarehouseBuilder

pytestmark = pytest.mark.integration

MOBILITY = "+path:models/marts/mobility"
SUNDAY = date(2021, 1, 3)
MONDAY = date(2021, 1, 4)
FOLDERS = ("staging/mobile", "intermediate/mobility", "marts/mobility")
UNIT_TESTS = " ".join(f"test_type:unit,path:models/{folder}" for folder in FOLDERS)
DATA_TESTS = " ".join(
    f"test_type:data,path:{folder}"
    for folder in ("models/intermediate/mobility", "models/marts/mobility", "tests/mobility")
)
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


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> WarehouseBuilder:
    """Four sessions of two users; the first event of one came in a second build."""
    warehouse = WarehouseBuilder(tmp_path_factory.mktemp("two_days"), manifest)
    for left_out in ("a", ""):
        write_events(warehouse, left_out)
        warehouse.build(SUNDAY, MONDAY + timedelta(days=1), MOBILITY)
    return warehouse


def test_the_unit_tests_of_the_models_pass(two_days: WarehouseBuilder) -> None:
    assert two_days.failing_tests(UNIT_TESTS) == {}


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


@pytest.mark.parametrize(
    ("defects", "found_by"),
    [
        ([], []),
        (
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
        (
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
        (
            [f"delete from {SESSIONIZED} where event_id = 'b'"],
            [IN_EXACTLY_ONE, HOLD_EVERY_EVENT, PAUSES],
        ),
        (
            [f"delete from {FACT} {OF_BEN}"],
            [IN_EXACTLY_ONE, HOLD_EVERY_EVENT, WEEKLY_ADDS_UP],
        ),
        (
            [f"update {FACT} set event_count = event_count + 1 {OF_BEN}"],
            [HOLD_EVERY_EVENT],
        ),
        (
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
        (
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
        (
            [f"update {FACT} set ended_at = timestamp '{MONDAY} 07:46' where event_count = 3"],
            [NO_OVERLAP],
        ),
        (
            [f"update {FACT} set outcome = 'browsed' where is_booked"],
            [AGREE],
        ),
        (
            [f"update {WEEKLY} set searching_sessions = 2", f"update {WEEKLY} set booking_rate = 0.5"],
            [WEEKLY_ADDS_UP, WEEKLY_AGREES],
        ),
        (
            [f"delete from {WEEKLY} where week_start_date = date '{MONDAY}'"],
            [WEEKLY_ADDS_UP],
        ),
        (
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
    ],
    ids=[
        *(
            "sound",
            "doubled",
            "session_doubled",
            "event_lost",
            "session_lost",
            "miscounted",
            "cut",
            "not_cut",
            "overlap",
        ),
        *("contradiction", "rate_wrong", "week_lost", "nameless"),
    ],
)
def test_the_data_tests_tell_which_tables_are_wrong(
    two_days: WarehouseBuilder, tmp_path: Path, manifest: Manifest, defects: list[str], found_by: list[str]
) -> None:
    folder = shutil.copytree(two_days.warehouse_path.parent, tmp_path / "defective")
    warehouse = WarehouseBuilder(folder, manifest)
    with duckdb.connect(str(warehouse.warehouse_path)) as connection:
        connection.execute("set schema = 'mobility'")
        for defect in defects:
            connection.execute(defect)
    assert sorted(warehouse.failing_tests(DATA_TESTS)) == sorted(found_by)

"""Mobility: each step of the booking funnel and what it is a share of, and sessions by the time of day."""

from collections.abc import Iterator
from datetime import datetime

import duckdb
import pytest

from engagement_assets.report.sections.mobility import mobility, sessions_by_hour
from engagement_assets.report.suppression import Suppression
from tests.unit.report.section_rows import LOADS, create, rows_of

SESSIONS = (
    "anonymous_id varchar, session_date date, started_at timestamp, zone varchar, os_name varchar, "
    "is_searching boolean, is_booked boolean, open_to_ride_ms bigint, last_event_name varchar, outcome varchar"
)
# Sessions by whether they look and whether they book: 10 look and 2 of them book; 4 do not, and 3 of them book.
COUNTS = {(True, True): 2, (True, False): 8, (False, True): 3, (False, False): 1}


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Fourteen sessions of fourteen users: those that book begin on a Monday at 23:59, the others on a Tuesday."""
    users = iter("abcdefghijklmn")
    with duckdb.connect() as opened:
        opened.execute(LOADS)
        create(opened, "mobility.fct__mobile_sessions", SESSIONS)
        for (looks, books), count in COUNTS.items():
            start = datetime(2024, 1, 1, 23, 59) if books else datetime(2024, 1, 2)
            row = (start.date(), start, "Sur", "iOS", looks, books, None, "Ride Done", "booked")
            opened.executemany(
                f"insert into mobility.fct__mobile_sessions values ({', '.join('?' * 10)})",
                [(next(users), *row) for _ in range(count)],
            )
        yield opened


def test_a_step_of_its_own_explains_why_more_book_of_all_than_of_those_who_looked(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    fields = ["step_name", "count", "base_name", "base", "left_here", "share_of_base", "share"]
    found = rows_of(mobility(connection, None), "funnel", fields)
    assert [(*row[:5], f"{float(row[5]):.3f}", f"{float(row[6]):.3f}") for row in found] == [
        ("1 all sessions", "14", "", "14", "0", "1.000", "1.000"),
        ("2 looked for a scooter", "10", "all sessions", "14", "4", "0.714", "0.714"),
        ("3 looked, booked", "2", "those who looked", "10", "8", "0.200", "0.143"),
        ("4 did not look, booked", "3", "those who did not", "4", "1", "0.750", "0.214"),
        ("5 booked, in all", "5", "all sessions", "14", "9", "0.357", "0.357"),
    ]
    rates = rows_of(mobility(connection, None), "conversion_rates", ["rate_name", "value"])
    assert [(name, f"{float(rate):.3f}") for name, rate in rates] == [
        ("of all sessions", "0.357"),
        ("of those who looked", "0.200"),
        ("of those who did not look", "0.750"),
    ]


def test_where_everybody_looks_the_step_has_no_share(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("delete from mobility.fct__mobile_sessions where not is_searching")
    found = rows_of(mobility(connection, None), "funnel", ["step", "count", "base", "share_of_base"])
    assert found[3] == ("booked_without_looking", "0", "0", "null")
    rates = rows_of(mobility(connection, None), "conversion_rates", ["rate"])
    assert rates == [("booking_rate",), ("searching_booking_rate",)]


def test_sessions_count_at_the_hour_of_their_start_in_utc(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("set TimeZone = 'Europe/Madrid'")
    columns = ["zone", "os_name", "weekday", "hour", "sessions", "booked_sessions"]
    assert list(sessions_by_hour(connection)[columns].itertuples(index=False, name=None)) == [
        ("Sur", "iOS", "Monday", 23, 5, 5),
        ("Sur", "iOS", "Tuesday", 0, 9, 0),
    ]
    section = mobility(connection, None)
    fields = ["hour", "outcome_name", "count"]
    assert sorted(rows_of(section, "hour_outcomes", fields)) == [
        ("0", "booked", "0"),
        ("0", "not booked", "9"),
        ("23", "booked", "5"),
        ("23", "not booked", "0"),
    ]
    assert rows_of(section, "hour_outcomes", fields, zone="Norte") == []


@pytest.mark.parametrize(("min_users", "hours"), [(5, {0, 23}), (6, set())])
def test_publish_mode_hides_an_hour_of_few(
    connection: duckdb.DuckDBPyConnection, min_users: int, hours: set[int]
) -> None:
    # With six users at least, the hour of five is too small, and the other one would reveal it.
    section = mobility(connection, Suppression(min_users))
    assert set(section.tables["hours"]["hour"]) == hours
    # Only one user neither looks nor books, whom the difference of the week's numbers would reveal.
    assert section.tables["weekly"].empty


def ride(connection: duckdb.DuckDBPyConnection, user: str, day: str, minutes: int) -> None:
    """One booked session, in which a ride starts so many minutes after the app was opened."""
    connection.execute(
        "insert into mobility.fct__mobile_sessions values ($user, $day::date, $day::date, 'Sur', 'iOS', true, true, "
        "60000 * $minutes, 'Ride Done', 'booked')",
        {"user": user, "day": day, "minutes": minutes},
    )


def test_the_mean_time_to_ride_comes_with_its_weeks(connection: duckdb.DuckDBPyConnection) -> None:
    # A week with 2 and 4 minutes, and one with 9; the mean is that of the sessions, not of the weeks.
    for user, day, minutes in (("o", "2024-01-03", 2), ("p", "2024-01-04", 4), ("q", "2024-01-08", 9)):
        ride(connection, user, day, minutes)
    section = mobility(connection, None)
    assert rows_of(section, "mean_time_to_ride", ["mean_minutes", "sessions"]) == [("5", "3")]
    fields = ["part", "value", "low", "high", "periods"]
    assert rows_of(section, "ride_trends", fields) == [
        ("mean_minutes", "9", "3", "9", "2"),
        ("sessions", "1", "1", "2", "2"),
    ]
    assert rows_of(section, "mean_time_to_ride", ["sessions"], zone="Norte") == []
    figure = next(each for each in section.figures if each.name == "mean_time_to_ride")
    assert section.is_limited(figure)


@pytest.mark.parametrize(("timed", "shown"), [(5, True), (4, False)])
def test_publish_mode_hides_the_times_of_a_week_of_few(
    connection: duckdb.DuckDBPyConnection, timed: int, shown: bool
) -> None:
    for number in range(timed):
        ride(connection, f"rider {number}", "2024-01-03", 2)
    # Fourteen sessions have no time, and five of them are booked.
    section = mobility(connection, Suppression(5))
    assert list(section.tables["rides"]["sessions"]) == ([timed] if shown else [])
    assert list(section.tables["rides"].columns) == ["week", "sessions", "open_to_ride_ms"]


def test_publish_mode_hides_the_times_of_a_week_in_which_few_bookings_have_none(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute("delete from mobility.fct__mobile_sessions where anonymous_id = 'a'")
    for number in range(9):
        ride(connection, f"rider {number}", "2024-01-03", 2)
    # Four bookings without a time are what is left of the week's bookings, which are known.
    assert mobility(connection, Suppression(5)).tables["rides"].empty

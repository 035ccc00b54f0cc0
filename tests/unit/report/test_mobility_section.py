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

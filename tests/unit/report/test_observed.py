"""Which periods are shown as complete."""

from datetime import date, datetime, time, timedelta

import duckdb
import pytest

from engagement_assets.report.sections.observed import observed

MONDAY = date(2024, 1, 1)
LOADS = (
    "create schema audit; create table audit.ingestion_loads "
    "(source varchar, dataset varchar, status varchar, partition_date date, loaded_at timestamp)"
)


@pytest.mark.parametrize(
    ("sunday_loaded_at", "is_complete"),
    [(datetime(2024, 1, 7, 23, 59, 59), False), (datetime(2024, 1, 8), True)],
    ids=["before it had ended", "after it had ended"],
)
def test_a_week_is_complete_when_its_days_were_loaded_after_they_had_ended(
    sunday_loaded_at: datetime, *, is_complete: bool
) -> None:
    with duckdb.connect() as connection:
        connection.execute(LOADS)
        for number in range(7):
            day = MONDAY + timedelta(days=number)
            loaded_at = sunday_loaded_at if number == 6 else datetime.combine(day, time(6)) + timedelta(days=1)
            connection.execute(
                "insert into audit.ingestion_loads values ('mobile', 'events', 'published', ?, ?)", [day, loaded_at]
            )
        found = observed(connection, "week", "mobile")
    assert found.to_dict("records") == [{"week": "2024-01-01", "is_complete": is_complete}]

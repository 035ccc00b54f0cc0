"""Product: events by type, and how long users of a corporation stay."""

from collections.abc import Iterator

import duckdb
import pytest

from engagement_assets.report.sections.product import corporate_retention, event_types, product
from engagement_assets.report.suppression import Suppression
from tests.unit.report.section_rows import LOADS, create, observe, rows_of

WEEKS = ("2024-01-01", "2024-01-08", "2024-01-15")
SUMMARY = (
    "week_start_date date, user_id varchar, user_corporate_id varchar, average_daily_events double, event_count int"
)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Three weeks, of which the third is incomplete; Ann comes each week, Bob at first, and Cat from the second on."""
    with duckdb.connect() as opened:
        opened.execute(LOADS)
        observe(opened, "user_events", WEEKS[0], 15)
        active = {"ann": WEEKS, "bob": WEEKS[:1], "cat": WEEKS[1:]}
        create(
            opened,
            "product.weekly_user_event_summary",
            SUMMARY,
            *((week, user, "acme", 1.0, 1) for user, weeks in active.items() for week in weeks),
            (WEEKS[0], "dan", "small", 1.0, 1),
            (WEEKS[0], "eve", None, 1.0, 1),
        )
        create(
            opened,
            "product.fct__user_events",
            "event_date date, event_type varchar, user_id varchar",
            *(("2024-01-07", f"type {number}", "ann") for number in range(5) for _ in range(2)),
            ("2024-01-07", "rare", "ann"),
            ("2024-01-07", "rarer", "bob"),
            ("2024-01-08", "type 0", "ann"),
            ("2024-01-08", "type 0", "cat"),
        )
        create(opened, "product.weekly_active_users", "week_start_date date, active_users int, active_demo_users int")
        create(
            opened,
            "product.weekly_active_corporations",
            "week_start_date date, active_corporations int, active_demo_corporations int",
        )
        yield opened


def test_less_frequent_types_are_one(connection: duckdb.DuckDBPyConnection) -> None:
    assert list(event_types(connection).itertuples(index=False, name=None)) == [
        *((WEEKS[0], f"type {number}", number + 1, 2, 1) for number in range(5)),
        (WEEKS[0], "other types", 6, 2, 2),
        (WEEKS[1], "type 0", 1, 2, 2),
    ]


def test_retention_counts_the_users_whose_week_is_complete(connection: duckdb.DuckDBPyConnection) -> None:
    found = corporate_retention(connection, list(WEEKS[:2]))
    columns = ["corporation", "corporation_users", "weeks_since", "users", "active_users"]
    assert list(found[columns].itertuples(index=False, name=None)) == [
        (1, 3, 0, 3, 3),
        (1, 3, 1, 2, 1),
        (2, 1, 0, 1, 1),
        (2, 1, 1, 1, 0),
    ]
    shown = rows_of(product(connection, None), "corporate_retention", ["corporation", "weeks_since", "retention_rate"])
    assert shown == [("1", "0", "1"), ("1", "1", "0.5"), ("2", "0", "1"), ("2", "1", "0")]


def test_no_complete_week_is_no_retention(connection: duckdb.DuckDBPyConnection) -> None:
    assert corporate_retention(connection, []).empty


def test_publish_mode_hides_types_of_few_and_every_corporation(connection: duckdb.DuckDBPyConnection) -> None:
    section = product(connection, Suppression(2))
    # In the first week the one cell about two users covers those about one.
    assert list(section.tables["types"].itertuples(index=False, name=None)) == [(WEEKS[1], "type 0", 1, 2, 2)]
    assert "retention" not in section.tables
    assert "corporate_retention" not in {figure.name for figure in section.figures}

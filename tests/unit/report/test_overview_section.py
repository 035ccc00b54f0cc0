"""The numbers in large print: the newest complete week that somebody was active in."""

import duckdb
import pytest

from engagement_assets.report.sections.overview import overview
from engagement_assets.report.suppression import Suppression
from tests.unit.report.section_rows import create, rows_of

WEEKLY = (
    "source varchar, week_start_date date, active_users int, new_users int, returning_users int, "
    "resurrected_users int, churned_users int, engagement_units int, engaged_ms bigint, days_observed int, "
    "is_complete_week boolean"
)
RETENTION = (
    "source varchar, cohort_week_start_date date, weeks_since int, week_start_date date, cohort_size int, "
    "active_users int, is_complete_week boolean"
)


@pytest.mark.parametrize(
    ("third_week", "newest"),
    [
        ((0, True), ("mobile", "8")),  # empty days were loaded
        ((3, False), ("mobile", "8")),
        ((3, True), ("mobile", "3")),
    ],
)
def test_weeks_without_anybody_are_not_the_newest(third_week: tuple[int, bool], newest: tuple[str, str]) -> None:
    weeks = [("2024-01-01", 9, True), ("2024-01-08", 8, True), ("2024-01-15", *third_week), ("2024-01-22", 0, True)]
    with duckdb.connect() as connection:
        create(
            connection,
            "engagement.weekly_engagement",
            WEEKLY,
            *(("mobile", week, users, 0, users, 0, 0, users, None, 7, complete) for week, users, complete in weeks),
        )
        create(connection, "engagement.weekly_retention", RETENTION)
        section = overview(connection, None, {})
    assert rows_of(section, "newest_weeks", ("source", "value")) == [newest]


def test_a_source_that_nobody_has_used_shows_zero() -> None:
    with duckdb.connect() as connection:
        row = ("mobile", "2024-01-01", 0, 0, 0, 0, 0, 0, None, 7, True)
        create(connection, "engagement.weekly_engagement", WEEKLY, row)
        create(connection, "engagement.weekly_retention", RETENTION)
        section = overview(connection, None, {})
    assert rows_of(section, "newest_weeks", ("source", "value")) == [("mobile", "0")]


@pytest.mark.parametrize(("largest", "shown"), [(1, 0), (5, 2)])
def test_publish_mode_does_not_say_in_which_weeks_a_single_user_was_active(largest: int, shown: int) -> None:
    weeks = [("2024-01-01", largest), ("2024-01-08", 0), ("2024-01-15", 1)]
    with duckdb.connect() as connection:
        create(
            connection,
            "engagement.weekly_engagement",
            WEEKLY,
            *(("strava", week, users, 0, users, 0, 0, users, None, 7, True) for week, users in weeks),
        )
        cohort = [("strava", "2024-01-01", number, week, largest, users) for number, (week, users) in enumerate(weeks)]
        create(connection, "engagement.weekly_retention", RETENTION, *((*row, True) for row in cohort))
        section = overview(connection, Suppression(5), {})
    assert len(section.tables["weekly"]) == shown
    # Of the cohort of five, the week without anybody is about nobody, and the one with one user is small.
    assert len(section.tables["retention"]) == shown

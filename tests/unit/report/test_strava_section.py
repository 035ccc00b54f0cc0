"""Strava: pace and climb of the week's runs, and kudos by the age at which they were read."""

from collections.abc import Iterator
from datetime import date, timedelta

import duckdb
import pytest

from engagement_assets.report.sections.strava import kudos_by_age, weekly_runs
from tests.unit.report.section_rows import create

RUN = "activity_id int, activity_date date, workout_type_name varchar, is_run boolean, is_deleted boolean, "
MONDAY = date(2024, 1, 1)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A run with everything, one without a time, one that was deleted, and a ride."""
    with duckdb.connect() as opened:
        create(
            opened,
            "strava.fct__strava_activities",
            RUN + "distance_m double, moving_time_s bigint, total_elevation_gain_m double",
            (1, MONDAY, "race", True, False, 10_000, 3_000, 55.5),
            (2, MONDAY, "race", True, False, 5_000, None, None),
            (3, MONDAY, "race", True, True, 1_000, 1_000, 1_000),
            (4, MONDAY, None, False, False, 1_000, 1_000, 1_000),
            (5, MONDAY + timedelta(days=7), "default", True, False, None, 60, 4),
        )
        create(opened, "strava.strava_kudos_history", "activity_id int, observed_on date, kudos_count bigint")
        yield opened


def test_a_run_without_a_time_or_a_distance_is_not_in_the_pace(connection: duckdb.DuckDBPyConnection) -> None:
    assert weekly_runs(connection).to_dict("records") == [
        {
            "week": "2024-01-01",
            "workout_type_name": "race",
            "runs": 2,
            "distance_m": 15_000,
            "elevation_gain_m": 55.5,
            "paced_distance_m": 10_000,
            "paced_time_s": 3_000,
        },
        {
            "week": "2024-01-08",
            "workout_type_name": "default",
            "runs": 1,
            "distance_m": 0,
            "elevation_gain_m": 4,
            "paced_distance_m": 0,
            "paced_time_s": 0,
        },
    ]


def test_a_run_counts_once_at_each_age_with_its_last_kudos(connection: duckdb.DuckDBPyConnection) -> None:
    read = {1: [(0, 2), (1, 3), (2, 5), (4, 7), (7, 9), (30, 10), (31, 11), (900, 12)], 2: [(1, 5)], 3: [(1, 50)]}
    rows = [(run, MONDAY + timedelta(days=age), kudos) for run, reads in read.items() for age, kudos in reads]
    connection.executemany("insert into strava.strava_kudos_history values (?, ?, ?)", [*rows, (4, MONDAY, 99)])
    found = kudos_by_age(connection)
    assert set(found["workout_type_name"]) == {"race"}
    assert list(found[["age", "age_name", "runs", "kudos"]].itertuples(index=False, name=None)) == [
        (0, "1 day or less", 2, 8),
        (1, "2 days", 1, 5),
        (3, "4 to 7 days", 1, 9),
        (5, "15 to 30 days", 1, 10),
        (6, "more than 30 days", 1, 12),
    ]

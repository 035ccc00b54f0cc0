"""Training: the parts of a pace by week and run type, and whom publish mode protects."""

from collections.abc import Iterator

import duckdb
import pytest

from engagement_assets.report.sections.training import training
from engagement_assets.report.suppression import Suppression
from tests.unit.report.section_rows import LOADS, create, rows_of

LAPS = (
    "activity_id varchar, workout_id varchar, user_id varchar, pace_status varchar, moving_time_ms bigint, "
    "average_speed_m_per_s double, compared_time_ms bigint, difference_s2_per_km double"
)
KM, MILES = ("tempo", "TEMPO", 10.0, "KILOMETERS"), ("long", "LONG_RUN", 5.0, "MILES")


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Two users run a kilometre in 5:00 and one in 6:00; a lap without a speed, and a long run in miles."""
    with duckdb.connect() as opened:
        opened.execute(LOADS)
        create(
            opened,
            "training.lap_pace_adherence",
            LAPS,
            ("a", "tempo", "ann", "in_band", 300_000, 1000 / 300, 300_000, 3_000.0),
            ("b", "tempo", "bob", "in_band", 360_000, 1000 / 360, 360_000, 0.0),
            ("b", "tempo", "bob", "no_target", 999_000, None, None, None),
            ("c", "long", "ann", "no_target", 600_000, 2.5, None, None),
        )
        days = [("a", "2024-01-02"), ("b", "2024-01-03"), ("c", "2024-01-08")]
        create(opened, "training.fct__activities", "activity_id varchar, activity_date date", *days)
        workouts = "workout_id varchar, run_type varchar, distance double, unit_of_measure varchar"
        create(opened, "training.dim__workouts", workouts, KM, MILES)
        create(
            opened,
            "training.weekly_plan_distance",
            "week_of_plan int, user_id varchar, workout_count int, workout_distance_m double, "
            "previous_week_workout_distance_m double, workout_distance_difference_m double",
            (1, "ann", 2, 16_093.44, None, None),
        )
        create(
            opened,
            "training.tempo_sessions",
            "activity_date date, distance_m double, user_id varchar, period_start_date date, period_end_date date",
        )
        create(
            opened,
            "training.workout_leaderboard",
            "workout_id varchar, step_index int, speed_rank int, average_speed_m_per_s double, lap_count int",
            ("tempo", 0, 1, 4.0, 1),
            ("long", 0, 1, 2.5, 1),
            ("long", 1, 1, 2.0, 1),
        )
        yield opened


def test_a_pace_is_time_by_distance_over_the_laps_with_a_speed(connection: duckdb.DuckDBPyConnection) -> None:
    section = training(connection, None)
    assert rows_of(section, "average_pace", ["week", "pace", "distance"]) == [
        ("2024-01-01", "5:30 /km", "2"),
        ("2024-01-08", "6:40 /km", "1.5"),
    ]
    assert rows_of(section, "average_pace", ["week", "pace"], unit="mi", run_type="LONG_RUN") == [
        ("2024-01-08", "10:44 /mi")
    ]


def test_differences_and_distances_are_in_the_chosen_unit(connection: duckdb.DuckDBPyConnection) -> None:
    section = training(connection, None)
    per_km = 1000 * 3_000 / 660_000
    ((difference, as_stored),) = rows_of(section, "difference", ["difference_s", "difference_s_per_km"], unit="mi")
    assert float(difference) == pytest.approx(per_km * 1.609344)
    assert float(as_stored) == pytest.approx(per_km)
    assert rows_of(section, "plan_weeks", ["distance", "distance_per_user"], unit="mi") == [("10", "10")]
    assert rows_of(section, "plan_weeks", ["distance", "symbol"]) == [("16.09344", "km")]


def test_a_week_of_unknown_distance_is_no_decline(connection: duckdb.DuckDBPyConnection) -> None:
    rows = [(2, "ann", 1, 12_000, 10_000, 2_000), (2, "bob", 1, None, 10_000, None), (2, "eve", 1, 5_000, None, None)]
    connection.executemany("insert into training.weekly_plan_distance values (?, ?, ?, ?, ?, ?)", rows)
    section = training(connection, None)
    assert rows_of(section, "plan_weeks", ["week_of_plan", "users", "change"]) == [
        ("1", "1", "null"),
        ("2", "3", "0.2"),
    ]


def test_places_have_a_pace_and_workouts_are_named_in_kilometres(connection: duckdb.DuckDBPyConnection) -> None:
    section = training(connection, None)
    names = ["1: long run, 8.0 km (5.0 miles)", "2: tempo, 10.0 km"]
    assert [value for value, _ in section.filters[2].options] == names
    assert rows_of(section, "leaders_of_workout", ["pace"], workout=names[0]) == [("6:40 /km",), ("8:20 /km",)]
    assert rows_of(section, "leaders_of_workout", ["pace"], workout=names[1], unit="mi") == [("6:42 /mi",)]


def test_publish_mode_hides_a_pace_of_few(connection: duckdb.DuckDBPyConnection) -> None:
    laps = training(connection, Suppression(2)).tables["laps"]
    # Of the users with laps without a target, only Bob has some in the first week, and only Ann in the second.
    assert list(laps["pace_status"]) == []
    assert training(connection, Suppression(1)).tables["laps"]["laps"].sum() == 4


@pytest.mark.parametrize(("measured", "weeks"), [(1, 0), (5, 1)])
def test_publish_mode_hides_a_distance_of_few_of_many_users(
    connection: duckdb.DuckDBPyConnection, measured: int, weeks: int
) -> None:
    connection.execute("delete from training.weekly_plan_distance")
    for user in range(8):
        distances = (12_000.0, 9_000.0, 3_000.0) if user < measured else (None, None, None)
        connection.execute(
            "insert into training.weekly_plan_distance values (2, $user, 1, $now, $before, $more)",
            {"user": f"user-{user}", **dict(zip(("now", "before", "more"), distances, strict=True))},
        )
        connection.execute(
            "insert into training.tempo_sessions values ('2024-01-02', $now, $user, '2024-01-01', '2024-01-02')",
            {"user": f"user-{user}", "now": distances[0]},
        )
    tables = training(connection, Suppression(5)).tables
    assert list(tables["plans"]["users"]) == list(tables["tempo"]["users"]) == [8] * weeks

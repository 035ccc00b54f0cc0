"""Strava tables: any sequence of builds ends with the tables of one full build from the same lake.

Belongs here: what happens between builds (activities that come late, change, are deleted or move to another day; days
built in any order, in groups and again). Not here: what one build computes (see the dbt unit tests).
"""

import os
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from dbt.contracts.graph.manifest import Manifest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS
from tests.integration.warehouse_builder import Row, WarehouseBuilder, differing_tables

pytestmark = pytest.mark.integration

# How many random histories are tried, and how many builds each has before it comes to rest.
EXAMPLES = int(os.environ.get("STRAVA_EXAMPLES", "1"))
BUILDS = int(os.environ.get("STRAVA_BUILDS", "1"))

STRAVA = "+path:models/marts/strava"
WINDOWED = "+tag:windowed,+path:models/marts/strava"
MARTS = (
    "fct__strava_activities",
    "strava_kudos_history",
    "strava_monthly_summary",
    "strava_yearly_summary",
    "strava_weekly_kudos_change",
    "strava_kudos_by_workout_type",
    "kudos_training_examples",
    "kudos_prediction_inputs",
)
INTERMEDIATE = (
    "int_strava_activities_by_day",
    "int_strava_activities_latest",
    "int_strava_activity_kudos_by_day",
    "int_strava_kudos_observed",
    "int_strava_activities_first_seen",
)

# Over the borders of an ISO week, a month and a year.
ONE_DAY = timedelta(days=1)
DAYS = [date(2023, 12, 28) + offset * ONE_DAY for offset in range(7)]
DAY_1, DAY_2, DAY_3, DAY_4 = DAYS[:4]
# Some activities are seen again when they have their kudos, seven days later, and some are not.
OBSERVED_ON = [*DAYS[:5], *(day + 7 * ONE_DAY for day in DAYS[:5])]

Lake = dict[date, tuple[list[Row], list[Row]]]


def read_at(hour: int) -> datetime:
    return datetime(2024, 2, 1) + timedelta(hours=hour)


def at_hour(day: date, hour: int) -> datetime:
    return datetime.combine(day, datetime.min.time()) + timedelta(hours=hour)


def activity(activity_id: int, day: date, read: int = 0, **columns: object) -> Row:
    """An activity of a day, as it was read at an hour."""
    return {
        "activity_id": activity_id,
        "started_at": at_hour(day, 10),
        "sport_type": "Run",
        "distance_m": 5_000.0,
        "moving_time_s": 1_500,
        "kudos_count": 1,
        "athlete_count": 1,
        "extracted_at": read_at(read),
        **columns,
    }


def kudos(activity_id: int, observed_on: date, count: int, read: int = 0) -> Row:
    return {
        "activity_id": activity_id,
        "observed_on": observed_on,
        "kudos_count": count,
        "extracted_at": read_at(read),
    }


def with_facts(observation: Row, day: date, **facts: object) -> Row:
    """An observation that also says what was known of the activity."""
    known = {"started_at": at_hour(day, 10), "sport_type": "Run", "distance_m": 5_000.0, "moving_time_s": 1_500}
    return {**observation, **known, "athlete_count": 1, "name_word_count": 2, **facts}


def tables(warehouse: WarehouseBuilder) -> dict[str, list[dict[str, object]]]:
    """All tables of the area, by name."""
    return warehouse.tables([*(f"strava.{name}" for name in MARTS), *(f"intermediate.{name}" for name in INTERMEDIATE)])


def assert_equal_to_full_build(warehouse: WarehouseBuilder, manifest: Manifest) -> None:
    """Every table holds the rows of one full build from the same lake."""
    folder = warehouse.warehouse_path.parent / "full"
    full = WarehouseBuilder(folder, manifest, lake_folder=warehouse.lake_folder)
    full.build(DAY_1, DAY_2, STRAVA)
    assert differing_tables(tables(warehouse), tables(full)) == {}


def state_order(day: date, row: Row) -> tuple[datetime, bool, date]:
    """What decides between two states of an activity, the greatest first: told once more, in Python."""
    deleted_at, extracted_at = row.get("deleted_at"), row["extracted_at"]
    assert isinstance(extracted_at, datetime)
    newest = max(deleted_at, extracted_at) if isinstance(deleted_at, datetime) else extracted_at
    return newest, deleted_at is None, day


def expected_activities(lake: Lake) -> list[tuple[object, ...]]:
    """Id, day, kudos and deletion of every activity, by id."""
    states: dict[object, tuple[date, Row]] = {}
    for day, (rows, _) in lake.items():
        for row in rows:
            known = states.get(row["activity_id"])
            if known is None or state_order(day, row) > state_order(*known):
                states[row["activity_id"]] = (day, row)
    return sorted(
        (activity_id, day, row["kudos_count"], row.get("deleted_at") is not None)
        for activity_id, (day, row) in states.items()
    )


def found_activities(warehouse: WarehouseBuilder) -> list[tuple[object, ...]]:
    return warehouse.query(
        "select activity_id, activity_date, kudos_count, is_deleted from strava.fct__strava_activities order by all"
    )


def write(warehouse: WarehouseBuilder, lake: Lake) -> None:
    for day, (activities, observations) in lake.items():
        warehouse.write_day(STRAVA_ACTIVITIES, day, activities)
        warehouse.write_day(STRAVA_ACTIVITY_KUDOS, day, observations)


def test_an_activity_that_moves_is_one_activity(warehouse: WarehouseBuilder) -> None:
    """It moves to a later day, while the day that it left is not in the window, and back to the first one."""
    lake: Lake = {DAY_1: ([activity(1, DAY_1, 1)], [kudos(1, DAY_4, 1, 1)])}
    write(warehouse, lake)
    warehouse.build(DAY_1, DAY_2, STRAVA)

    lake = {
        DAY_1: ([activity(1, DAY_1, 1, deleted_at=read_at(2))], [kudos(1, DAY_4, 1, 1)]),
        DAY_3: ([activity(1, DAY_3, 2, kudos_count=2)], [kudos(1, DAY_4, 2, 2)]),
    }
    write(warehouse, lake)
    warehouse.build(DAY_3, DAY_4, STRAVA)
    assert found_activities(warehouse) == [(1, DAY_3, 2, False)]

    lake[DAY_1] = ([activity(1, DAY_1, 3, kudos_count=3)], [kudos(1, DAY_4, 3, 3)])
    lake[DAY_3] = ([activity(1, DAY_3, 2, kudos_count=2, deleted_at=read_at(3))], [kudos(1, DAY_4, 2, 2)])
    write(warehouse, lake)
    warehouse.build(DAY_1, DAY_4, STRAVA)
    assert found_activities(warehouse) == [(1, DAY_1, 3, False)]
    assert warehouse.query("select kudos_count from strava.strava_kudos_history") == [(3,)]


def test_a_daily_run_opens_no_other_day_of_the_lake(warehouse: WarehouseBuilder) -> None:
    days = [DAY_1, DAY_3, DAY_4]
    write(warehouse, {day: ([activity(number, day)], [kudos(number, DAY_4, 1)]) for number, day in enumerate(days)})
    warehouse.build(DAY_1, DAY_4 + ONE_DAY, STRAVA)
    for dataset in (STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS):
        (warehouse.lake_folder / dataset.key / f"day={DAY_3}" / "data.parquet").write_bytes(b"unreadable")
    write(warehouse, {DAY_4: ([activity(99, DAY_4)], [])})
    warehouse.build(DAY_4, DAY_4 + ONE_DAY, STRAVA)
    assert [row[0] for row in found_activities(warehouse)] == [0, 1, 99]


def some_hours() -> st.SearchStrategy[datetime]:
    """Few, so that states are often of one instant."""
    return st.integers(0, 2).map(read_at)


@st.composite
def activities_of_a_day(draw: st.DrawFn, day: date) -> list[Row]:
    """Ids are few: the same activity is often on several days, alive or deleted."""
    return [
        activity(
            activity_id,
            day,
            sport_type=draw(st.sampled_from(["Run", "TrailRun", "Ride", None])),
            activity_type=draw(st.sampled_from(["Run", "Ride", None])),
            workout_type=draw(st.sampled_from([None, 0, 1, 2, 3, 11])),
            distance_m=draw(st.sampled_from([None, 0.0, 0.1, 1609.344, 10_000.7])),
            moving_time_s=draw(st.sampled_from([None, 0, 600, 3_601])),
            total_elevation_gain_m=draw(st.sampled_from([None, 0.1, 0.2])),
            average_speed_m_per_s=draw(st.sampled_from([None, 0.0, 2.7, 3.1])),
            kudos_count=draw(st.integers(0, 5)),
            athlete_count=draw(st.sampled_from([None, 1, 4])),
            deleted_at=draw(st.none() | some_hours()),
            extracted_at=draw(some_hours()),
        )
        for activity_id in draw(st.lists(st.integers(1, 6), unique=True, max_size=4))
    ]


@st.composite
def kudos_of_a_day(draw: st.DrawFn, day: date) -> list[Row]:
    observations = st.tuples(st.integers(1, 6), st.sampled_from(OBSERVED_ON))
    return [
        {
            **kudos(activity_id, observed_on, draw(st.integers(0, 5))),
            # Versions before 0.3 observed kudos alone.
            "started_at": draw(st.none() | st.integers(0, 23).map(lambda hour: at_hour(day, hour))),
            "sport_type": draw(st.sampled_from(["Run", "Ride", None])),
            "workout_type": draw(st.sampled_from([None, 1])),
            "distance_m": draw(st.sampled_from([None, 0.0, 10_000.7])),
            "moving_time_s": draw(st.sampled_from([None, 3_601])),
            "name_word_count": draw(st.integers(0, 2)),
            "extracted_at": draw(some_hours()),
        }
        for activity_id, observed_on in draw(st.lists(observations, unique=True, max_size=8))
    ]


def change_lake(data: st.DataObject, warehouse: WarehouseBuilder, lake: Lake, days: Sequence[date]) -> None:
    """The days get other rows, or none."""
    changed = {day: (data.draw(activities_of_a_day(day)), data.draw(kudos_of_a_day(day))) for day in days}
    write(warehouse, changed)
    lake.update(changed)


def build_something(data: st.DataObject, warehouse: WarehouseBuilder) -> set[date]:
    """Build a window: all tables, a part of them, or one of them in full. Return the days that are complete now."""
    start, end = sorted(data.draw(st.lists(st.integers(0, len(DAYS)), unique=True, min_size=2, max_size=2)))
    window = (DAYS[0] + start * ONE_DAY, DAYS[0] + end * ONE_DAY)
    table = data.draw(st.sampled_from(INTERMEDIATE + MARTS), label="table")
    kind = data.draw(st.sampled_from(["all", "all", "part", "without", "refresh"]), label="build")
    match kind:
        case "part":
            warehouse.build(*window, f"+{table}")
        case "without":
            warehouse.build(*window, STRAVA, exclude=table)
        case "refresh":
            warehouse.build(*window, table, full_refresh=True)
        case _:
            warehouse.build(*window, STRAVA)
            return set(DAYS[start:end])
    return set()


def build_the_rest(data: st.DataObject, warehouse: WarehouseBuilder, unbuilt: set[date]) -> None:
    """Build the days that no complete build has seen, in any order, neighbours together or not, one perhaps again."""
    windows: list[tuple[date, date]] = []
    for day in sorted(unbuilt) or DAYS[:1]:
        if windows and windows[-1][1] == day and data.draw(st.booleans(), label="joined"):
            windows[-1] = (windows[-1][0], day + ONE_DAY)
        else:
            windows.append((day, day + ONE_DAY))
    order = data.draw(st.permutations(windows), label="windows")
    order += data.draw(st.lists(st.sampled_from(windows), max_size=1), label="again")
    # What is not windowed is built from all days: once is enough.
    for window in order[:-1]:
        warehouse.build(*window, WINDOWED)
    warehouse.build(*order[-1], STRAVA)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="STRAVA_EXAMPLES" not in os.environ,
    database=None,
    print_blob=True,
    # An example takes seconds: a failing one is shown as it was found.
    phases=[Phase.generate],
)
@given(st.data())
def test_any_sequence_of_builds_equals_one_full_build(manifest: Manifest, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        warehouse = WarehouseBuilder(Path(folder) / "incremental", manifest)
        lake: Lake = {}
        change_lake(data, warehouse, lake, DAYS)
        warehouse.build(DAYS[0], DAYS[-1] + ONE_DAY, STRAVA)
        unbuilt: set[date] = set()
        for _ in range(BUILDS):
            changed = data.draw(st.lists(st.sampled_from(DAYS), unique=True, min_size=1, max_size=2), label="changed")
            change_lake(data, warehouse, lake, changed)
            unbuilt |= set(changed)
            unbuilt -= build_something(data, warehouse)
        build_the_rest(data, warehouse, unbuilt)

        assert_equal_to_full_build(warehouse, manifest)
        assert found_activities(warehouse) == expected_activities(lake)

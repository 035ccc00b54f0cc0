"""Training tables: any order of builds ends with the tables of one full build from the same lake.

Belongs here: what happens between builds (batches that come late, again, emptied or regrouped; builds
that failed or were partial). Not here: what one build computes (see the dbt unit tests).
"""

import random
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from dbt.contracts.graph.manifest import Manifest
from hypothesis import given

from tests.integration.build_sequences import draws, sequences
from tests.integration.runna_batches import LOADED_AT, ActivityFile, Speeds, write_batch
from tests.integration.warehouse_builder import WarehouseBuilder, differing_tables

pytestmark = pytest.mark.integration

TRAINING = "+path:models/marts/training"
MARTS = (
    "activity_pace_adherence",
    "bdg__activity_to_laps",
    "bdg__workout_to_steps",
    "dim__plans",
    "dim__workouts",
    "fct__activities",
    "lap_pace_adherence",
    "tempo_sessions",
    "user_pace_adherence",
    "weekly_plan_distance",
    "workout_leaderboard",
    "workout_step_speeds",
)
INTERMEDIATE = (
    "int_runna_activities_latest",
    "int_runna_plans_by_batch_date",
    "int_runna_workout_steps_latest",
    "int_runna_workouts_by_batch_date",
)
REGISTRY = "int_runna_activities_by_batch_date"
DAYS = [date(2024, 1, day) for day in range(1, 6)]
# No group shares activities, users, workouts or plans with another, so a sequence stands for as many examples.
GROUPS = 7


def build(warehouse: WarehouseBuilder, first: date, last: date | None = None, select: str = TRAINING) -> None:
    """Build the tables of the area for some days, the last one included."""
    # Views do not change: they are made once.
    exclude = "config.materialized:view" if warehouse.warehouse_path.exists() else None
    warehouse.build(first, (last or first) + timedelta(days=1), select, exclude=exclude)


def assert_equal_to_full_build(warehouse: WarehouseBuilder, manifest: Manifest) -> None:
    """Every table holds the rows of one full build from the same lake."""
    full = WarehouseBuilder(warehouse.warehouse_path.parent / "full", manifest, lake_folder=warehouse.lake_folder)
    full.warehouse_path.unlink(missing_ok=True)
    build(full, DAYS[0])
    # The log also keeps what has left the lake.
    wheres = {f"intermediate.{REGISTRY}": "is_in_lake"}
    wheres |= {f"training.{name}": "true" for name in MARTS}
    wheres |= {f"intermediate.{name}": "true" for name in INTERMEDIATE}
    assert differing_tables(warehouse.tables(wheres), full.tables(wheres)) == {}


def column(warehouse: WarehouseBuilder, sql: str) -> list[object]:
    """The only column of a query's rows."""
    return [value for (value,) in warehouse.query(sql)]


def test_what_leaves_a_batch_leaves_every_table(warehouse: WarehouseBuilder, manifest: Manifest) -> None:
    stays = ActivityFile("stays", user_id="user-1", workout_id="workout-1")
    moves = ActivityFile("moves", user_id="user-2", workout_id="workout-2", plan_id="plan-2")
    write_batch(warehouse, DAYS[0], [stays, moves])
    write_batch(warehouse, DAYS[1], [ActivityFile("leaves", user_id="user-3", workout_id="gone")])
    build(warehouse, DAYS[0], DAYS[1])

    write_batch(warehouse, DAYS[0], [stays, replace(moves, user_id="user-1", plan_id="plan-1")])
    write_batch(warehouse, DAYS[1], [])
    build(warehouse, DAYS[0], DAYS[1])

    assert column(warehouse, "select user_id from training.user_pace_adherence") == ["user-1"]
    assert warehouse.query("select distinct user_id, plan_id from training.weekly_plan_distance") == [
        ("user-1", "plan-1")
    ]
    assert column(warehouse, "select workout_id from training.dim__workouts order by 1") == [
        "workout-1",
        "workout-2",
    ]
    assert column(warehouse, "select distinct user_id from training.workout_leaderboard") == ["user-1"]
    assert column(warehouse, "select plan_id from training.dim__plans") == ["plan-1"]
    assert_equal_to_full_build(warehouse, manifest)


def test_an_older_batch_that_comes_late_gives_way_to_the_newer_one(
    warehouse: WarehouseBuilder, manifest: Manifest
) -> None:
    newer = ActivityFile("again", user_id="user-2", laps=(), plan_length_weeks=8)
    write_batch(warehouse, DAYS[1], [newer])
    build(warehouse, DAYS[1])

    write_batch(warehouse, DAYS[0], [replace(newer, user_id="user-1", laps=(3.0,), steps=(2.0,))])
    build(warehouse, DAYS[0])

    assert warehouse.query("select user_id, lap_count from training.fct__activities") == [("user-2", 0)]
    assert column(warehouse, "select plan_length_weeks from training.dim__plans") == [8]
    assert_equal_to_full_build(warehouse, manifest)

    # The newer batch loses the activity: the older one counts again, with its laps and steps.
    write_batch(warehouse, DAYS[1], [])
    build(warehouse, DAYS[1])

    assert warehouse.query("select user_id, lap_count from training.fct__activities") == [("user-1", 1)]
    assert column(warehouse, "select pace_average_m_per_s from training.bdg__workout_to_steps") == [2.0]
    assert_equal_to_full_build(warehouse, manifest)


def test_other_steps_of_a_workout_reach_the_activities_of_earlier_days(
    warehouse: WarehouseBuilder, manifest: Manifest
) -> None:
    write_batch(warehouse, DAYS[0], [ActivityFile("early", laps=(3.0,), steps=(3.0, 2.5))])
    build(warehouse, DAYS[0])
    completed = "select is_completed from training.fct__activities where activity_id = 'early'"
    assert column(warehouse, completed) == [False]

    # The workout has become shorter, and its only step slower.
    other = ActivityFile("late", user_id="user-2", laps=(2.0,), steps=(2.0,))
    write_batch(warehouse, DAYS[1], [other])
    build(warehouse, DAYS[1])

    assert column(warehouse, completed) == [True]
    assert warehouse.query("select faster_lap_count, lap_count from training.user_pace_adherence order by user_id") == [
        (1, 1),
        (0, 1),
    ]
    assert_equal_to_full_build(warehouse, manifest)

    # A file without steps says nothing about them; nor does the end of the one that said something.
    write_batch(warehouse, DAYS[2], [replace(other, activity_id="silent", steps=None)])
    write_batch(warehouse, DAYS[1], [])
    build(warehouse, DAYS[1], DAYS[2])

    assert column(warehouse, completed) == [False]
    assert_equal_to_full_build(warehouse, manifest)


def test_steps_of_unknown_number_replace_those_that_were_known(warehouse: WarehouseBuilder, manifest: Manifest) -> None:
    write_batch(warehouse, DAYS[0], [ActivityFile("early")])
    build(warehouse, DAYS[0])
    completed = (
        "select step_count, steps_covered, is_completed from training.fct__activities where activity_id = 'early'"
    )
    assert warehouse.query(completed) == [(2, 2, True)]
    assert column(warehouse, "select activity_id from training.tempo_sessions") == ["early"]

    # A repeat after the first step was rejected.
    late = ActivityFile("late", user_id="user-2", steps=(3.0,), steps_are_placed=False)
    write_batch(warehouse, DAYS[1], [late])
    build(warehouse, DAYS[1])

    assert warehouse.query(completed) == [(None, None, None)]
    assert column(warehouse, "select step_count from training.dim__workouts") == [None]
    assert column(warehouse, "select activity_id from training.tempo_sessions") == []
    assert warehouse.query(
        "select lap_index, step_index from training.lap_pace_adherence where user_id = 'user-1'"
    ) == [
        (0, 0),
        (1, None),
    ]
    assert set(column(warehouse, "select step_index from training.workout_leaderboard")) == {0}
    assert_equal_to_full_build(warehouse, manifest)

    # As many steps as before, all of them placed: they are others all the same.
    write_batch(warehouse, DAYS[2], [replace(late, steps_are_placed=True)])
    build(warehouse, DAYS[2])

    assert warehouse.query(completed) == [(1, 1, True)]
    assert_equal_to_full_build(warehouse, manifest)


def test_a_rejected_step_keeps_its_place_and_no_lap_covers_it(warehouse: WarehouseBuilder, manifest: Manifest) -> None:
    write_batch(warehouse, DAYS[0], [ActivityFile("all", laps=(3.0, 1.0, 2.5), steps=(3.0, None, 2.5))])
    write_batch(warehouse, DAYS[1], [ActivityFile("one", workout_id="last", laps=(3.0,), steps=(3.0, None))])
    build(warehouse, DAYS[0], DAYS[1])

    assert warehouse.query(
        "select activity_id, step_count, steps_covered, is_completed from training.fct__activities order by 1"
    ) == [("all", 3, 2, False), ("one", 2, 1, False)]
    assert warehouse.query(
        "select step_index, pace_status from training.lap_pace_adherence where activity_id = 'all' order by lap_index"
    ) == [(0, "in_band"), (None, "no_target"), (2, "in_band")]
    assert warehouse.query("select workout_id, step_count from training.dim__workouts order by 1") == [
        ("last", 2),
        ("workout-1", 3),
    ]
    assert_equal_to_full_build(warehouse, manifest)


def test_tempo_sessions_end_with_the_newest_loaded_day_also_an_empty_one(
    warehouse: WarehouseBuilder, manifest: Manifest
) -> None:
    write_batch(warehouse, DAYS[0], [ActivityFile("tempo")])
    build(warehouse, DAYS[0])
    period = "select distinct period_start_date, period_end_date from training.tempo_sessions"
    assert warehouse.query(period) == [(date(2023, 7, 2), date(2024, 1, 1))]

    write_batch(warehouse, DAYS[3], [])
    build(warehouse, DAYS[3])
    assert warehouse.query(period) == [(date(2023, 7, 5), date(2024, 1, 4))]
    assert_equal_to_full_build(warehouse, manifest)

    # Retention has removed the day, which was loaded all the same.
    (newest,) = warehouse.lake_folder.glob(f"raw_runna/activities/day={DAYS[3]}/*")
    newest.rename(newest.with_name("pruned.json"))
    # Held days lie elsewhere.
    held = warehouse.lake_folder / f"held/raw_runna/activities/day={DAYS[4]}"
    held.mkdir(parents=True)
    (held / "data.parquet").touch()
    build(warehouse, DAYS[4])
    assert warehouse.query(period) == [(date(2023, 7, 5), date(2024, 1, 4))]


def test_builds_that_stopped_half_way_are_caught_up_in_any_order(
    warehouse: WarehouseBuilder, manifest: Manifest
) -> None:
    first = ActivityFile("first", laps=(3.0, 2.5), steps=(3.0, 2.5))
    write_batch(warehouse, DAYS[0], [first])
    build(warehouse, DAYS[0])

    # The log is built, then the run dies.
    write_batch(warehouse, DAYS[0], [replace(first, laps=(2.0, 2.0, 2.0), user_id="user-2")])
    build(warehouse, DAYS[0], select=REGISTRY)
    # Somebody builds the tables at the end alone, on top of what was left behind.
    build(
        warehouse,
        DAYS[3],
        select="fct__activities user_pace_adherence weekly_plan_distance workout_step_speeds",
    )
    assert column(warehouse, "select user_id from training.fct__activities") == ["user-1"]
    # A later day is built with all tables.
    write_batch(warehouse, DAYS[1], [replace(first, activity_id="second", steps=(2.0,))])
    build(warehouse, DAYS[1])

    assert warehouse.query(
        "select user_id, lap_count, slower_lap_count from training.user_pace_adherence order by 1"
    ) == [("user-1", 2, 0), ("user-2", 3, 0)]
    assert_equal_to_full_build(warehouse, manifest)


def test_a_refresh_of_the_log_alone_forgets_nothing(warehouse: WarehouseBuilder, manifest: Manifest) -> None:
    write_batch(warehouse, DAYS[0], [ActivityFile("stays"), ActivityFile("leaves", "user-2")])
    build(warehouse, DAYS[0])

    write_batch(warehouse, DAYS[0], [ActivityFile("stays")])
    warehouse.build(DAYS[0], DAYS[1], REGISTRY, full_refresh=True)
    build(warehouse, DAYS[4])

    assert column(warehouse, "select activity_id from training.fct__activities") == ["stays"]
    assert_equal_to_full_build(warehouse, manifest)


def test_a_day_that_nothing_points_to_is_not_opened(warehouse: WarehouseBuilder) -> None:
    write_batch(warehouse, DAYS[0], [ActivityFile("again")])
    write_batch(warehouse, DAYS[1], [ActivityFile("old", workout_id="workout-3")])
    write_batch(warehouse, DAYS[2], [ActivityFile("older", workout_id="workout-2")])
    build(warehouse, DAYS[0], DAYS[2])

    for path in warehouse.lake_folder.glob(f"raw_runna/*/day={DAYS[1]}/data.parquet"):
        path.write_bytes(b"not Parquet")
    write_batch(warehouse, DAYS[3], [ActivityFile("new", laps=(1.0,), steps=None)])
    write_batch(warehouse, DAYS[2], [])
    # The steps of workout-1 come from the first day's file once more.
    write_batch(warehouse, DAYS[0], [ActivityFile("again", steps=(9.0,))])
    build(warehouse, DAYS[2], DAYS[3])

    assert column(warehouse, "select activity_id from training.fct__activities order by 1") == [
        "again",
        "new",
        "old",
    ]


def random_file(drawn: random.Random, group: int, letter: str) -> ActivityFile:
    """Any file of an activity, among few users, workouts and plans of its group."""

    def speeds(count: int) -> Speeds:
        return tuple(drawn.choice((0.0, 2.0, 2.45, 3.0, 3.3)) for _ in range(count))

    return ActivityFile(
        f"{letter}-{group}",
        user_id=f"user-{drawn.randint(1, 3)}-{group}",
        workout_id=drawn.choice((f"workout-1-{group}", f"workout-2-{group}", f"workout-3-{group}", None)),
        plan_id=drawn.choice((f"plan-1-{group}", f"plan-2-{group}", None)),
        laps=speeds(drawn.randint(0, 4)),
        steps=drawn.choice((None, (), (3.0,), (3.0, 2.5), (3.0, 2.5, 2.0), (3.0, None), (None, 2.5))),
        steps_are_placed=drawn.random() < 0.8,
        week_of_plan=drawn.choice((None, 1, 2, 3, 4)),
        workout_distance=drawn.choice((None, 5.0, 6.2, 10.1)),
        unit_of_measure=drawn.choice(("KILOMETERS", "MILES")),
        run_type=drawn.choice(("TEMPO", "LONG_RUN")),
        plan_length_weeks=drawn.choice((8, 10)),
    )


def build_any_sequence(warehouse: WarehouseBuilder, manifest: Manifest, drawn: random.Random) -> None:
    """Change batches and build days and tables at random, then come to rest and compare."""

    def write_random_batch(day: date) -> None:
        files = [
            random_file(drawn, group, letter)
            for group in drawn.sample(range(GROUPS), drawn.choice((0, 1, GROUPS)))
            for letter in drawn.sample("abcde", drawn.randint(0, 4))
        ]
        write_batch(warehouse, day, files, LOADED_AT + timedelta(hours=drawn.randint(0, 10_000)))

    for day in drawn.sample(DAYS, 3):
        write_random_batch(day)
    build(warehouse, DAYS[0], DAYS[-1])

    not_built: set[date] = set()
    for _ in range(4):
        for day in drawn.sample(DAYS, drawn.randint(0, 2)):
            write_random_batch(day)
            not_built.add(day)
        first = min(not_built, default=DAYS[0]) if drawn.random() < 0.7 else drawn.choice(DAYS)
        end = first + timedelta(days=drawn.randint(1, 3))
        chosen = drawn.sample([*MARTS, *INTERMEDIATE, REGISTRY], drawn.randint(1, 8))
        if drawn.random() < 0.4:
            chosen = [TRAINING]
        warehouse.build(first, end, " ".join(chosen), full_refresh=drawn.random() < 0.1)
        if TRAINING in chosen or REGISTRY in chosen:
            not_built = {day for day in not_built if not first <= day < end}

    build(warehouse, min(not_built, default=DAYS[0]), max(not_built, default=DAYS[0]))
    assert_equal_to_full_build(warehouse, manifest)


@sequences("TRAINING_SEQUENCES")
@given(drawn=draws)
def test_any_sequence_of_builds_equals_one_full_build(manifest: Manifest, drawn: random.Random) -> None:
    with TemporaryDirectory() as folder:
        build_any_sequence(WarehouseBuilder(Path(folder) / "incremental", manifest), manifest, drawn)

"""The dbt tests of the training area: each passes on sound tables and finds what it is for.

Belongs here: running dbt's own tests, on models and on tables. Not here: what happens between builds
(see `test_training_incremental.py`).
"""

from datetime import date

import duckdb
import pytest

from tests.integration.runna_batches import ActivityFile, write_batch
from tests.integration.warehouse_builder import WarehouseBuilder

pytestmark = pytest.mark.integration

TRAINING = "+path:models/marts/training"
DAY = date(2024, 1, 1)
NEXT_DAY = date(2024, 1, 2)


def test_the_unit_tests_of_the_models_pass(warehouse: WarehouseBuilder) -> None:
    warehouse.build(DAY, NEXT_DAY, TRAINING)
    folders = ("intermediate/training", "marts/training")
    select = " ".join(f"test_type:unit,path:models/{folder}" for folder in folders)
    assert warehouse.failing_tests(select) == {}


def test_the_data_tests_pass_on_sound_tables_and_tell_which_are_not(
    warehouse: WarehouseBuilder,
) -> None:
    write_batch(warehouse, DAY, [ActivityFile("a"), ActivityFile("b", user_id="user-2")])
    warehouse.build(DAY, NEXT_DAY, TRAINING)
    select = "test_type:data,path:models/marts/training test_type:data,path:tests/training"
    assert warehouse.failing_tests(select) == {}

    with duckdb.connect(str(warehouse.warehouse_path)) as connection:
        connection.execute("set schema = 'training'")
        connection.execute("delete from bdg__activity_to_laps where surrogate_key = 'a::1'")
        connection.execute("insert into user_pace_adherence from user_pace_adherence limit 1")
        connection.execute("update fct__activities set steps_covered = 3 where activity_id = 'b'")
        connection.execute("insert into workout_step_speeds from workout_step_speeds limit 1")
        connection.execute("delete from bdg__workout_to_steps where step_index = 1")
        connection.execute("update bdg__workout_to_steps set pace_slow_m_per_s = 9")
        connection.execute("update activity_pace_adherence set faster_lap_count = faster_lap_count + 1")
        connection.execute("update user_pace_adherence set no_speed_lap_count = no_speed_lap_count + 1")
        connection.execute("update fct__activities set activity_date = batch_date + interval 2 day")
        connection.execute("delete from fct__activities where activity_id = 'a'")

    assert sorted(warehouse.failing_tests(select)) == [
        "an_activity_is_completed_when_every_step_has_its_lap",
        "assert_every_accepted_lap_is_in_the_bridge",
        "assert_every_activity_is_in_the_fact_once",
        "assert_laps_are_judged_and_summed_once",
        "assert_step_counts_are_those_of_the_bridge",
        "laps_of_a_user_add_up",
        "laps_of_an_activity_add_up",
        "no_activity_covers_more_than_its_steps_or_laps",
        "no_activity_was_recorded_after_it_landed",
        "pace_targets_are_in_order",
        "unique_user_pace_adherence_user_id",
        "users_have_one_speed_per_step",
        "users_rank_once_per_step",
    ]


def test_steps_that_are_missing_from_the_bridge_are_found_beside_rejected_ones(warehouse: WarehouseBuilder) -> None:
    hole = ActivityFile("hole", workout_id="hole", steps=(3.0, None))
    unplaced = ActivityFile("unplaced", workout_id="unplaced", steps=(3.0, 2.5), steps_are_placed=False)
    write_batch(warehouse, DAY, [ActivityFile("whole"), hole, unplaced])
    warehouse.build(DAY, NEXT_DAY, TRAINING)
    select = "path:tests/training"
    assert warehouse.failing_tests(select) == {}

    for workout, index in (("hole", 0), ("unplaced", 1)):
        with duckdb.connect(str(warehouse.warehouse_path)) as connection:
            step = f"workout_id = '{workout}' and step_index = {index}"
            connection.execute(f"create table missing as from training.bdg__workout_to_steps where {step}")
            connection.execute(f"delete from training.bdg__workout_to_steps where {step}")
        assert set(warehouse.failing_tests(select)) == {"assert_step_counts_are_those_of_the_bridge"}
        with duckdb.connect(str(warehouse.warehouse_path)) as connection:
            connection.execute("insert into training.bdg__workout_to_steps from missing")
            connection.execute("drop table missing")
    assert warehouse.failing_tests(select) == {}

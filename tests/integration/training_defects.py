"""Sound tables of the training area, defects in them, and the data tests that find each.

Belongs here: what `test_data_tests.py` builds, spoils and expects. Not here: running tests.
"""

from datetime import date

from tests.integration.defects import Area, Defect, tests_in
from tests.integration.runna_batches import ActivityFile, write_batch
from tests.integration.warehouse_builder import WarehouseBuilder

TRAINING = "+path:models/marts/training"
DAY = date(2024, 1, 1)
NEXT_DAY = date(2024, 1, 2)


def _build(warehouse: WarehouseBuilder) -> None:
    """An activity each of two users."""
    write_batch(warehouse, DAY, [ActivityFile("a"), ActivityFile("b", user_id="user-2")])
    warehouse.build(DAY, NEXT_DAY, TRAINING)


DEFECTS: dict[str, Defect] = {
    "every_table": (
        [
            "delete from bdg__activity_to_laps where surrogate_key = 'a::1'",
            "insert into user_pace_adherence from user_pace_adherence limit 1",
            "update fct__activities set steps_covered = 3 where activity_id = 'b'",
            "insert into workout_step_speeds from workout_step_speeds limit 1",
            "delete from bdg__workout_to_steps where step_index = 1",
            "update bdg__workout_to_steps set pace_slow_m_per_s = 9",
            "update activity_pace_adherence set faster_lap_count = faster_lap_count + 1",
            "update user_pace_adherence set no_speed_lap_count = no_speed_lap_count + 1",
            "update fct__activities set activity_date = batch_date + interval 2 day",
            "delete from fct__activities where activity_id = 'a'",
        ],
        [
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
        ],
    ),
}
TRAINING_TABLES = Area(
    schema="training",
    build=_build,
    unit_tests=tests_in("unit", "models/intermediate/training", "models/marts/training"),
    data_tests=tests_in("data", "models/marts/training", "tests/training"),
    defects=DEFECTS,
)


def _build_with_rejected_steps(warehouse: WarehouseBuilder) -> None:
    """Beside a whole workout, one in which a step was rejected, and one whose steps have no places."""
    hole = ActivityFile("hole", workout_id="hole", steps=(3.0, None))
    unplaced = ActivityFile("unplaced", workout_id="unplaced", steps=(3.0, 2.5), steps_are_placed=False)
    write_batch(warehouse, DAY, [ActivityFile("whole"), hole, unplaced])
    warehouse.build(DAY, NEXT_DAY, TRAINING)


TRAINING_TABLES_OF_REJECTED_STEPS = Area(
    schema="training",
    build=_build_with_rejected_steps,
    data_tests="path:tests/training",
    defects={
        f"step_missing_beside_{workout}": (
            [f"delete from bdg__workout_to_steps where workout_id = '{workout}' and step_index = {index}"],
            ["assert_step_counts_are_those_of_the_bridge"],
        )
        for workout, index in (("hole", 0), ("unplaced", 1))
    },
)

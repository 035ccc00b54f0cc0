"""Batches of Runna activities in a test's lake, described by what tests care about.

Belongs here: how a short description becomes rows of the three raw datasets. Not here: what is
built from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from engagement_assets.contracts.datasets import (
    RUNNA_ACTIVITIES,
    RUNNA_ACTIVITY_LAPS,
    RUNNA_WORKOUT_STEPS,
)
from tests.integration.warehouse_builder import WarehouseBuilder

LOADED_AT = datetime(2024, 6, 1)

# One lap or step is its speed (m/s); a target band is 0.1 m/s to either side of it.
Speeds = tuple[float, ...]
# None is the place of a step that was rejected.
Steps = tuple[float | None, ...]


@dataclass(frozen=True)
class ActivityFile:
    """One activity file of a batch. `steps` is None where the file has no `stepsV2`.

    Unless `steps_are_placed`, more of them follow which were quarantined.
    """

    activity_id: str
    user_id: str = "user-1"
    workout_id: str | None = "workout-1"
    plan_id: str | None = "plan-1"
    laps: Speeds = (3.0, 2.5)
    steps: Steps | None = (3.0, 2.5)
    steps_are_placed: bool = True
    week_of_plan: int | None = 1
    workout_distance: float | None = 5.0
    unit_of_measure: str = "KILOMETERS"
    run_type: str = "TEMPO"
    plan_length_weeks: int = 10


def write_batch(
    warehouse: WarehouseBuilder,
    day: date,
    files: Sequence[ActivityFile],
    loaded_at: datetime = LOADED_AT,
) -> None:
    """Write the three datasets of a batch date, as the extractor does."""
    paths = {file: f"runna/activities/{day}/{file.activity_id}.json" for file in files}
    warehouse.write_day(
        RUNNA_ACTIVITIES,
        day,
        [
            {
                "activity_id": file.activity_id,
                "user_id": file.user_id,
                "workout_id": file.workout_id,
                "plan_id": file.plan_id,
                "plan_length_weeks": file.plan_length_weeks,
                "created_on": datetime.combine(day, datetime.min.time()) - timedelta(days=30),
                "week_of_plan": file.week_of_plan,
                "unit_of_measure": file.unit_of_measure,
                "run_type": file.run_type,
                "workout_distance": file.workout_distance,
                "planned_workout_date": day if file.week_of_plan == 1 else None,
                "lap_count": len(file.laps),
                "step_count": len(file.steps) if file.steps is not None and file.steps_are_placed else None,
                "steps_md5": None if file.steps is None else repr((file.steps, file.steps_are_placed)),
                "source_path": path,
                "extracted_at": loaded_at,
            }
            for file, path in paths.items()
        ],
    )
    warehouse.write_day(
        RUNNA_ACTIVITY_LAPS,
        day,
        [
            {
                "activity_id": file.activity_id,
                "lap_index": index,
                "distance_m": 60.1 * speed,
                "moving_time_ms": 60_100,
                "average_speed_m_per_s": speed,
                "source_path": path,
            }
            for file, path in paths.items()
            for index, speed in enumerate(file.laps)
        ],
    )
    warehouse.write_day(
        RUNNA_WORKOUT_STEPS,
        day,
        [
            {
                "activity_id": file.activity_id,
                "workout_id": file.workout_id,
                "step_index": index,
                "pace_slow_m_per_s": speed - 0.1,
                "pace_average_m_per_s": speed,
                "pace_fast_m_per_s": speed + 0.1,
                # Not in the fingerprint, and another one in each file.
                "paces_json": f'{{"file":"{path}"}}',
                "source_path": path,
            }
            for file, path in paths.items()
            for index, speed in enumerate(file.steps or ())
            if speed is not None
        ],
    )

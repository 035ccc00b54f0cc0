"""The rows of the three Runna datasets that a document's parts become, with repeats of steps written out.

Belongs here: which column a field becomes, what a repeat stands for, reading a document that fits in every part. Not
here: one that does not (`activity_files.py`), impossible times and measurements (`device_values.py`).
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import msgspec

from engagement_assets.extract.runna.documents import (
    Activity,
    ActivityRows,
    Id,
    Lap,
    Paces,
    Plan,
    PlannedWorkout,
    Row,
    Step,
    UnusableRecordError,
)
from engagement_assets.privacy.shapes import described

REPEAT_STEP_TYPE = "WorkoutRepeatStep"
MAX_REPETITIONS = 1_000
# Sample workouts flatten to 5 and 18 steps. Nested repeats multiply: a few bytes could stand for billions.
MAX_STEPS = 10_000

_ACTIVITY = msgspec.json.Decoder(Activity)
_DATE_CHARACTERS = len("2021-01-05")
_TIME_OF_DAY = re.compile(r"[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)? ?([Zz]|[+-]\d{2}(:?\d{2})?)?")
_PACES, _NO_PACES = msgspec.json.Decoder(Paces), Paces()

# What a step asks for, and what else its JSON has. None is a hole: the place of a rejected step, kept free so that the
# steps after it still meet their laps.
StepColumns = tuple[Row, Row] | None
# Each with the number of its repetition, from 1, within the innermost repeat; None outside of repeats.
FlatSteps = list[tuple[StepColumns, int | None]]


class Workout(NamedTuple):
    """The steps of a workout. Unless they `are_placed`, more steps follow, of unknown number and places."""

    steps: FlatSteps
    are_placed: bool = True

    def fingerprint(self) -> str:
        """MD5 over what the steps ask for, and whether others follow, whatever the layout and the unknown fields."""
        meaning: list[object] = [(columns and columns[0], repetition) for columns, repetition in self.steps]
        if not self.are_placed:
            meaning.append("steps without a place")
        return hashlib.md5(msgspec.json.encode(meaning), usedforsecurity=False).hexdigest()


def flatten(steps: Sequence[Step]) -> FlatSteps:
    """The flattened steps of a workout; raises ValidationError or UnusableRecordError if some step does not fit."""
    flat: FlatSteps = []
    for step in steps:
        if step.type == REPEAT_STEP_TYPE:
            flat += repeated(step, flatten(step.steps or ()))
        else:
            paces = _PACES.decode(step.paces) if _has_paces(step) else _NO_PACES
            flat.append((plain_step(step, paces, step.steps, None), None))
    refuse_too_many_steps(len(flat))
    return flat


def plain_step(step: Step, paces: Paces, nested: Sequence[object] | None, extra: str | None) -> StepColumns:
    """The columns of a step that is not a repeat; raises UnusableRecordError if it has `nested` steps or repeats."""
    if nested or (step.repeat_value or 0) > 1:
        raise _wrong_value(f'type: expected "{REPEAT_STEP_TYPE}" of a step that repeats others', step.type)
    paces_json = msgspec.json.format(bytes(step.paces), indent=-1).decode() if _has_paces(step) else None
    wanted = (
        step.type, step.intensity, step.duration_type, step.duration_value, step.duration_value_type, step.target_type,
        step.step_order, *(pace and pace.mps for pace in (paces.slow, paces.average, paces.fast)),
    )  # fmt: skip
    return wanted, (paces_json, extra)


def repeated(step: Step, block: FlatSteps) -> FlatSteps:
    """`block`, the flattened steps of the repeat `step`, written out as often as it says.

    Raises UnusableRecordError if it does not say how often, has no steps, or makes too many.
    """
    times = step.repeat_value
    if times is None or times % 1 or not 1 <= times <= MAX_REPETITIONS:
        raise _wrong_value(f"repeatValue: expected a whole number from 1 to {MAX_REPETITIONS:,}", times)
    if not block:
        raise UnusableRecordError("wrong_value", "steps: expected at least one step to repeat, found none")
    refuse_too_many_steps(int(times) * len(block))
    return [(columns, inner or repetition) for repetition in range(1, int(times) + 1) for columns, inner in block]


def refuse_too_many_steps(count: int) -> None:
    """Raise UnusableRecordError when a workout would flatten to more steps than any real one."""
    if count > MAX_STEPS:
        message = f"steps: expected at most {MAX_STEPS:,} flattened ones, found {count:,}"
        raise UnusableRecordError("wrong_value", message)


def _has_paces(step: Step) -> bool:
    return bytes(step.paces) not in (b"", b"null")


def _wrong_value(expected: str, found: object) -> UnusableRecordError:
    return UnusableRecordError("wrong_value", f"{expected}, found {described(found)}")


def read_typed(text: bytes, file: int) -> ActivityRows:
    """Rows of a document, decoded in one go; raises DecodeError or UnusableRecordError if some part does not fit."""
    activity = _ACTIVITY.decode(text)
    planned = activity.planned_workout_metadata
    steps = planned.steps_v2 if planned else None
    laps = [(index, lap, None) for index, lap in enumerate(activity.laps or ())]
    return rows(file, activity, laps, None if steps is None else Workout(flatten(steps)))


def rows(
    file: int,
    activity: Activity,
    laps: Sequence[tuple[int, Lap, str | None]],
    workout: Workout | None,
    extra: str | None = None,
) -> ActivityRows:
    """Rows of an activity, of its `laps` (position, lap, unknown fields as JSON), and of the steps of its workout.

    Raises UnusableRecordError if a required id is missing, or the planned date is not a date.
    """
    activity_id = _required(activity.activity_id, "activityId", "missing_activity_id")
    user_id = _required(activity.user_id, "userId", "missing_user_id")
    plan = activity.plan_details or Plan()
    planned = activity.planned_workout_metadata or PlannedWorkout()
    # Adding tuples is twice as fast as unpacking them into a new one.
    astuple = msgspec.structs.astuple
    lap_rows = [(file, index, unknown) + astuple(lap) for index, lap, unknown in laps]  # noqa: RUF005
    step_rows = [
        (file, index, repetition) + columns[0] + columns[1]
        for index, (columns, repetition) in enumerate(workout.steps if workout else ())
        if columns is not None
    ]
    activity_row = (
        file, activity_id, user_id, _optional(activity.workout_id), _optional(plan.id), plan.plan_length,
        activity.record_type, activity.created_on, activity.week_of_plan, activity.unit_of_measure,
        planned.workout_type, planned.run_type, planned.distance, planned.current_est_5k_time,
        _date(planned.planned_workout_date), len(lap_rows),
        len(workout.steps) if workout and workout.are_placed else None, workout.fingerprint() if workout else None,
        extra,
    )  # fmt: skip
    return ActivityRows(activity_row, lap_rows, step_rows, len(lap_rows), len(step_rows))


def _required(value: Id | None, name: str, reason_code: str) -> str:
    if value is None:
        raise UnusableRecordError(reason_code, f"{name}: expected an id, found none")
    return str(value)


def _optional(value: Id | None) -> str | None:
    """An id as text: one device sends `1`, another `"1"`."""
    return None if value is None else str(value)


def _date(text: str | None) -> str | None:
    """The date of a text that is a date, or a date and a time of day with any offset."""
    if text is None:
        return None
    has_time = _TIME_OF_DAY.fullmatch(text, _DATE_CHARACTERS)
    try:
        return date.fromisoformat(text[:_DATE_CHARACTERS] if has_time else text).isoformat()
    except ValueError as error:
        expected = "plannedWorkoutMetadata.plannedWorkoutDate: expected a date YYYY-MM-DD"
        raise _wrong_value(expected, text) from error

"""The rows of the three Runna datasets that a document's parts become.

Belongs here: which column a field becomes, and reading a document that fits in every part. Not here: one that does not
(`activity_files.py`), impossible times and measurements (`device_values.py`).
"""

import re
from collections.abc import Sequence
from datetime import date

import msgspec

from engagement_assets.extract.runna.documents import (
    Activity,
    ActivityRows,
    Id,
    Lap,
    Plan,
    PlannedWorkout,
    UnusableRecordError,
)
from engagement_assets.extract.runna.steps import Workout, flatten

_ACTIVITY = msgspec.json.Decoder(Activity)
_DATE_CHARACTERS = len("2021-01-05")
_TIME_OF_DAY = re.compile(r"[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)? ?([Zz]|[+-]\d{2}(:?\d{2})?)?")


def read_typed(text: bytes, file: int) -> ActivityRows:
    """Rows of a document that fits in every part, decoded in one go.

    Raises:
        msgspec.DecodeError, UnusableRecordError: some part does not fit.
    """
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

    Raises:
        UnusableRecordError: a required id is missing, or the planned date is not a date.
    """
    activity_id = _required(activity.activity_id, "activityId", "missing_activity_id")
    user_id = _required(activity.user_id, "userId", "missing_user_id")
    plan = activity.plan_details or Plan()
    planned = activity.planned_workout_metadata or PlannedWorkout()
    # Adding tuples is twice as fast as unpacking them into a new one.
    astuple = msgspec.structs.astuple
    lap_rows = [
        (file, index, lap_extra) + astuple(lap)  # noqa: RUF005
        for index, lap, lap_extra in laps
    ]
    step_rows = [
        (file, index, repetition) + columns[0] + columns[1]
        for index, (columns, repetition) in enumerate(workout.steps if workout else ())
        if columns is not None
    ]
    activity_row = (
        file,
        activity_id,
        user_id,
        _optional(activity.workout_id),
        _optional(plan.id),
        plan.plan_length,
        activity.record_type,
        activity.created_on,
        activity.week_of_plan,
        activity.unit_of_measure,
        planned.workout_type,
        planned.run_type,
        planned.distance,
        planned.current_est_5k_time,
        _date(planned.planned_workout_date),
        len(lap_rows),
        len(workout.steps) if workout and workout.are_placed else None,
        workout.fingerprint() if workout else None,
        extra,
    )
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
        raise UnusableRecordError(
            "wrong_value",
            "plannedWorkoutMetadata.plannedWorkoutDate: expected a date YYYY-MM-DD, found "
            + msgspec.json.encode(text).decode(),
        ) from error

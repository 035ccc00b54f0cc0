"""A Runna activity document: its parts, their limits, and the rows they become.

Belongs here: the typed structs of the document, how a workout's steps are flattened, the rows of
the three Runna datasets. Not here: what to do with a document that does not fit
(`runna_activity_files.py`), batches and processes (`runna.py`).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta, Raw

REPEAT_STEP_TYPE = "WorkoutRepeatStep"
MAX_REPETITIONS = 1_000
# Sample workouts flatten to 5 and 18 steps. Nested repeats multiply: a few bytes could ask for
# billions.
MAX_STEPS = 10_000

# Every number is decoded as float, because devices send 721401 and 721401.0 alike. Up to 2**53 a
# float holds an integer exactly, so what ends in a BIGINT column is bounded by that. Fractions of
# such amounts are rounded later.
_EXACT = 2**53
Amount = Annotated[float, Meta(ge=0, le=_EXACT)]
WholeAmount = Annotated[float, Meta(ge=0, le=_EXACT, multiple_of=1)]
Whole = Annotated[float, Meta(ge=-_EXACT, le=_EXACT, multiple_of=1)]
# From 2000-01-01 until 2100-01-01: seconds or microseconds sent by mistake fall outside.
EpochMs = Annotated[float, Meta(ge=946_684_800_000, lt=4_102_444_800_000)]
Id = str | int


class KnownFields(msgspec.Struct, forbid_unknown_fields=True, rename="camel", gc=False):
    """A part of the document of which every field is known."""


class Lap(KnownFields):
    """One lap; its fields are in the order of the dataset's columns."""

    start_timestamp: EpochMs | None = None
    distance: Amount | None = None
    moving_time: Amount | None = None
    total_time: Amount | None = None
    average_speed: Amount | None = None
    max_speed: Amount | None = None
    average_cadence: float | None = None
    max_cadence: float | None = None
    average_heart_rate: float | None = None
    max_heart_rate: float | None = None
    min_heart_rate: float | None = None
    elevation_gain: float | None = None
    max_elevation: float | None = None
    min_elevation: float | None = None
    wkt_step_index: Whole | None = None


class Step(KnownFields):
    """One step of the workout's template; a repeat holds further steps."""

    type: str | None = None
    intensity: str | None = None
    duration_type: str | None = None
    duration_value: Amount | None = None
    duration_value_type: str | None = None
    target_type: str | None = None
    step_order: Whole | None = None
    paces: Raw = Raw()
    repeat_value: float | None = None
    steps: "list[Step] | None" = None


class Pace(msgspec.Struct, gc=False):
    """One pace target; `text` and others are kept in the original JSON only."""

    mps: Amount | None = None


class Paces(msgspec.Struct, gc=False):
    """The pace targets of one step."""

    slow: Pace | None = None
    average: Pace | None = None
    fast: Pace | None = None


class Plan(KnownFields):
    """The training plan that the activity belongs to."""

    id: Id | None = None
    plan_length: WholeAmount | None = None


class PlannedWorkout(KnownFields):
    """The workout as it was planned."""

    workout_type: str | None = None
    run_type: str | None = None
    distance: Amount | None = None
    current_est_5k_time: Amount | None = msgspec.field(default=None, name="currentEst5kTimeInSecs")
    planned_workout_date: str | None = None
    steps_v2: list[Step] | None = None


class Activity(KnownFields):
    """A whole document. `waypoints`, most of its bytes, are passed over and never built."""

    activity_id: Id | None = None
    user_id: Id | None = None
    workout_id: Id | None = None
    record_type: str | None = None
    created_on: EpochMs | None = None
    week_of_plan: Whole | None = None
    unit_of_measure: str | None = None
    plan_details: Plan | None = None
    planned_workout_metadata: PlannedWorkout | None = None
    laps: list[Lap] | None = None
    waypoints: Raw = Raw()


class UnusableRecordError(ValueError):
    """A file, lap or step that cannot be used."""

    def __init__(self, reason_code: str, message: str) -> None:
        """Say why, in one stable word and in a sentence for the reader."""
        super().__init__(message)
        self.reason_code = reason_code


@dataclass(frozen=True, slots=True)
class Rejection:
    """One record for the quarantine.

    `position` is the lap's index, the first flattened index of the step, None for the whole file.
    """

    dataset: str
    position: int | None
    raw_text: str | None
    reason_code: str
    message: str


Row = tuple[object, ...]


@dataclass(slots=True)
class ActivityRows:
    """What one file gives.

    The rows are in the order of `PART_COLUMNS` in `runna_parts.py`, as far as the document gives the columns. Instants
    are epoch milliseconds, dates are text. `laps_read` and `steps_read` count good and bad ones. `unknown_fields`
    holds a pair of dataset and field for every record that has such a field.
    """

    activity: Row
    laps: list[Row]
    steps: list[Row]
    laps_read: int
    steps_read: int
    rejected: list[Rejection] = field(default_factory=list)
    unknown_fields: list[tuple[str, str]] = field(default_factory=list)


# What a step asks for, and what its JSON has besides. None is a hole: the place of a step that was rejected, kept free
# so that the steps after it still meet their laps.
StepColumns = tuple[Row, Row] | None
# Each with the number of its repetition, from 1, within the innermost repeat; None outside of repeats.
FlatSteps = list[tuple[StepColumns, int | None]]

_ACTIVITY = msgspec.json.Decoder(Activity)
_PACES = msgspec.json.Decoder(Paces)


def read_typed(text: bytes, file: int) -> ActivityRows:
    """Rows of a document that fits in every part, decoded in one go.

    Raises:
        msgspec.DecodeError, UnusableRecordError: some part does not fit.
    """
    activity = _ACTIVITY.decode(text)
    planned = activity.planned_workout_metadata
    steps = planned.steps_v2 if planned else None
    return rows(
        activity,
        laps=[(index, lap, None) for index, lap in enumerate(activity.laps or ())],
        steps=None if steps is None else _flatten(steps),
        extra=None,
        file=file,
    )


def rows(
    activity: Activity,
    *,
    laps: Sequence[tuple[int, Lap, str | None]],
    steps: FlatSteps | None,
    extra: str | None,
    file: int,
) -> ActivityRows:
    """Rows of an activity, its `laps` (position, lap, unknown fields as JSON) and flat `steps`.

    Raises:
        UnusableRecordError: a required id is missing, or the planned date is none.
    """
    activity_id = _required(activity.activity_id, "activityId", "missing_activity_id")
    user_id = _required(activity.user_id, "userId", "missing_user_id")
    plan = activity.plan_details or Plan()
    planned = activity.planned_workout_metadata or PlannedWorkout()
    created_on = activity.created_on
    if created_on is None:
        starts = [lap.start_timestamp for _, lap, _ in laps if lap.start_timestamp is not None]
        created_on = min(starts, default=None)
    # Tuples are added up, which is twice as fast as unpacking them into a new one.
    astuple = msgspec.structs.astuple
    lap_rows = [
        (file, index, lap_extra) + astuple(lap)  # noqa: RUF005
        for index, lap, lap_extra in laps
    ]
    step_rows = [
        (file, index, repetition) + columns[0] + columns[1]
        for index, (columns, repetition) in enumerate(steps or ())
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
        created_on,
        activity.week_of_plan,
        activity.unit_of_measure,
        planned.workout_type,
        planned.run_type,
        planned.distance,
        planned.current_est_5k_time,
        _date(planned.planned_workout_date),
        len(lap_rows),
        None if steps is None else len(steps),
        None if steps is None else _fingerprint(steps),
        extra,
    )
    return ActivityRows(activity_row, lap_rows, step_rows, len(lap_rows), len(step_rows))


def plain_step(step: Step, nested: Sequence[object] | None, extra: str | None) -> StepColumns:
    """The columns of a step that is no repeat; `nested` are the steps that it should not have.

    Raises:
        msgspec.ValidationError: its paces do not fit.
        UnusableRecordError: it repeats all the same.
    """
    if nested or (step.repeat_value or 0) > 1:
        raise UnusableRecordError(
            "wrong_value",
            f'type: expected "{REPEAT_STEP_TYPE}" of a step that repeats others, found '
            + msgspec.json.encode(step.type).decode(),
        )
    paces, paces_json = _NO_PACES, None
    if bytes(step.paces) not in (b"", b"null"):
        paces = _PACES.decode(step.paces)
        paces_json = msgspec.json.format(bytes(step.paces), indent=-1).decode()
    return (
        (
            step.type,
            step.intensity,
            step.duration_type,
            step.duration_value,
            step.duration_value_type,
            step.target_type,
            step.step_order,
            paces.slow.mps if paces.slow else None,
            paces.average.mps if paces.average else None,
            paces.fast.mps if paces.fast else None,
        ),
        (paces_json, extra),
    )


_NO_PACES = Paces()


def repeated(step: Step, block: FlatSteps) -> FlatSteps:
    """`block`, the flattened steps of the repeat `step`, written out as often as it says.

    Raises:
        UnusableRecordError: it does not say how often, has no steps, or asks for too much.
    """
    times = step.repeat_value
    if times is None or times % 1 or not 1 <= times <= MAX_REPETITIONS:
        raise UnusableRecordError(
            "wrong_value",
            f"repeatValue: expected a whole number from 1 to {MAX_REPETITIONS:,}, found "
            + msgspec.json.encode(times).decode(),
        )
    if not block:
        raise UnusableRecordError("wrong_value", "steps: expected at least one step to repeat, found none")
    refuse_too_many_steps(int(times) * len(block))
    return [(columns, inner or repetition) for repetition in range(1, int(times) + 1) for columns, inner in block]


def refuse_too_many_steps(count: int) -> None:
    """Raise UnusableRecordError when a workout would flatten to more steps than any real one."""
    if count > MAX_STEPS:
        raise UnusableRecordError(
            "wrong_value", f"steps: expected at most {MAX_STEPS:,} flattened ones, found {count:,}"
        )


def _flatten(steps: Sequence[Step]) -> FlatSteps:
    flat: FlatSteps = []
    for step in steps:
        if step.type == REPEAT_STEP_TYPE:
            flat += repeated(step, _flatten(step.steps or ()))
        else:
            flat.append((plain_step(step, step.steps, None), None))
    refuse_too_many_steps(len(flat))
    return flat


def _fingerprint(steps: FlatSteps) -> str:
    """MD5 over what the steps ask for; layout and unknown fields of the JSON leave it the same."""
    meaning = [(columns and columns[0], repetition) for columns, repetition in steps]
    return hashlib.md5(msgspec.json.encode(meaning), usedforsecurity=False).hexdigest()


def _required(value: Id | None, name: str, reason_code: str) -> str:
    text = _optional(value)
    if text is None:
        raise UnusableRecordError(reason_code, f"{name}: expected an id, found " + msgspec.json.encode(value).decode())
    return text


def _optional(value: Id | None) -> str | None:
    """An id as text: one device sends `1`, another `"1"`; an empty one is none."""
    return None if value is None or value == "" else str(value)


def _date(text: str | None) -> str | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise UnusableRecordError(
            "wrong_value",
            "plannedWorkoutMetadata.plannedWorkoutDate: expected a date YYYY-MM-DD, found "
            + msgspec.json.encode(text).decode(),
        ) from error

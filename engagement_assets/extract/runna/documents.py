"""A Runna activity document: its parts and their limits.

Belongs here: the typed structs of the document, and what reading one gives. Not here: which column a field becomes
(`rows.py`), a document that does not fit (`activity_files.py`), impossible measurements (`device_values.py`).
"""

from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from engagement_assets.contracts.field_notes import Note
from engagement_assets.extract.absent_values import BLANKS

# Every number is decoded as float, because devices send 721401 and 721401.0 alike. A float holds integers exactly up to
# 2**53, which is the limit for BIGINT columns. Fractions of such amounts are rounded later.
_EXACT = 2**53
Amount = Annotated[float, Meta(ge=0, le=_EXACT, description="a number that is not negative")]
WholeAmount = Annotated[float, Meta(ge=0, le=_EXACT, multiple_of=1, description="a whole number, not negative")]
Whole = Annotated[float, Meta(ge=-_EXACT, le=_EXACT, multiple_of=1, description="a whole number")]
Number = Annotated[float, Meta(description="a number")]
# Any number: which times are impossible depends on the batch.
EpochMs = Annotated[float, Meta(description="an epoch in milliseconds")]
# A text of blanks does not fit: such a document is taken apart, without the field.
Text = Annotated[str, Meta(pattern=f"[^{BLANKS}]", description="a text")]
Id = Text | int


def note(meaning: str, example: object = None, unit: str = "", *, required: bool = False) -> Meta:
    """What people who write documents must know of a field; it does not change how the field is read."""
    return Meta(extra={"note": Note(meaning, example, unit), "required": required})


class KnownFields(msgspec.Struct, forbid_unknown_fields=True, rename="camel", gc=False):
    """A part of the document that has only known fields."""


class Lap(KnownFields):
    """One lap; its fields are in the order of the dataset's columns."""

    start_timestamp: Annotated[EpochMs | None, note("When the lap began", 1704441600000, "ms")] = None
    distance: Annotated[Amount | None, note("Distance", 1000.0, "m")] = None
    moving_time: Annotated[Amount | None, note("Time in motion", 300000, "ms")] = None
    total_time: Annotated[Amount | None, note("Time from start to end", 305000, "ms")] = None
    average_speed: Annotated[Amount | None, note("Average speed", 3.33, "m/s")] = None
    max_speed: Annotated[Amount | None, note("Highest speed", 4.1, "m/s")] = None
    average_cadence: Annotated[Number | None, note("Average cadence", 86, "per minute")] = None
    max_cadence: Annotated[Number | None, note("Highest cadence", 92, "per minute")] = None
    average_heart_rate: Annotated[Number | None, note("Average heart rate", 150, "per minute")] = None
    max_heart_rate: Annotated[Number | None, note("Highest heart rate", 165, "per minute")] = None
    min_heart_rate: Annotated[Number | None, note("Lowest heart rate", 121, "per minute")] = None
    elevation_gain: Annotated[Number | None, note("Height climbed", 8.5, "m")] = None
    max_elevation: Annotated[Number | None, note("Highest point", 655.0, "m")] = None
    min_elevation: Annotated[Number | None, note("Lowest point", 640.5, "m")] = None
    wkt_step_index: Annotated[
        Whole | None, note("The device's index of the step; laps are matched by their order instead", 0)
    ] = None


class Step(KnownFields):
    """One step of the workout's template; a repeat holds further steps."""

    type: Annotated[
        Text | None,
        note("Kind of the step; `WorkoutRepeatStep` stands for its `steps`, `repeatValue` times", "WorkoutStep"),
    ] = None
    intensity: Annotated[Text | None, note("Warm-up, effort, rest or cool-down", "ACTIVE")] = None
    duration_type: Annotated[Text | None, note("What ends the step", "DISTANCE")] = None
    duration_value: Annotated[Amount | None, note("How much of it", 1, "as `durationValueType` says")] = None
    duration_value_type: Annotated[Text | None, note("Unit of `durationValue`", "KILOMETER")] = None
    target_type: Annotated[Text | None, note("What the step asks for", "PACE")] = None
    step_order: Annotated[Whole | None, note("The sender's number of the step", 1)] = None
    paces: Annotated[
        Raw,
        note(
            "Pace targets: `slow`, `average` and `fast`, each an object with `mps`",
            {"slow": {"mps": 3.1}, "average": {"mps": 3.3}, "fast": {"mps": 3.5}},
            "m/s",
        ),
    ] = Raw()
    repeat_value: Annotated[
        Number | None,
        note("How often a `WorkoutRepeatStep` repeats its `steps`, from 1 to 1,000; more than 1 is refused elsewhere"),
    ] = None
    steps: Annotated["list[Step] | None", note("The steps that a `WorkoutRepeatStep` repeats")] = None


class Pace(msgspec.Struct, gc=False):
    """One pace target; its other fields are kept only in the original JSON."""

    mps: Amount | None = None


class Paces(msgspec.Struct, gc=False):
    """The pace targets of one step."""

    slow: Pace | None = None
    average: Pace | None = None
    fast: Pace | None = None


class Plan(KnownFields):
    """The training plan that the activity belongs to."""

    id: Annotated[Id | None, note("The plan", "plan-1")] = None
    plan_length: Annotated[WholeAmount | None, note("Length of the plan", 12, "weeks")] = None


class PlannedWorkout(KnownFields):
    """The workout as it was planned."""

    workout_type: Annotated[Text | None, note("Kind of the workout", "RUN")] = None
    run_type: Annotated[Text | None, note("Kind of the run; TEMPO ones are counted", "TEMPO")] = None
    distance: Annotated[Amount | None, note("Planned distance", 10, "as `unitOfMeasure` says")] = None
    current_est_5k_time: Annotated[Amount | None, note("Estimated time of 5 km", 1500, "s")] = msgspec.field(
        default=None, name="currentEst5kTimeInSecs"
    )
    planned_workout_date: Annotated[
        Text | None, note("When it was planned, a date YYYY-MM-DD; a time may follow", "2024-01-05")
    ] = None
    steps_v2: Annotated[list[Step] | None, note("Steps in the order in which they are to be run")] = None


class Activity(KnownFields):
    """A whole document. `waypoints`, most of its bytes, are skipped without being decoded."""

    activity_id: Annotated[Id | None, note("The activity", "activity-1", required=True)] = None
    user_id: Annotated[Id | None, note("Who ran", "user-1", required=True)] = None
    workout_id: Annotated[Id | None, note("The workout that was run", "workout-1")] = None
    record_type: Annotated[Text | None, note("Who recorded it", "GARMIN")] = None
    created_on: Annotated[
        EpochMs | None, note("When it began; without it the start of the earliest lap counts", 1704441600000, "ms")
    ] = None
    week_of_plan: Annotated[Whole | None, note("Week of the plan, from 1", 3)] = None
    unit_of_measure: Annotated[Text | None, note("Unit of planned distances, KILOMETERS or MILES", "KILOMETERS")] = None
    plan_details: Annotated[Plan | None, note("The plan")] = None
    planned_workout_metadata: Annotated[PlannedWorkout | None, note("The workout as planned")] = None
    laps: Annotated[list[Lap] | None, note("Laps in the order in which they were run")] = None
    waypoints: Annotated[Raw, note("Points of the track; they are skipped, and never kept")] = Raw()


class UnusableRecordError(ValueError):
    """A file, lap or step that cannot be used."""

    def __init__(self, reason_code: str, message: str) -> None:
        """Say why, by a stable code and in a sentence for the reader."""
        super().__init__(message)
        self.reason_code = reason_code


@dataclass(frozen=True, slots=True)
class Rejection:
    """One record for the quarantine; `position` is the lap's or the step's first flattened index, None for a file."""

    dataset: str
    position: int | None
    raw_text: str | None
    reason_code: str
    message: str


Row = tuple[object, ...]


@dataclass(slots=True)
class ActivityRows:
    """What one file gives: rows with the document's columns of `PART_COLUMNS` (`runna/parts.py`), in that order.

    Instants are epoch milliseconds, dates are text. `laps_read` and `steps_read` include rejected ones.
    `unknown_fields` has a pair of dataset and field for every record with such a field.
    """

    activity: Row
    laps: list[Row]
    steps: list[Row]
    laps_read: int
    steps_read: int
    rejected: list[Rejection] = field(default_factory=list)
    unknown_fields: list[tuple[str, str]] = field(default_factory=list)

"""A Runna activity document: its parts and their limits.

Belongs here: the typed structs of the document, and what reading one gives. Not here: which column a field becomes
(`rows.py`), a document that does not fit (`activity_files.py`), impossible measurements (`device_values.py`).
"""

from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from engagement_assets.extract.absent_values import BLANKS

# Every number is decoded as float, because devices send 721401 and 721401.0 alike. A float holds integers exactly up to
# 2**53, which is the limit for BIGINT columns. Fractions of such amounts are rounded later.
_EXACT = 2**53
Amount = Annotated[float, Meta(ge=0, le=_EXACT)]
WholeAmount = Annotated[float, Meta(ge=0, le=_EXACT, multiple_of=1)]
Whole = Annotated[float, Meta(ge=-_EXACT, le=_EXACT, multiple_of=1)]
# Any number: which times are impossible depends on the batch.
EpochMs = float
# A text of blanks does not fit: such a document is taken apart, without the field.
Text = Annotated[str, Meta(pattern=f"[^{BLANKS}]")]
Id = Text | int


class KnownFields(msgspec.Struct, forbid_unknown_fields=True, rename="camel", gc=False):
    """A part of the document that has only known fields."""


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

    type: Text | None = None
    intensity: Text | None = None
    duration_type: Text | None = None
    duration_value: Amount | None = None
    duration_value_type: Text | None = None
    target_type: Text | None = None
    step_order: Whole | None = None
    paces: Raw = Raw()
    repeat_value: float | None = None
    steps: "list[Step] | None" = None


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

    id: Id | None = None
    plan_length: WholeAmount | None = None


class PlannedWorkout(KnownFields):
    """The workout as it was planned."""

    workout_type: Text | None = None
    run_type: Text | None = None
    distance: Amount | None = None
    current_est_5k_time: Amount | None = msgspec.field(default=None, name="currentEst5kTimeInSecs")
    planned_workout_date: Text | None = None
    steps_v2: list[Step] | None = None


class Activity(KnownFields):
    """A whole document. `waypoints`, most of its bytes, are skipped without being decoded."""

    activity_id: Id | None = None
    user_id: Id | None = None
    workout_id: Id | None = None
    record_type: Text | None = None
    created_on: EpochMs | None = None
    week_of_plan: Whole | None = None
    unit_of_measure: Text | None = None
    plan_details: Plan | None = None
    planned_workout_metadata: PlannedWorkout | None = None
    laps: list[Lap] | None = None
    waypoints: Raw = Raw()


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

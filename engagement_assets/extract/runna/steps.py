"""The steps of a Runna workout, flattened: repeats written out in the order in which laps perform them.

Belongs here: the columns of one step, what a repeat stands for, how many steps a workout may have. Not here: what
happens to a step that does not fit (`activity_files.py`).
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from engagement_assets.extract.runna.documents import Paces, Row, Step, UnusableRecordError

REPEAT_STEP_TYPE = "WorkoutRepeatStep"
MAX_REPETITIONS = 1_000
# Sample workouts flatten to 5 and 18 steps. Nested repeats multiply: a few bytes could stand for billions.
MAX_STEPS = 10_000

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
        """MD5 over what the steps ask for, whatever the layout and the unknown fields of the JSON.

        Steps that are followed by others of unknown number and places have another one than these steps alone.
        """
        meaning: list[object] = [(columns and columns[0], repetition) for columns, repetition in self.steps]
        if not self.are_placed:
            meaning.append("steps without a place")
        return hashlib.md5(msgspec.json.encode(meaning), usedforsecurity=False).hexdigest()


_PACES = msgspec.json.Decoder(Paces)
_NO_PACES = Paces()


def flatten(steps: Sequence[Step]) -> FlatSteps:
    """The flattened steps of a workout in which every step fits.

    Raises:
        msgspec.ValidationError, UnusableRecordError: some step does not.
    """
    flat: FlatSteps = []
    for step in steps:
        if step.type == REPEAT_STEP_TYPE:
            flat += repeated(step, flatten(step.steps or ()))
        else:
            paces = _PACES.decode(step.paces) if bytes(step.paces) not in (b"", b"null") else _NO_PACES
            flat.append((plain_step(step, paces, step.steps, None), None))
    refuse_too_many_steps(len(flat))
    return flat


def plain_step(step: Step, paces: Paces, nested: Sequence[object] | None, extra: str | None) -> StepColumns:
    """The columns of a step that is not a repeat; `nested` are the steps that it should not have.

    Raises:
        UnusableRecordError: it has nested steps, or repeats.
    """
    if nested or (step.repeat_value or 0) > 1:
        raise UnusableRecordError(
            "wrong_value",
            f'type: expected "{REPEAT_STEP_TYPE}" of a step that repeats others, found '
            + msgspec.json.encode(step.type).decode(),
        )
    paces_json = None
    if bytes(step.paces) not in (b"", b"null"):
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


def repeated(step: Step, block: FlatSteps) -> FlatSteps:
    """`block`, the flattened steps of the repeat `step`, written out as often as it says.

    Raises:
        UnusableRecordError: it does not say how often, has no steps, or makes too many.
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

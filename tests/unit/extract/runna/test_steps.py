"""Steps of a Runna workout that cannot be used: which places they keep, and what becomes of those after them."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engagement_assets.extract.runna.activity_files import read_activity
from engagement_assets.extract.runna.documents import ActivityRows
from engagement_assets.extract.runna.parts import PART_COLUMNS
from engagement_assets.extract.runna.rows import MAX_STEPS

FIXTURES = Path(__file__).parents[3] / "fixtures" / "runna"
STEPS = "raw_runna/workout_steps"
# Where they stand in a row.
STEP_INDEX = 1
LAP_COUNT, STEP_COUNT, STEPS_MD5 = (
    list(PART_COLUMNS["activities"]).index(name) for name in ("lap_count", "step_count", "steps_md5")
)


def read(name: str) -> ActivityRows:
    return read_activity((FIXTURES / name).read_bytes(), 0)


def document() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FIXTURES / "activity.json").read_bytes())
    return content


@pytest.mark.parametrize(
    ("name", "index", "holes", "reason_code", "message"),
    [
        (
            "step_duration_as_text.json",
            0,
            [0],
            "wrong_type",
            "stepsV2[0].durationValue: expected `float | null`, found a text of 3 characters",
        ),
        (
            "step_in_a_repeat_with_negative_pace.json",
            2,
            [2, 4],
            "negative_value",
            "stepsV2[1].steps[1].paces.slow.mps: expected `float` >= 0.0, found -3.0",
        ),
        (
            "middle_step_with_bad_duration.json",
            1,
            [1],
            "negative_value",
            "stepsV2[1].durationValue: expected `float` >= 0.0, found -1",
        ),
        (
            "last_step_with_bad_duration.json",
            1,
            [1],
            "negative_value",
            "stepsV2[1].durationValue: expected `float` >= 0.0, found -1",
        ),
    ],
)
def test_a_bad_plain_step_goes_alone_and_leaves_its_place(
    name: str, index: int, holes: list[int], reason_code: str, message: str
) -> None:
    found = read(name)
    [rejection] = found.rejected
    assert (rejection.dataset, rejection.position) == (STEPS, index)
    assert (rejection.reason_code, rejection.message) == (reason_code, message)
    step_count = len(found.steps) + len(holes)
    assert found.activity[STEP_COUNT] == step_count
    assert [row[STEP_INDEX] for row in found.steps] == [number for number in range(step_count) if number not in holes]
    assert found.steps_read == len(found.steps) + 1
    assert found.activity[LAP_COUNT] == len(found.laps) > 0


@pytest.mark.parametrize(
    ("name", "index", "without_a_place", "reason_code", "message"),
    [
        (
            "plain_step_that_repeats.json",
            5,
            0,
            "wrong_value",
            'stepsV2[2].type: expected "WorkoutRepeatStep" of a step that repeats others, '
            "found a text of 11 characters",
        ),
        (
            "repeat_without_value.json",
            1,
            1,
            "wrong_value",
            "stepsV2[1].repeatValue: expected a whole number from 1 to 1,000, found nothing",
        ),
        (
            "repeat_of_no_times.json",
            1,
            1,
            "wrong_value",
            "stepsV2[1].repeatValue: expected a whole number from 1 to 1,000, found 0.0",
        ),
        (
            "repeat_of_1001_times.json",
            1,
            1,
            "wrong_value",
            "stepsV2[1].repeatValue: expected a whole number from 1 to 1,000, found 1001.0",
        ),
        (
            "repeat_without_steps.json",
            1,
            1,
            "wrong_value",
            "stepsV2[1].steps: expected at least one step to repeat, found none",
        ),
        (
            "repeat_with_bad_order.json",
            1,
            1,
            "wrong_value",
            "stepsV2[1].stepOrder: expected `float` that's a multiple of 1.0, found 1.5",
        ),
        (
            "repeat_with_bad_duration.json",
            1,
            1,
            "negative_value",
            "stepsV2[1].durationValue: expected `float` >= 0.0, found -1",
        ),
        (
            "repeats_of_a_million_steps.json",
            0,
            1,
            "wrong_value",
            "stepsV2[0].steps: expected at most 10,000 flattened ones, found 1,000,000",
        ),
    ],
)
def test_the_steps_after_one_of_unknown_length_have_no_place(
    name: str, index: int, without_a_place: int, reason_code: str, message: str
) -> None:
    found = read(name)
    rejection, *others = found.rejected
    assert (rejection.dataset, rejection.position) == (STEPS, index)
    assert (rejection.reason_code, rejection.message) == (reason_code, message)
    bad = message.partition(".")[0]
    assert [(one.dataset, one.position, one.reason_code, one.message) for one in others] == [
        (
            STEPS,
            index + 1 + number,
            "no_place",
            f"stepsV2[{index + 1 + number}]: expected a known number of flattened steps before it, found {bad}, "
            "which was rejected and may stand for any number",
        )
        for number in range(without_a_place)
    ]
    assert [row[STEP_INDEX] for row in found.steps] == list(range(index))
    assert found.activity[STEP_COUNT] is None
    assert found.steps_read == index + 1 + without_a_place
    assert found.activity[LAP_COUNT] == len(found.laps) > 0


@pytest.mark.parametrize(
    ("bad", "is_plain"),
    [
        ({"type": "WorkoutStep", "durationValue": -1}, True),
        ({"durationValue": -1, "steps": [], "repeatValue": ""}, True),
        ({"type": "WorkoutStep", "durationValue": -1, "steps": [{}]}, False),
        ({"type": "WorkoutStep", "durationValue": -1, "repeatValue": 3}, False),
        ({"type": "WorkoutRepeatStep", "durationValue": -1}, False),
        ({"type": 7}, False),
        (7, False),
        (None, False),
    ],
)
def test_only_what_says_nothing_of_repeating_is_known_to_be_one_step(bad: Any, is_plain: bool) -> None:
    content = document()
    content["plannedWorkoutMetadata"]["stepsV2"] = [bad, {"type": "WorkoutStep", "intensity": "ACTIVE"}]
    found = read_activity(msgspec.json.encode(content), 0)
    assert [row[STEP_INDEX] for row in found.steps] == ([1] if is_plain else [])
    assert found.activity[STEP_COUNT] == (2 if is_plain else None)


def test_a_repeat_around_a_step_of_unknown_length_is_read_up_to_it() -> None:
    content = document()
    step = {"type": "WorkoutStep"}
    repeat = {"type": "WorkoutRepeatStep", "repeatValue": 3, "steps": [step, {"type": "WorkoutRepeatStep"}, step]}
    content["plannedWorkoutMetadata"]["stepsV2"] = [step, repeat, step]
    found = read_activity(msgspec.json.encode(content), 0)
    assert [row[STEP_INDEX] for row in found.steps] == [0, 1]
    assert [(one.position, one.reason_code, one.message.partition(":")[0]) for one in found.rejected] == [
        (2, "wrong_value", "stepsV2[1].steps[1].repeatValue"),
        (3, "no_place", "stepsV2[1].steps[2]"),
        (4, "no_place", "stepsV2[2]"),
    ]
    assert (found.activity[STEP_COUNT], found.steps_read) == (None, 5)


def test_steps_of_unknown_number_are_others_than_those_before_them() -> None:
    content = document()
    content["plannedWorkoutMetadata"]["stepsV2"] = [{"type": "WorkoutStep"}, {"durationValue": -1}]
    known = read_activity(msgspec.json.encode(content), 0).activity[STEPS_MD5]
    content["plannedWorkoutMetadata"]["stepsV2"][1]["repeatValue"] = 2
    assert read_activity(msgspec.json.encode(content), 0).activity[STEPS_MD5] != known


def test_steps_beyond_the_limit_are_rejected_one_by_one() -> None:
    content = document()
    step = content["plannedWorkoutMetadata"]["stepsV2"][0]
    content["plannedWorkoutMetadata"]["stepsV2"] = [step] * (MAX_STEPS + 2)
    found = read_activity(msgspec.json.encode(content), 0)
    assert len(found.steps) == MAX_STEPS
    assert [(one.position, one.reason_code) for one in found.rejected] == [
        (MAX_STEPS, "wrong_value"),
        (MAX_STEPS + 1, "wrong_value"),
    ]


def test_a_rejected_repeat_speaks_for_the_bad_steps_in_it() -> None:
    content = document()
    repeat = content["plannedWorkoutMetadata"]["stepsV2"][1]
    repeat["repeatValue"] = 0
    repeat["steps"][0] = {"type": "WorkoutStep", "durationValue": -1, "unknown": 1}
    found = read_activity(msgspec.json.encode(content), 0)
    assert [(one.message.partition(", found ")[0], one.reason_code) for one in found.rejected] == [
        ("stepsV2[1].repeatValue: expected a whole number from 1 to 1,000", "wrong_value"),
        ("stepsV2[2]: expected a known number of flattened steps before it", "no_place"),
    ]
    assert "found stepsV2[1], which" in found.rejected[1].message
    assert found.unknown_fields == []

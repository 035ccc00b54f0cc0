"""What is wrong with a Runna activity file, lap or step, in which words, and what is kept."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_assets.extract.runna_activity_files import read_activity
from engagement_assets.extract.runna_documents import ActivityRows, UnusableRecordError
from engagement_assets.extract.runna_members import clipped
from engagement_assets.extract.runna_parts import PART_COLUMNS
from engagement_assets.extract.runna_steps import MAX_STEPS

FIXTURES = Path(__file__).parents[2] / "fixtures" / "runna"
LAPS = "raw_runna/activity_laps"
STEPS = "raw_runna/workout_steps"
# Where they stand in a row.
LAP_INDEX = STEP_INDEX = 1
LAP_COUNT, STEP_COUNT, STEPS_MD5 = (
    list(PART_COLUMNS["activities"]).index(name) for name in ("lap_count", "step_count", "steps_md5")
)


def read(name: str) -> ActivityRows:
    return read_activity((FIXTURES / name).read_bytes(), 0)


def document() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FIXTURES / "activity.json").read_bytes())
    return content


@pytest.mark.parametrize(
    ("name", "reason_code", "message"),
    [
        (
            "not_json.json",
            "not_json",
            "expected a JSON document: JSON is malformed: invalid character (byte 1)",
        ),
        (
            "surrogate_alone.json",
            "not_json",
            "expected a JSON document: JSON is malformed: unexpected end of hex escape (byte 73)",
        ),
        (
            "truncated.json",
            "truncated_json",
            "expected a whole JSON document, found only its beginning",
        ),
        ("empty.json", "empty_file", "expected a JSON document, found nothing"),
        ("only_white_space.json", "empty_file", "expected a JSON document, found nothing"),
        ("latin_1.json", "not_utf8", "expected UTF-8, found byte 0xdc at offset 67"),
        ("utf_16.json", "not_utf8", "expected UTF-8, found byte 0xff at offset 0"),
        (
            "nested_too_deep.json",
            "nesting_too_deep",
            "expected a document of a few levels, found hundreds",
        ),
        (
            "list.json",
            "not_an_object",
            'expected a JSON object, found [{"activityId": "activity-1", "userId": "user-1"}]',
        ),
        (
            "activity_id_absent.json",
            "missing_activity_id",
            "activityId: expected an id, found none",
        ),
        ("activity_id_empty.json", "missing_activity_id", "activityId: expected an id, found none"),
        ("user_id_null.json", "missing_user_id", "userId: expected an id, found none"),
        ("user_id_of_blanks.json", "missing_user_id", "userId: expected an id, found none"),
        (
            "week_of_plan_as_text.json",
            "wrong_type",
            'weekOfPlan: expected `float | null`, found "six"',
        ),
        ("plan_details_as_text.json", "wrong_type", 'planDetails: expected an object, found "x"'),
        ("laps_as_text.json", "wrong_type", 'laps: expected a list, found "none"'),
        (
            "planned_date_of_another_form.json",
            "wrong_value",
            'plannedWorkoutMetadata.plannedWorkoutDate: expected a date YYYY-MM-DD, found "05/02/2024"',
        ),
        (
            "created_on_as_text.json",
            "wrong_type",
            'createdOn: expected `float | null`, found "2024-02-05T16:21:53Z"',
        ),
    ],
)
def test_a_file_that_cannot_be_used_says_why(name: str, reason_code: str, message: str) -> None:
    with pytest.raises(UnusableRecordError) as refused:
        read(name)
    assert (refused.value.reason_code, str(refused.value)) == (reason_code, message)


@pytest.mark.parametrize(
    "text", ["2024-02-05T06:00 Europe/Madrid", "2024-02-05T", "2024-02-30T06:00:00Z", "2024-02-05 6 am", "5.2.2024"]
)
def test_a_planned_date_that_is_none_says_so(text: str) -> None:
    content = document()
    content["plannedWorkoutMetadata"]["plannedWorkoutDate"] = text
    with pytest.raises(UnusableRecordError, match="plannedWorkoutDate: expected a date YYYY-MM-DD, found") as refused:
        read_activity(msgspec.json.encode(content), 0)
    assert refused.value.reason_code == "wrong_value"


def test_a_document_that_is_cut_anywhere_is_truncated() -> None:
    text = (FIXTURES / "activity.json").read_bytes().rstrip()
    for length in range(1, len(text), 97):
        with pytest.raises(UnusableRecordError) as refused:
            read_activity(text[:length], 0)
        assert refused.value.reason_code == "truncated_json"


@pytest.mark.parametrize(
    ("name", "index", "reason_code", "message"),
    [
        (
            "lap_distance_as_text.json",
            1,
            "wrong_type",
            'laps[1].distance: expected `float | null`, found "far"',
        ),
        (
            "lap_distance_out_of_range.json",
            0,
            "not_a_number",
            "laps[0].distance: number out of range, found 1e999",
        ),
        (
            "lap_negative_duration.json",
            2,
            "negative_value",
            "laps[2].movingTime: expected `float` >= 0.0, found -5",
        ),
        ("lap_null.json", 3, "wrong_type", "laps[3]: expected an object, found null"),
    ],
)
def test_a_bad_lap_goes_alone(name: str, index: int, reason_code: str, message: str) -> None:
    found = read(name)
    [rejection] = found.rejected
    assert (rejection.dataset, rejection.position) == (LAPS, index)
    assert (rejection.reason_code, rejection.message) == (reason_code, message)
    assert (
        json.loads(rejection.raw_text or "", parse_constant=str)
        == (json.loads((FIXTURES / name).read_bytes())["laps"][index])
    )
    assert [row[LAP_INDEX] for row in found.laps] == [n for n in range(4) if n != index]
    assert (found.laps_read, found.steps_read, len(found.steps)) == (4, 6, 6)


def test_words_that_json_lacks_are_no_numbers() -> None:
    found = read("lap_not_a_number.json")
    assert [(one.position, one.reason_code, one.message) for one in found.rejected] == [
        (1, "not_a_number", "laps[1].averageSpeed: expected `float | null`, found NaN"),
        (2, "not_a_number", "laps[2].maxSpeed: expected `float | null`, found -Infinity"),
    ]
    assert '"averageSpeed": NaN' in (found.rejected[0].raw_text or "")
    assert [row[LAP_INDEX] for row in found.laps] == [0, 3]


def test_a_waypoint_that_is_no_number_does_no_harm() -> None:
    text = (FIXTURES / "activity.json").read_bytes()
    found = read_activity(text.replace(b'"power": 0', b'"power": NaN, "note": "NaN \\" NaN"'), 0)
    assert found == read_activity(text, 0)


@pytest.mark.parametrize(
    ("name", "index", "holes", "reason_code", "message"),
    [
        (
            "step_duration_as_text.json",
            0,
            [0],
            "wrong_type",
            'stepsV2[0].durationValue: expected `float | null`, found "far"',
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
            'stepsV2[2].type: expected "WorkoutRepeatStep" of a step that repeats others, found "WorkoutStep"',
        ),
        (
            "repeat_without_value.json",
            1,
            1,
            "wrong_value",
            "stepsV2[1].repeatValue: expected a whole number from 1 to 1,000, found null",
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


def test_hundreds_of_nested_repeats_do_not_end_the_process() -> None:
    text = b'{"activityId":1,"userId":1,"plannedWorkoutMetadata":{"stepsV2":[%b]}}'
    nested = b'{"type":"WorkoutRepeatStep","repeatValue":1,"steps":[' * 600 + b"]}" * 600
    with pytest.raises(UnusableRecordError) as refused:
        read_activity(text % nested, 0)
    assert refused.value.reason_code == "nesting_too_deep"


def test_raw_text_is_64_kib_of_valid_utf8_at_most() -> None:
    assert clipped(b"a" * 70_000) == "a" * 65_536
    assert clipped(b"\xff" * 65_536) == "\ufffd" * 21_845
    assert clipped("é".encode() * 40_000) == "é" * 32_768
    assert clipped(b"x" + "é".encode() * 40_000) == "x" + "é" * 32_767


good_or_bad_laps = st.lists(
    st.sampled_from([{"distance": 1}, {"distance": -1}, {"distance": "x"}, None, {"odd": 1}, []]),
    max_size=8,
)
good_or_bad_steps = st.recursive(
    st.sampled_from([{"type": "WorkoutStep"}, {"durationValue": -1}, {"paces": 3}, 7, {"odd": 1}]),
    lambda inner: st.fixed_dictionaries(
        {
            "type": st.just("WorkoutRepeatStep"),
            "repeatValue": st.sampled_from([1, 2, 3, 0, None, 2.5]),
            "steps": st.lists(inner, max_size=3),
        }
    ),
    max_leaves=8,
)


@given(good_or_bad_laps, st.lists(good_or_bad_steps, max_size=5))
@settings(max_examples=80, deadline=None)
def test_nothing_that_was_read_is_lost(laps: list[Any], steps: list[Any]) -> None:
    content = {
        "activityId": 1,
        "userId": 1,
        "laps": laps,
        "plannedWorkoutMetadata": {"stepsV2": steps},
    }
    found = read_activity(msgspec.json.encode(content), 0)
    rejected = {name: [o for o in found.rejected if o.dataset == name] for name in (LAPS, STEPS)}
    assert found.laps_read == len(laps) == len(found.laps) + len(rejected[LAPS])
    assert found.steps_read == len(found.steps) + len(rejected[STEPS])
    places = {row[STEP_INDEX] for row in found.steps} | {o.position for o in rejected[STEPS]}
    assert len(places) == found.steps_read

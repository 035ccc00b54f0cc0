"""What is wrong with a Runna activity file, lap or step, in which words, and what is kept."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_assets.extract.runna import activity_files as runna_activity_files
from engagement_assets.extract.runna.activity_files import read_activity
from engagement_assets.extract.runna.documents import ActivityRows, UnusableRecordError
from engagement_assets.extract.runna.members import clipped

FIXTURES = Path(__file__).parents[3] / "fixtures" / "runna"
LAPS = "raw_runna/activity_laps"
STEPS = "raw_runna/workout_steps"
# Where they stand in a row.
LAP_INDEX = STEP_INDEX = 1


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
            "expected at most 128 levels of nesting, found more",
        ),
        (
            "list.json",
            "not_an_object",
            "expected a JSON object, found a list",
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
            "weekOfPlan: expected `float | null`, found a text of 3 characters",
        ),
        ("plan_details_as_text.json", "wrong_type", "planDetails: expected an object, found a text of 1 characters"),
        ("laps_as_text.json", "wrong_type", "laps: expected a list, found a text of 4 characters"),
        (
            "planned_date_of_another_form.json",
            "wrong_value",
            "plannedWorkoutMetadata.plannedWorkoutDate: expected a date YYYY-MM-DD, found a text of 10 characters",
        ),
        (
            "created_on_as_text.json",
            "wrong_type",
            "createdOn: expected `float | null`, found a text of 20 characters",
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
            "laps[1].distance: expected `float | null`, found a text of 3 characters",
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
        ("lap_null.json", 3, "wrong_type", "laps[3]: expected an object, found nothing"),
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


@pytest.mark.parametrize("member", [b"waypoints", b"note"])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a": ', b"}"), (b'["]", "[[", ', b"]")])
def test_128_levels_are_read_and_one_more_is_too_deep(member: bytes, opening: bytes, closing: bytes) -> None:
    """The limit is ours: the decoder's differs between versions of Python."""

    def read_levels(levels: int) -> ActivityRows:
        within = levels - 1
        nested = opening * within + b"0" + closing * within
        return read_activity(b'{"activityId": "1", "userId": "1", "%b": %b}' % (member, nested), 0)

    assert read_levels(128).laps == []
    with pytest.raises(UnusableRecordError, match="expected at most 128 levels of nesting, found more"):
        read_levels(129)


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


good_or_bad_laps: st.SearchStrategy[list[object]] = st.lists(
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


def _many(number: int) -> dict[str, int]:
    return {f"m{place}": place for place in range(number)}


def test_a_document_and_each_of_its_objects_has_a_thousand_members_at_most() -> None:
    known = {"activityId": "a", "userId": "u"}
    found = read_activity(msgspec.json.encode({**known, **_many(998), "laps": [{}, _many(1_000), _many(1_001)]}), 0)
    assert [(rejection.reason_code, rejection.message) for rejection in found.rejected] == [
        ("too_many_members", "laps[2]: expected at most 1,000 members, found 1,001")
    ]
    assert found.laps_read == 3
    for part in ("planDetails", "plannedWorkoutMetadata"):
        with pytest.raises(UnusableRecordError, match=f"{part}: expected at most 1,000 members, found 1,001"):
            read_activity(msgspec.json.encode({**known, part: _many(1_001)}), 0)
    with pytest.raises(UnusableRecordError, match="the document: expected at most 1,000 members, found 1,001") as error:
        read_activity(msgspec.json.encode({**known, **_many(999)}), 0)
    assert error.value.reason_code == "too_many_members"


def test_a_document_of_very_many_names_is_refused_before_they_take_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    text = msgspec.json.encode({"activityId": "a", "userId": "u", "new": [{"x": 1}] * 5})
    monkeypatch.setattr(runna_activity_files, "MAX_NAMES", 8)
    assert read_activity(text, 0).rejected == []
    monkeypatch.setattr(runna_activity_files, "MAX_NAMES", 7)
    with pytest.raises(UnusableRecordError, match="expected at most 7 names, found 8") as error:
        read_activity(text, 0)
    assert error.value.reason_code == "too_many_members"

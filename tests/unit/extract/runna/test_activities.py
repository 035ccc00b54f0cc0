"""What a good Runna activity document becomes, in both ways of reading it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_assets.extract.absent_values import is_absent
from engagement_assets.extract.runna.activity_files import read_activity, read_explaining
from engagement_assets.extract.runna.documents import (
    Activity,
    ActivityRows,
    Lap,
    Pace,
    Paces,
    Plan,
    PlannedWorkout,
    Step,
)
from engagement_assets.extract.runna.parts import PART_COLUMNS
from engagement_assets.extract.runna.rows import read_typed

FIXTURES = Path(__file__).parents[3] / "fixtures" / "runna"
NOT_IN_THE_DOCUMENT = ("source_path", "laps_read", "steps_read")
FIRST_LAP_MS = 1_707_150_113_000.0


def read(name: str) -> ActivityRows:
    return read_activity((FIXTURES / name).read_bytes(), 7)


def activity_of(found: ActivityRows) -> dict[str, Any]:
    names = [name for name in PART_COLUMNS["activities"] if name not in NOT_IN_THE_DOCUMENT]
    return dict(zip(names, found.activity, strict=True))


def laps_of(found: ActivityRows) -> list[dict[str, Any]]:
    return [dict(zip(PART_COLUMNS["laps"], row, strict=True)) for row in found.laps]


def steps_of(found: ActivityRows) -> list[dict[str, Any]]:
    return [dict(zip(PART_COLUMNS["steps"], row, strict=True)) for row in found.steps]


def test_an_activity_has_its_fields_in_the_order_of_the_columns() -> None:
    assert activity_of(read("activity.json")) == {
        "file": 7,
        "activity_id": "activity-1",
        "user_id": "user-1",
        "workout_id": "intervals",
        "plan_id": "HILLY_HALF",
        "plan_length_weeks": 10,
        "record_type": "GARMIN",
        "created_on": FIRST_LAP_MS,
        "week_of_plan": 6,
        "unit_of_measure": "KILOMETERS",
        "workout_type": "RUN",
        "run_type": "TEMPO",
        "workout_distance": 6.2,
        "current_est_5k_time_s": 1475,
        "planned_workout_date": "2024-02-05",
        "lap_count": 4,
        "step_count": 6,
        "steps_md5": "77de967833ee372751356017d1468619",
        "_extra": None,
    }


def test_a_lap_has_its_fields_in_the_order_of_the_columns() -> None:
    assert laps_of(read("activity.json"))[1] == {
        "file": 7,
        "lap_index": 1,
        "started_at": FIRST_LAP_MS + 721_401,
        "distance_m": 2000,
        "moving_time_ms": 721401,
        "total_time_ms": 721401,
        "average_speed_m_per_s": 2.772,
        "max_speed_m_per_s": 3.088,
        "average_cadence": 177,
        "max_cadence": 190,
        "average_heart_rate": 143.5,
        "max_heart_rate": 155,
        "min_heart_rate": 136,
        "elevation_gain_m": 9,
        "max_elevation_m": 64.4,
        "min_elevation_m": 60.2,
        "workout_template_step_index": 1,
        "_extra": None,
    }


def test_repeats_are_written_out_in_the_order_of_the_laps() -> None:
    steps = steps_of(read("activity.json"))
    assert [(step["step_index"], step["intensity"], step["repeat_number"]) for step in steps] == [
        (0, "WARMUP", None),
        (1, "ACTIVE", 1),
        (2, "REST", 1),
        (3, "ACTIVE", 2),
        (4, "REST", 2),
        (5, "COOLDOWN", None),
    ]
    assert steps[3] == {
        "file": 7,
        "step_index": 3,
        "step_type": "WorkoutStep",
        "intensity": "ACTIVE",
        "duration_type": "DISTANCE",
        "duration_value": 0.2,
        "duration_value_type": "KILOMETER",
        "target_type": "PACE",
        "step_order": None,
        "repeat_number": 2,
        "pace_slow_m_per_s": 3.0,
        "pace_average_m_per_s": 3.5,
        "pace_fast_m_per_s": 4.0,
        "paces_json": (
            '{"slow":{"text":"4:55","mps":3.0},"average":{"text":"4:45","mps":3.5},"fast":{"text":"4:35","mps":4.0}}'
        ),
        "_extra": None,
    }


def test_a_repeat_in_a_repeat_counts_its_own_repetitions() -> None:
    steps = steps_of(read("repeat_in_a_repeat.json"))
    assert [(step["intensity"], step["repeat_number"]) for step in steps] == [
        ("ACTIVE", 1),
        *[("REST", 1), ("REST", 2), ("REST", 3)],
        ("ACTIVE", 2),
        *[("REST", 1), ("REST", 2), ("REST", 3)],
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("laps_empty.json", {"lap_count": 0, "created_on": FIRST_LAP_MS}),
        ("laps_null.json", {"lap_count": 0, "created_on": FIRST_LAP_MS}),
        ("laps_absent_and_created_on_absent.json", {"lap_count": 0, "created_on": None}),
        ("created_on_null.json", {"lap_count": 4, "created_on": None}),
        ("created_on_as_empty_text.json", {"lap_count": 1, "created_on": None}),
        ("week_of_plan_as_empty_text.json", {"week_of_plan": None}),
        ("plan_details_as_empty_list.json", {"plan_id": None, "plan_length_weeks": None}),
        ("planned_workout_as_empty_list.json", {"run_type": None, "step_count": None, "steps_md5": None}),
        ("texts_of_blanks.json", {"record_type": None, "unit_of_measure": None, "workout_id": None}),
        ("steps_absent.json", {"step_count": None, "steps_md5": None}),
        (
            "steps_empty.json",
            {"step_count": 0, "steps_md5": "d751713988987e9331980363e24189ce"},
        ),
        ("no_plan.json", {"plan_id": None, "workout_id": None, "step_count": None}),
        ("ids_as_numbers.json", {"activity_id": "417", "workout_id": "1", "plan_id": None}),
    ],
)
def test_what_is_optional_and_missing_is_null(name: str, expected: dict[str, Any]) -> None:
    activity = activity_of(read(name))
    assert {column: activity[column] for column in expected} == expected


def places_of_optional_values(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where a document has, or could have, a value that may be absent."""
    if isinstance(value, list):
        # One lap and one step stand for all.
        yield from places_of_optional_values(value[0], (*path, 0)) if value else ()
    elif isinstance(value, dict):
        for name, member in value.items():
            if name not in ("activityId", "userId", "waypoints", "text"):
                yield (*path, name)
            yield from places_of_optional_values(member, (*path, name))


def whole_document() -> dict[str, Any]:
    """A document in which every field has a value."""
    document: dict[str, Any] = json.loads((FIXTURES / "activity.json").read_bytes())
    document["waypoints"] = []
    step = document["plannedWorkoutMetadata"]["stepsV2"][0]
    step |= {"targetType": "PACE", "paces": {name: {"mps": 3.0} for name in ("slow", "average", "fast")}}
    step |= {"stepOrder": 1, "repeatValue": 1, "steps": None}
    return document


PLACES = list(places_of_optional_values(whole_document()))


def put(document: dict[str, Any], path: tuple[str | int, ...], value: Any) -> ActivityRows:
    *above, last = path
    part: Any = document
    for name in above:
        part = part[name]
    part[last] = value
    found = read_activity(msgspec.json.encode(document), 0)
    # The pace targets are kept as they were sent.
    place = list(PART_COLUMNS["steps"]).index("paces_json")
    return replace(found, steps=[row[:place] + row[place + 1 :] for row in found.steps])


def test_every_field_has_a_place_among_the_optional_values() -> None:
    parts = (Activity, Plan, PlannedWorkout, Lap, Step, Paces, Pace)
    fields = {field.encode_name for part in parts for field in msgspec.structs.fields(part)}
    assert {path[-1] for path in PLACES} == fields - {"activityId", "userId", "waypoints"}


@pytest.mark.parametrize(
    ("path", "nothing"),
    [
        pytest.param(path, nothing, id=f"{'.'.join(map(str, path))}-{name}")
        for path in PLACES
        for name, nothing in (("empty_text", ""), ("blanks", " \u00a0\t"), ("empty_list", []))
        # A workout with an empty list of steps says what its steps are.
        if path[-1] != "stepsV2" or nothing != []
    ],
)
def test_what_says_nothing_is_as_good_as_null_in_every_field(path: tuple[str | int, ...], nothing: Any) -> None:
    assert put(whole_document(), path, nothing) == put(whole_document(), path, None)


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-05T06:00:00Z",
        "2024-02-05T23:30:00-05:00",
        "2024-02-05 00:30:00.250 +0200",
        "2024-02-05t06:00z",
        "2024-02-05",
    ],
)
def test_a_date_time_where_a_date_is_meant_is_that_date(text: str) -> None:
    found = put(whole_document(), ("plannedWorkoutMetadata", "plannedWorkoutDate"), text)
    assert activity_of(found)["planned_workout_date"] == "2024-02-05"
    assert activity_of(read("planned_date_with_time.json"))["planned_workout_date"] == "2024-02-05"


@pytest.mark.parametrize("name", ["byte_order_mark.json", "duplicated_keys.json"])
def test_the_writing_of_a_document_does_not_change_it(name: str) -> None:
    assert read(name) == read("activity.json")


def test_numbers_are_read_with_and_without_fractions() -> None:
    found = read("times_with_fractions.json")
    assert [lap["moving_time_ms"] for lap in laps_of(found)] == [721401, 0.5, 1.5, 2.6]
    assert activity_of(found)["week_of_plan"] == 6


def test_the_fingerprint_changes_with_the_steps_and_with_nothing_else() -> None:
    document = json.loads((FIXTURES / "activity.json").read_bytes())
    steps = document["plannedWorkoutMetadata"]["stepsV2"]
    same = activity_of(read("activity.json"))["steps_md5"]

    steps[1]["steps"][0]["paces"]["slow"] = {"__typename": "Pace", "mps": 3, "text": "5:33"}
    document["activityId"] = "another"
    assert activity_of(read_activity(msgspec.json.encode(document), 0))["steps_md5"] == same

    steps[1]["steps"][0]["paces"]["slow"]["mps"] = 3.01
    assert activity_of(read_activity(msgspec.json.encode(document), 0))["steps_md5"] != same


def test_unknown_fields_are_kept_and_named_once_per_record() -> None:
    found = read("unknown_fields.json")
    assert activity_of(found)["_extra"] == (
        '{"shoes":{"brand":"x"},"planDetails.coach":"c","plannedWorkoutMetadata.surface":"track"}'
    )
    assert [lap["_extra"] for lap in laps_of(found)] == [
        None,
        '{"power":250}',
        '{"power":240}',
        None,
    ]
    assert [step["_extra"] for step in steps_of(found)] == [
        '{"note":"easy"}',
        '{"repeat.label":"main","note":"hard"}',
        '{"repeat.label":"main"}',
        '{"repeat.label":"main","note":"hard"}',
        '{"repeat.label":"main"}',
        None,
    ]
    assert found.unknown_fields == [
        ("raw_runna/activities", "shoes"),
        ("raw_runna/activities", "planDetails.coach"),
        ("raw_runna/activities", "plannedWorkoutMetadata.surface"),
        ("raw_runna/activity_laps", "power"),
        ("raw_runna/activity_laps", "power"),
        ("raw_runna/workout_steps", "note"),
        ("raw_runna/workout_steps", "label"),
        ("raw_runna/workout_steps", "note"),
    ]
    assert found.rejected == []


amounts = st.none() | st.integers(0, 10**7) | st.floats(0, 1e7)
words = st.text(min_size=1, max_size=5).filter(lambda text: not is_absent(text))
texts = st.none() | words
ids = st.integers() | words
instants = st.none() | st.integers(-(10**18), 10**18)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


paces = st.none() | some(slow=some(mps=amounts), fast=st.none() | some(mps=amounts, text=texts))
plain_steps = st.fixed_dictionaries(
    {"type": st.sampled_from(["WorkoutStep", None])},
    optional={"intensity": texts, "durationValue": amounts, "paces": paces, "repeatValue": st.none()},
)
steps = st.recursive(
    plain_steps,
    lambda inner: st.fixed_dictionaries(
        {
            "type": st.just("WorkoutRepeatStep"),
            "repeatValue": st.integers(1, 3),
            "steps": st.lists(inner, min_size=1, max_size=3),
        }
    ),
    max_leaves=6,
)
laps = some(startTimestamp=instants, distance=amounts, movingTime=amounts, maxHeartRate=amounts)
documents = st.fixed_dictionaries(
    {"activityId": ids, "userId": ids},
    optional={
        "workoutId": st.none() | ids,
        "createdOn": instants,
        "weekOfPlan": st.none() | st.integers(-5, 60),
        "laps": st.none() | st.lists(laps, max_size=4),
        "planDetails": st.none() | some(id=st.none() | ids, planLength=st.integers(0, 60)),
        "plannedWorkoutMetadata": st.none()
        | some(runType=texts, distance=amounts, stepsV2=st.none() | st.lists(steps, max_size=4)),
        "waypoints": st.lists(some(distance=amounts), max_size=2),
    },
)


@given(documents)
@settings(max_examples=60, deadline=None)
def test_a_good_document_gives_the_same_rows_in_both_ways(document: dict[str, Any]) -> None:
    text = msgspec.json.encode(document)
    assert read_explaining(text, 1) == read_typed(text, 1)

"""What sample records look like and tell: the real key lists, plans that progress, all the states.

Belongs here: single records. Not here: the files, their defects and the ledger (see
`test_sample_data.py`).
"""

import gzip
import json
from collections import Counter, defaultdict
from datetime import date
from typing import Any

import pytest

from engagement_assets.sandbox.lingokids_sample import lingokids_files
from engagement_assets.sandbox.runna_plans import PLANS, Block, Runner, Step, planned_workout
from engagement_assets.sandbox.runna_sample import runna_files
from engagement_assets.sandbox.sample_draws import SampleParameters, broken_due, due
from engagement_assets.sandbox.sample_ledger import LedgerKeeper

# Keys of the real records, in their order. What is optional there may be absent here.
WATCH_KEYS = (
    "userId activityId workoutId recordType laps waypoints createdOn planDetails weekOfPlan "
    "unitOfMeasure plannedWorkoutMetadata"
)
PHONE_KEYS = (
    "userId activityId recordType workoutId planDetails weekOfPlan unitOfMeasure plannedWorkoutMetadata waypoints laps"
)
WATCH_LAP_KEYS = (
    "averageCadence averageHeartRate averageSpeed distance elevationGain maxCadence maxElevation "
    "minElevation maxHeartRate minHeartRate maxSpeed movingTime startTimestamp totalTime "
    "wktStepIndex"
)
PHONE_LAP_KEYS = "startTimestamp distance movingTime totalTime averageSpeed maxSpeed maxElevation minElevation"
WATCH_POINT_KEYS = "cadence distance elevation heartRate movingTime speed timestamp power strideLength"
PHONE_POINT_KEYS = (
    "timestamp movingTime distance speed elevation stepIndex lapIndex rawSpeed accuracy elevationAccuracy type"
)
PLANNED_KEYS = "workoutType runType distance currentEst5kTimeInSecs plannedWorkoutDate stepsV2"
STEP_KEYS = "type intensity durationType durationValue durationValueType targetType paces"
PHONE_STEP_KEYS = "steps type repeatValue intensity durationType durationValue durationValueType targetType paces"
EVENT_KEYS = "event_id name occurred_at user_id child_id data context"
DATA_KEYS = "activity_id source duration completed collection_id loading_time"
USER_KEYS = (
    "user_id children_ids country_code registration_at trial_start_at trial_end_at "
    "subscription_start_at subscription_expire_at"
)

Record = dict[str, Any]


def _parameters() -> SampleParameters:
    return SampleParameters(20240101, date(2024, 1, 1), 35, 25, 100)


def _parsed(lines: list[bytes]) -> list[Record]:
    """The whole records; broken ones have tests of their own."""
    records = []
    for line in lines:
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return records


@pytest.fixture(scope="module")
def runs() -> list[Record]:
    return _parsed([content for _, content in runna_files(_parameters(), LedgerKeeper())])


@pytest.fixture(scope="module")
def lingokids() -> dict[str, list[Record]]:
    """Records by folder: events, users, activities."""
    records: dict[str, list[Record]] = defaultdict(list)
    for key, content in lingokids_files(_parameters(), LedgerKeeper()):
        data = gzip.decompress(content) if key.endswith(".gz") else content
        records[key.split("/")[1]] += _parsed(data.splitlines())
    return records


def _key_lists(records: list[Record]) -> set[str]:
    return {" ".join(record) for record in records}


def _is_in_order(keys: str, real: str) -> bool:
    """Whether `keys` are some of the `real` ones, in their order."""
    return keys.split() == [key for key in real.split() if key in keys.split()]


def _planned(run: Record) -> Record:
    planned: Record = run.get("plannedWorkoutMetadata", {})
    return planned


def _flattened(steps: list[Record]) -> list[Record]:
    flat: list[Record] = []
    for step in steps:
        is_repeat = step["type"] == "WorkoutRepeatStep"
        flat += _flattened(step["steps"]) * step["repeatValue"] if is_repeat else [step]
    return flat


# --- shapes ---


def test_watch_documents_have_the_real_keys_in_order(runs: list[Record]) -> None:
    watch = [run for run in runs if run["recordType"] != "PHONE"]

    assert WATCH_KEYS in _key_lists(watch)
    extra = {"firmwareVersion"}
    for keys in _key_lists([{k: v for k, v in run.items() if k not in extra} for run in watch]):
        assert _is_in_order(keys, WATCH_KEYS)
    assert _key_lists([lap for run in watch for lap in run["laps"]]) == {WATCH_LAP_KEYS}
    points = _key_lists([point for run in watch for point in run["waypoints"]])
    assert WATCH_POINT_KEYS in points
    assert all(WATCH_POINT_KEYS.startswith(keys) for keys in points)
    assert PLANNED_KEYS in _key_lists([_planned(run) for run in watch])
    steps = [step for run in watch for step in _planned(run).get("stepsV2", [])]
    assert _key_lists(steps) == {STEP_KEYS, "type repeatValue steps"}
    assert {"slow average fast"} == _key_lists([s["paces"] for s in steps if s.get("paces")])


def test_phone_documents_have_the_real_keys_in_order(runs: list[Record]) -> None:
    phone = [run for run in runs if run["recordType"] == "PHONE"]

    assert PHONE_KEYS in _key_lists(phone)
    extra = {"firmwareVersion"}
    for keys in _key_lists([{k: v for k, v in run.items() if k not in extra} for run in phone]):
        assert _is_in_order(keys, PHONE_KEYS)
    assert _key_lists([lap for run in phone for lap in run["laps"]]) == {PHONE_LAP_KEYS}
    points = [point for run in phone for point in run["waypoints"]]
    assert _key_lists(points) == {PHONE_POINT_KEYS, PHONE_POINT_KEYS.removesuffix(" type")}
    steps = [step for run in phone for step in _planned(run).get("stepsV2", [])]
    assert _key_lists(steps) == {PHONE_STEP_KEYS}
    assert {"__typename text mps"} == _key_lists(
        [pace for step in steps if step["paces"] for pace in step["paces"].values()]
    )


def test_lingokids_records_have_the_real_keys_in_order(lingokids: dict[str, list[Record]]) -> None:
    events = [event for event in lingokids["events"] if EVENT_KEYS in " ".join(event)]
    assert _key_lists(events) == {EVENT_KEYS, f"{EVENT_KEYS} experiment"}
    assert _key_lists([event["data"] for event in events]) == {DATA_KEYS}
    assert _key_lists([event["context"] for event in events]) == {"device os app"}
    assert _key_lists(lingokids["users"]) == {" ".join(USER_KEYS.split()[:count]) for count in (4, 6, 8)}
    activities = _key_lists(lingokids["activities"])
    assert activities == {"activity_id name type subtype", "name type subtype"}


# --- what the records tell ---


def test_laps_perform_the_steps_faster_slower_and_within_the_band(runs: list[Record]) -> None:
    statuses: Counter[str] = Counter()
    extents: Counter[str] = Counter()
    for run in runs:
        steps = _flattened(_planned(run).get("stepsV2", []))
        if steps:
            more = len(run["laps"]) - len(steps)
            extents["more" if more > 0 else "fewer" if more < 0 else "all"] += 1
        for lap, step in zip(run["laps"], steps, strict=False):
            if step["paces"] and isinstance(lap["averageSpeed"], float):
                slow, fast = (step["paces"][name]["mps"] for name in ("slow", "fast"))
                speed = lap["averageSpeed"]
                statuses["slower" if speed < slow else "faster" if speed > fast else "in"] += 1
    assert statuses["in"] > statuses["slower"] > statuses["faster"] > 0.1 * statuses.total()
    assert extents["all"] > 10 * extents["more"] > 0
    assert extents["fewer"] > 0


def test_optional_parts_are_absent_from_some_runs(runs: list[Record]) -> None:
    watch = [run for run in runs if run["recordType"] != "PHONE"]
    for share in (
        sum("planDetails" not in run for run in runs) / len(runs),
        sum("createdOn" not in run for run in watch) / len(watch),
        sum("stepsV2" not in _planned(run) for run in runs if _planned(run)) / len(runs),
    ):
        assert 0.005 < share < 0.1
    assert {run["unitOfMeasure"] for run in runs} == {"KILOMETERS", "MILES"}
    assert {run["planDetails"]["id"] for run in runs if "planDetails" in run} == {plan.plan_id for plan in PLANS}


def test_corrected_run_is_the_same_run_with_other_distances(runs: list[Record]) -> None:
    versions: dict[str, list[Record]] = defaultdict(list)
    for run in runs:
        versions[run.get("activityId", "")].append(run)
    corrected = [found for run_id, found in versions.items() if run_id and found[-1] != found[0]]

    assert len(corrected) > 10
    for first, *_, last in corrected:
        assert first["laps"][0]["startTimestamp"] == last["laps"][0]["startTimestamp"]
        assert last["laps"][0]["distance"] == round(first["laps"][0]["distance"] * 1.01, 2)


def test_a_step_of_a_workout_has_one_target_for_everybody(runs: list[Record]) -> None:
    targets: dict[str, set[tuple[float | None, ...]]] = defaultdict(set)
    for run in runs:
        if "stepsV2" in _planned(run):
            targets[run["workoutId"]].add(
                tuple(
                    step["paces"]["average"]["mps"] if step["paces"] else None
                    for step in _flattened(_planned(run)["stepsV2"])
                )
            )
    assert {len(found) for found in targets.values()} == {1}


def test_all_subscription_states_play(lingokids: dict[str, list[Record]]) -> None:
    users = {user["user_id"]: user for user in lingokids["users"]}
    states = set()
    for event in lingokids["events"]:
        user, at = users.get(event["user_id"], {}), event.get("occurred_at", "")
        since = [
            name
            for name in USER_KEYS.split()[3:]
            if user.get(name, "9") <= at  # instants as texts of one format sort by time
        ]
        states.add(since[-1] if since else "unknown")
    assert states == {"unknown", *USER_KEYS.split()[3:]}


def test_events_have_the_quirks_of_the_real_ones(lingokids: dict[str, list[Record]]) -> None:
    events = lingokids["events"]
    durations = [event["data"]["duration"] for event in events]
    known = {activity.get("activity_id") for activity in lingokids["activities"]}

    assert {event["context"]["os"]["name"] for event in events} == {"iOS", "iPhone OS", "Android"}
    assert sum(duration > 3600 for duration in durations) == 14 + 2
    assert sum(duration > 86_400 for duration in durations) == 2
    assert sum(duration for duration in durations if duration > 3600) > 0.5 * sum(durations)
    assert 0.02 < durations.count(0) / len(events) < 0.05
    collections = Counter(event["data"]["collection_id"] for event in events)
    assert 0.8 < collections[""] / len(events) < 0.95
    unknown = {event["data"]["activity_id"] for event in events} - known
    assert unknown == {"retired_game"}
    assert {None, ""} < {activity["name"] for activity in lingokids["activities"]}


# --- plans and schedules ---


def test_runner_progresses_week_by_week_and_rests_between_plans() -> None:
    monday = date(2024, 1, 1)
    runner = Runner(1, "GARMIN", "KILOMETERS", 25, 0, monday, last_week=8)

    weeks = [runner.plan_week(date.fromordinal(monday.toordinal() + 7 * n)) for n in range(-1, 10)]

    five_k, ten_k = PLANS[0], PLANS[1]
    assert weeks == [
        None,
        *((five_k, week) for week in range(1, 7)),
        None,
        (ten_k, 1),
        (ten_k, 2),
        None,
    ]


def test_tempo_workout_of_a_miles_plan() -> None:
    workout = planned_workout(PLANS[1], 4, 1, "MILES", 25)

    fast_mile = Step("ACTIVE", 1, 515, 10)  # (300 + 20) s/km * 1.609344
    assert workout.workout_id == "3mi-25min-Tempo"
    assert workout.run_type == "TEMPO"
    assert workout.distance == 5
    assert workout.blocks == (
        Block(1, (Step("WARMUP", 1),)),
        Block(1, (fast_mile,) * 3),
        Block(1, (Step("COOLDOWN", 1),)),
    )


def test_repeats_flatten_with_the_template_index_of_each_step() -> None:
    workout = planned_workout(PLANS[0], 1, 0, "KILOMETERS", 20)

    assert workout.distance == 6
    assert [index for index, _ in workout.flattened()] == [0, *[1, 2] * 5, 4]


def test_rare_things_are_due_at_their_rate_and_never_break_a_small_day() -> None:
    assert [list(due(index, 250, 400)) for index in range(3)] == [[0], [1], [2]]
    assert sum(len(due(index, 40, 600)) for index in range(1000)) == 240
    assert sum(len(broken_due(index, 24, 600)) for index in range(1000)) == 0

"""Runna activity documents of the sample: one run as its device sends it.

Belongs here: runs, laps and the JSON shapes of watches and phones. Not here: which runs there are and what is wrong
with some of them (`runna_sample.py`), or what was planned (`runna_plans.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Any, NamedTuple

from engagement_assets.sandbox.runna_plans import METERS, UNIT_OF_VALUE, Runner, Step, Workout

WAYPOINTS_PER_ACTIVITY = 40
FIRST_POINT_WITH_POWER = 1
FIRST_POINT_WITH_STRIDE = 3


@dataclass(frozen=True)
class Lap:
    """One lap as run; `template_index` is its position in the steps before repeats are written out."""

    start_ms: int
    distance_m: float
    moving_ms: int
    speed_m_per_s: float
    template_index: int


class Point(NamedTuple):
    """One waypoint, the same for every device: times in ms, distance since the start in m."""

    timestamp: int
    moving_ms: int
    distance_m: float
    speed_m_per_s: float
    lap_index: int


@dataclass(frozen=True)
class Run:
    """One recorded run with at least one lap; `workout` is None for a run without a plan."""

    activity_id: str
    runner: Runner
    started_on: date
    laps: tuple[Lap, ...]
    workout: Workout | None = None
    plan_id: str | None = None
    plan_weeks: int | None = None
    week_of_plan: int | None = None
    has_created_on: bool = True
    has_steps: bool = True

    @property
    def on_phone(self) -> bool:
        """Whether a phone recorded the run, with other keys, full precision and no `createdOn`."""
        return self.runner.record_type == "PHONE"


def activity_document(draw: Random, run: Run) -> dict[str, Any]:
    """The activity as its device sends it, with keys in the order of the real files."""
    return _phone_document(draw, run) if run.on_phone else _watch_document(draw, run)


def _watch_document(draw: Random, run: Run) -> dict[str, Any]:
    document: dict[str, Any] = {"userId": run.runner.user_id, "activityId": run.activity_id}
    if run.workout:
        document["workoutId"] = run.workout.workout_id
    document["recordType"] = run.runner.record_type
    document["laps"] = [_watch_lap(draw, lap) for lap in run.laps]
    document["waypoints"] = [_watch_waypoint(draw, number, point) for number, point in enumerate(_points(run.laps))]
    if run.has_created_on:
        document["createdOn"] = run.laps[0].start_ms
    return document | _plan_fields(run)


def _phone_document(draw: Random, run: Run) -> dict[str, Any]:
    document: dict[str, Any] = {
        "userId": run.runner.user_id,
        "activityId": run.activity_id,
        "recordType": run.runner.record_type,
    }
    if run.workout:
        document["workoutId"] = run.workout.workout_id
    document |= _plan_fields(run)
    document["waypoints"] = [_phone_waypoint(draw, number, point) for number, point in enumerate(_points(run.laps))]
    document["laps"] = [
        {
            "startTimestamp": lap.start_ms,
            "distance": _number(lap.distance_m),
            "movingTime": lap.moving_ms,
            "totalTime": lap.moving_ms + draw.randrange(0, 4000),
            "averageSpeed": lap.speed_m_per_s,
            "maxSpeed": lap.speed_m_per_s * 1.21,
            "maxElevation": 44,
            "minElevation": 0,
        }
        for lap in run.laps
    ]
    return document


def _plan_fields(run: Run) -> dict[str, Any]:
    """The unit, and for a planned run its plan and workout."""
    if run.workout is None:
        return {"unitOfMeasure": run.runner.unit}
    planned: dict[str, Any] = {
        "workoutType": "RUN",
        "runType": run.workout.run_type,
        "distance": _number(run.workout.distance),
        "currentEst5kTimeInSecs": run.runner.pace_group_min * 60 - 2 * (run.week_of_plan or 0),
    }
    if not run.on_phone:
        planned["plannedWorkoutDate"] = run.started_on.isoformat()
    if run.has_steps:
        planned["stepsV2"] = _steps_v2(run.workout, run.on_phone)
    return {
        "planDetails": {"id": run.plan_id, "planLength": run.plan_weeks},
        "weekOfPlan": run.week_of_plan,
        "unitOfMeasure": run.runner.unit,
        "plannedWorkoutMetadata": planned,
    }


def _steps_v2(workout: Workout, on_phone: bool) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    for block in workout.blocks:
        written = [_step(step, workout.unit, on_phone) for step in block.steps]
        if block.times == 1:
            steps += written
        elif on_phone:
            empty = dict.fromkeys(key for key in written[0] if key not in ("steps", "type"))
            repeat = {"steps": written, "type": "WorkoutRepeatStep", **empty}
            steps.append(repeat | {"repeatValue": block.times})
        else:
            repeat = {"type": "WorkoutRepeatStep", "repeatValue": block.times, "steps": written}
            steps.append(repeat)
    return steps


def _step(step: Step, unit: str, on_phone: bool) -> dict[str, Any]:
    kind: dict[str, Any] = {"type": "WorkoutStep"}
    return ({"steps": None, **kind, "repeatValue": None} if on_phone else kind) | {
        "intensity": step.intensity,
        "durationType": "DISTANCE",
        "durationValue": step.length,
        "durationValueType": UNIT_OF_VALUE[unit],
        "targetType": None if step.pace_s is None else "PACE",
        "paces": _paces(step, METERS[unit], on_phone),
    }


def _paces(step: Step, meters: float, on_phone: bool) -> dict[str, Any] | None:
    if step.pace_s is None:
        return None
    seconds = {
        "slow": step.pace_s + step.band_s,
        "average": step.pace_s,
        "fast": step.pace_s - step.band_s,
    }
    typename = {"__typename": "PaceInfo"} if on_phone else {}
    return {
        name: typename | {"text": f"{pace // 60}:{pace % 60:02d}", "mps": meters / pace}
        for name, pace in seconds.items()
    }


def _watch_lap(draw: Random, lap: Lap) -> dict[str, Any]:
    heart_rate = draw.randrange(130, 168)
    cadence = draw.randrange(165, 185)
    elevation = draw.randrange(10, 70) + 0.4
    return {
        "averageCadence": cadence,
        "averageHeartRate": heart_rate + draw.choice((0, 0.5)),
        "averageSpeed": round(lap.speed_m_per_s, 3),
        "distance": _number(lap.distance_m),
        "elevationGain": draw.randrange(0, 10),
        "maxCadence": cadence + draw.randrange(3, 14),
        "maxElevation": elevation + draw.randrange(1, 9) * 0.2,
        "minElevation": elevation,
        "maxHeartRate": heart_rate + draw.randrange(4, 14),
        "minHeartRate": heart_rate - draw.randrange(4, 14),
        "maxSpeed": round(lap.speed_m_per_s * draw.uniform(1.02, 1.2), 3),
        "movingTime": lap.moving_ms,
        "startTimestamp": lap.start_ms,
        "totalTime": lap.moving_ms,
        "wktStepIndex": lap.template_index,
    }


def _points(laps: tuple[Lap, ...]) -> Iterator[Point]:
    """Evenly spaced points of each lap, at least one."""
    per_lap = max(1, WAYPOINTS_PER_ACTIVITY // len(laps))
    moving_ms, distance_m = 0, 0.0
    for lap_index, lap in enumerate(laps):
        for part in range(per_lap):
            since_lap = lap.moving_ms * part // per_lap
            yield Point(
                timestamp=lap.start_ms + since_lap,
                moving_ms=moving_ms + since_lap,
                distance_m=distance_m + lap.distance_m * part / per_lap,
                speed_m_per_s=lap.speed_m_per_s,
                lap_index=lap_index,
            )
        moving_ms += lap.moving_ms
        distance_m += lap.distance_m


def _watch_waypoint(draw: Random, number: int, point: Point) -> dict[str, Any]:
    waypoint: dict[str, Any] = {
        "cadence": 170 + number % 9,
        "distance": round(point.distance_m, 2),
        "elevation": 40 + number * 0.2,
        "heartRate": 120 + number % 40,
        "movingTime": point.moving_ms,
        "speed": round(point.speed_m_per_s * draw.uniform(0.9, 1.1), 3),
        "timestamp": point.timestamp,
    }
    # Sensors start one after the other.
    if number >= FIRST_POINT_WITH_POWER:
        waypoint["power"] = 290 + number % 20
    if number >= FIRST_POINT_WITH_STRIDE:
        waypoint["strideLength"] = 0.979
    return waypoint


def _phone_waypoint(draw: Random, number: int, point: Point) -> dict[str, Any]:
    waypoint: dict[str, Any] = {
        "timestamp": point.timestamp,
        "movingTime": point.moving_ms,
        "distance": point.distance_m,
        "speed": point.speed_m_per_s * draw.uniform(0.9, 1.1),
        "elevation": draw.randrange(180, 440) / 10,
        "stepIndex": point.lap_index,
        "lapIndex": point.lap_index,
        "rawSpeed": round(point.speed_m_per_s, 2),
        "accuracy": 4.8,
        "elevationAccuracy": 3.4,
    }
    return waypoint | ({"type": "start"} if number == 0 else {})


def _number(value: float) -> float:
    """The number as devices write it: whole numbers have no fraction."""
    return int(value) if value == int(value) else value

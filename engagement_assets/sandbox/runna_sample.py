"""Runna activity files of the sample: runs as watches and phones record them, batch by batch.

Belongs here: how planned workouts were run, when their files landed, and what is wrong with some of them. Not here:
what was planned (`runna_plans.py`), what a file looks like (`runna_documents.py`), or writing to disk
(`sample_data.py`).
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

from engagement_assets.extract.runna.source import RUNNA_ACTIVITIES
from engagement_assets.sandbox.runna_documents import Lap, Run, activity_document
from engagement_assets.sandbox.runna_plans import (
    METERS,
    SHARE_OF_RUNS_SKIPPED,
    Runner,
    Step,
    runners,
)
from engagement_assets.sandbox.sample_draws import SampleParameters, broken_due, due, happens
from engagement_assets.sandbox.sample_ledger import LedgerKeeper

LONGEST_DELAY_DAYS = 17  # A run arrives up to 7 days late, its correction up to 10 days later.
DAY_WITH_EXTRA_FIELD = 10
# Rates in 100,000 files.
BROKEN_RATE = 600
DUPLICATE_RATE = 300
BAD_LAP_RATE = 400
OLD_RUN_RATE = 1_000
FILE_DEFECTS = ("not_json", "truncated_json", "missing_activity_id", "missing_user_id", "not_utf8")


def runna_files(parameters: SampleParameters, keeper: LedgerKeeper) -> Iterator[tuple[str, bytes]]:
    """Keys below the landing zone and contents, batch by batch, with each file counted in `keeper`."""
    people = runners(parameters)
    batches: dict[int, list[Run]] = {index: [] for index in range(parameters.days)}
    for index in range(-LONGEST_DELAY_DAYS, parameters.days):
        for batch_index, run in _runs_of_day(parameters, index, people):
            if batch_index in batches:
                batches[batch_index].append(run)
    for index, planned_runs in batches.items():
        runs = planned_runs + _old_runs(parameters, index, people)
        yield from _batch(parameters, index, sorted(runs, key=lambda run: run.activity_id), keeper)


def _runs_of_day(parameters: SampleParameters, index: int, people: list[Runner]) -> Iterator[tuple[int, Run]]:
    """The runs of one day, each with the index of the batch in which it lands."""
    day = parameters.day(index)
    draw = parameters.stream("runna", "runs", day.isoformat())
    for runner in people:
        planned = runner.workout(day)
        if planned is None or happens(draw, SHARE_OF_RUNS_SKIPPED):
            continue
        plan, week, workout = planned
        run = Run(
            activity_id=f"run-{day:%Y%m%d}-{runner.number:04d}",
            runner=runner,
            started_on=day,
            laps=_laps(draw, day, runner, workout.flattened()),
            workout=workout,
            plan_id=plan.plan_id,
            plan_weeks=plan.weeks,
            week_of_plan=week,
            has_created_on=happens(draw, 0.98),
            has_steps=happens(draw, 0.97),
        )
        if happens(draw, 0.04):
            run = _without_plan(run)
        delay = draw.choices((1, draw.randrange(2, 5), draw.randrange(5, 8)), (85, 12, 3))[0]
        yield index + delay, run
        if happens(draw, 0.03):
            yield index + delay + draw.randrange(5, 11), _corrected(run)


def _old_runs(parameters: SampleParameters, index: int, people: list[Runner]) -> list[Run]:
    """Runs from months ago, imported when somebody connects a watch; none belongs to a plan."""
    runs = []
    for serial in due(index, parameters.runna_activities_per_day, OLD_RUN_RATE):
        draw = parameters.stream("runna", "old", str(serial))
        runner = people[draw.randrange(len(people))]
        day = parameters.day(index - draw.randrange(60, 150))
        steps = list(enumerate([Step("ACTIVE", 1)] * draw.randrange(3, 9)))
        laps = _laps(draw, day, runner, steps)
        runs.append(Run(f"run-{day:%Y%m%d}-old-{serial:04d}", runner, day, laps))
    return runs


def _without_plan(run: Run) -> Run:
    return replace(run, workout=None, plan_id=None, plan_weeks=None, week_of_plan=None)


def _corrected(run: Run) -> Run:
    """The run with its distance recalibrated, and without laps past the workout's end."""
    laps = run.laps[: len(run.workout.flattened())] if run.workout else run.laps
    return replace(
        run,
        laps=tuple(
            replace(
                lap,
                distance_m=round(lap.distance_m * 1.01, 2),
                speed_m_per_s=lap.distance_m * 1010 / lap.moving_ms,
            )
            for lap in laps
        ),
    )


def _laps(draw: Random, day: date, runner: Runner, steps: list[tuple[int, Step]]) -> tuple[Lap, ...]:
    """The laps of the steps; some runs stop early and some go on."""
    if happens(draw, 0.06) and len(steps) > 1:
        steps = steps[: -draw.randrange(1, min(4, len(steps)))]
    on_phone = runner.record_type == "PHONE"
    meters = METERS[runner.unit]
    clock_ms = (day - date(1970, 1, 1)).days * 86_400_000 + draw.randrange(19_800, 68_400) * 1000
    clock_ms += draw.randrange(1000) if on_phone else 0
    laps = []
    for template_index, step in steps:
        speed = meters / _pace_s(draw, step, meters)
        distance = step.length * meters
        moving_ms = round(distance / speed * 1000)
        laps.append(Lap(clock_ms, round(distance, 2), moving_ms, speed, template_index))
        clock_ms += moving_ms if on_phone else (moving_ms + 999) // 1000 * 1000
    if happens(draw, 0.06):
        moving_ms = draw.randrange(5_000, 60_000)
        distance = round(moving_ms / 1000 * 2.4, 2)
        laps.append(Lap(clock_ms, distance, moving_ms, 2.4, template_index + 1))
    return tuple(laps)


def _pace_s(draw: Random, step: Step, meters: float) -> float:
    """Seconds per unit: within the step's band, faster or slower; an easy pace if it has no target."""
    if step.pace_s is None:
        return draw.uniform(0.34, 0.45) * meters
    low, high = draw.choices(((-0.9, 0.9), (-2.5, -1.1), (1.1, 3.0)), (55, 20, 25))[0]
    return step.pace_s + draw.uniform(low, high) * step.band_s


def _batch(
    parameters: SampleParameters, index: int, runs: list[Run], keeper: LedgerKeeper
) -> Iterator[tuple[str, bytes]]:
    """The files of one batch date; runs with defects lie far apart in the folder."""
    if not runs:
        return
    day, per_day = parameters.day(index), parameters.runna_activities_per_day
    damaged = {
        serial * 7 % len(runs): FILE_DEFECTS[serial % len(FILE_DEFECTS)]
        for serial in broken_due(index, per_day, BROKEN_RATE)
    }
    sound = [position for position in range(len(runs)) if position not in damaged]
    repeated = {sound[serial * 5 % len(sound)] for serial in due(index, per_day, DUPLICATE_RATE)}
    bad_laps = {sound[serial * 3 % len(sound)] for serial in due(index, per_day, BAD_LAP_RATE)}
    for position, run in enumerate(runs):
        key = f"runna/activities/{day}/{run.activity_id}"
        document = activity_document(parameters.stream("runna", run.activity_id), run)
        if index == DAY_WITH_EXTRA_FIELD:
            document["firmwareVersion"] = "16.20"
        if position in damaged:
            keeper.broken(RUNNA_ACTIVITIES.key, day, damaged[position])
            yield f"{key}.json", _damaged(document, damaged[position])
            continue
        if position in bad_laps:
            document["laps"][-1]["averageSpeed"] = "fast"
        content = _json(document)
        yield f"{key}.json", content
        keeper.usable(RUNNA_ACTIVITIES.key, day, run.activity_id)
        if position in repeated:
            yield f"{key}-repeated.json", content
            keeper.usable(RUNNA_ACTIVITIES.key, day, run.activity_id)


def _damaged(document: dict[str, Any], defect: str) -> bytes:
    if defect == "not_json":
        return b"<html><body>502 Bad Gateway</body></html>\n"
    if defect == "truncated_json":
        content = _json(document)
        return content[: len(content) // 2]
    if defect == "not_utf8":
        return _json(document).replace(b'"user-', b'"us\xffr-', 1)
    del document["activityId" if defect == "missing_activity_id" else "userId"]
    return _json(document)


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=4).encode()

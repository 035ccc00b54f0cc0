"""The rows from which the model of kudos learns: what was known when an activity was seen first, and nothing later.

Belongs here: examples and inputs of predictions, told once more in Python. Not here: that incremental builds end with
the same tables (`test_strava_incremental.py`), or what the model makes of them (`tests/unit/kudos`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from dbt.contracts.graph.manifest import Manifest

from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS
from tests.integration.warehouse_builder import WarehouseBuilder

pytestmark = pytest.mark.integration

Row = dict[str, Any]

EXAMPLES, INPUTS = "strava.kudos_training_examples", "strava.kudos_prediction_inputs"
MODELS = "+kudos_training_examples +kudos_prediction_inputs"
ONE_DAY = timedelta(days=1)
MONDAY = date(2024, 1, 1)
SETTLES_AFTER, PREVIOUS_WITHIN = 7 * ONE_DAY, 28 * ONE_DAY
# What an example learns from later observations.
LATER = {"kudos_count", "settled_on", "is_week_complete"}


def _observation(activity_id: int, started_at: datetime, observed_on: date, kudos: int, **facts: object) -> Row:
    return {
        "activity_id": activity_id,
        "observed_on": observed_on,
        "kudos_count": kudos,
        "started_at": started_at,
        "sport_type": "Run",
        "distance_m": 5_000.0,
        "moving_time_s": 1_500,
        "total_elevation_gain_m": 20.0,
        "athlete_count": 1,
        "name_word_count": 2,
        "extracted_at": datetime.combine(observed_on, datetime.min.time()),
        **facts,
    }


def _build(warehouse: WarehouseBuilder, observations: Sequence[Row], deleted: frozenset[int] = frozenset()) -> None:
    """Tables from observations, which lie on the days of their starts; each activity exists unless it is deleted."""
    days = sorted({row["started_at"].date() for row in observations})
    for day in days:
        rows = [row for row in observations if row["started_at"].date() == day]
        warehouse.write_day(STRAVA_ACTIVITY_KUDOS, day, rows)
        activities = [
            {
                "activity_id": activity_id,
                "started_at": datetime.combine(day, datetime.min.time()),
                "deleted_at": datetime(2024, 6, 1) if activity_id in deleted else None,
                "extracted_at": datetime(2024, 5, 1),
            }
            for activity_id in sorted({row["activity_id"] for row in rows})
        ]
        warehouse.write_day(STRAVA_ACTIVITIES, day, activities)
    warehouse.build(days[0], days[-1] + ONE_DAY, MODELS)


def _drawn(draw: Random, activities: int, days: int) -> Iterator[Row]:
    """Observations of activities, each on several days, on which its facts differ."""
    for activity_id in range(activities):
        started_at = datetime(2024, 1, 1) + timedelta(days=draw.randrange(days), minutes=draw.randrange(24 * 60))
        ages = sorted(draw.sample(range(15), draw.randint(1, 5)))
        for age in ages:
            yield _observation(
                activity_id,
                started_at,
                started_at.date() + age * ONE_DAY,
                draw.randrange(40),
                sport_type=draw.choice(["Run", "Ride"]),
                workout_type=draw.choice([None, 0, 1, 2, 3, 9]),
                distance_m=draw.choice([None, 0.0, 10_000.7]),
                moving_time_s=draw.choice([None, 3_601]),
                total_elevation_gain_m=draw.choice([None, 12.5]),
                athlete_count=draw.choice([None, 1, 312]),
                name_word_count=draw.randrange(4),
            )


def _told_again(observations: Sequence[Row], deleted: frozenset[int]) -> dict[int, Row]:
    """The rows of both tables by activity; `settled_on` is None in those of predictions."""
    by_activity: dict[int, list[Row]] = {}
    for row in sorted(observations, key=lambda row: row["observed_on"]):
        if row["activity_id"] not in deleted:
            by_activity.setdefault(row["activity_id"], []).append(row)
    newest = max(row["observed_on"] for row in observations)
    rows: dict[int, Row] = {}
    for activity_id, (first, *later) in by_activity.items():
        started_at, seen_on = first["started_at"], first["observed_on"]
        day = started_at.date()
        week = day - timedelta(days=day.weekday())
        settled = next((row for row in [first, *later] if row["observed_on"] >= day + SETTLES_AFTER), None)
        others = [each for number, (each, *_) in by_activity.items() if number != activity_id]
        starts = [
            started_at - each["started_at"]
            for each in others
            if each["started_at"] < started_at and each["observed_on"] <= seen_on
        ]
        since = min((each for each in starts if each <= PREVIOUS_WITHIN), default=None)
        types = {None: "default", 0: "default", 1: "race", 2: "long_run", 3: "workout", 9: "unknown"}
        distance, moving = first["distance_m"], first["moving_time_s"]
        rows[activity_id] = {
            "activity_id": activity_id,
            "workout_type_name": types[first["workout_type"]] if first["sport_type"] == "Run" else "other_sport",
            "kudos_count": settled and settled["kudos_count"],
            "distance_m": distance,
            "moving_time_s": moving,
            "pace_s_per_km": 1000 * moving / distance if distance and moving else None,
            "total_elevation_gain_m": first["total_elevation_gain_m"],
            "athlete_count": first["athlete_count"],
            "name_word_count": first["name_word_count"],
            "iso_weekday": day.isoweekday(),
            "start_hour": started_at.hour,
            "days_since_previous": since and since / ONE_DAY,
            "is_week_complete": newest >= week + 6 * ONE_DAY + SETTLES_AFTER,
            "activity_date": day,
            "week_start_date": week,
            "first_observed_on": seen_on,
            "settled_on": settled and settled["observed_on"],
        }
    return rows


def _by_activity(rows: Iterable[Mapping[str, Any]]) -> dict[int, Row]:
    return {
        row["activity_id"]: {
            name: round(value, 9) if isinstance(value, float) else value for name, value in row.items()
        }
        for row in rows
    }


def test_examples_are_what_was_known_first_and_the_kudos_of_a_week_later(warehouse: WarehouseBuilder) -> None:
    drawn, deleted = _drawn(Random(5), activities=90, days=40), frozenset({7, 8})
    # The last load is so late that of the last week some activities have their kudos and some have not.
    observations = [row for row in drawn if row["observed_on"] <= MONDAY + 45 * ONE_DAY]
    _build(warehouse, observations, deleted)
    expected = _told_again(observations, deleted)
    examples = [row for row in expected.values() if row["settled_on"] is not None]
    inputs = [
        {name: value for name, value in row.items() if name not in LATER}
        for row in expected.values()
        if row["settled_on"] is None
    ]
    assert min(len(examples), len(inputs)) > 5
    assert {row["is_week_complete"] for row in examples} == {True, False}
    assert _by_activity(warehouse.rows(EXAMPLES)) == _by_activity(examples)
    assert _by_activity(warehouse.rows(INPUTS)) == _by_activity(inputs)


def test_shuffling_what_was_observed_later_changes_no_feature(tmp_path: Path, manifest: Manifest) -> None:
    """Kudos of all later observations go from one activity to another, and every later fact changes."""
    draw = Random(11)
    observations = list(_drawn(draw, activities=60, days=40))
    first = {row["activity_id"]: row["observed_on"] for row in reversed(observations)}
    later = [row for row in observations if row["observed_on"] > first[row["activity_id"]]]
    kudos = [row["kudos_count"] for row in later]
    draw.shuffle(kudos)
    other = {"sport_type": "Ride", "distance_m": 1.0, "moving_time_s": 1, "athlete_count": 99, "name_word_count": 99}
    shuffled = {
        (row["activity_id"], row["observed_on"]): {**row, **other, "kudos_count": count}
        for row, count in zip(later, kudos, strict=True)
    }
    found = []
    for name, rows in (
        ("as it was", observations),
        ("shuffled", [shuffled.get((row["activity_id"], row["observed_on"]), row) for row in observations]),
    ):
        warehouse = WarehouseBuilder(tmp_path / name, manifest)
        _build(warehouse, rows)
        found.append([*warehouse.rows(EXAMPLES), *warehouse.rows(INPUTS)])
    before, after = ([{name: row[name] for name in row.keys() - LATER} for row in rows] for rows in found)
    assert len(before) == 60
    assert _by_activity(after) == _by_activity(before)
    labels = [{row["activity_id"]: row.get("kudos_count") for row in rows} for rows in found]
    assert sum(labels[0][number] != labels[1][number] for number in labels[0]) > 10


def test_an_activity_that_was_uploaded_later_is_not_the_previous_one(warehouse: WarehouseBuilder) -> None:
    _build(
        warehouse,
        [
            _observation(1, datetime(2024, 1, 1, 8), MONDAY, 0),
            _observation(2, datetime(2024, 1, 3, 8), date(2024, 1, 3), 0),
            # Between the two, and seen after both.
            _observation(3, datetime(2024, 1, 2, 8), date(2024, 1, 5), 0),
            _observation(4, datetime(2024, 1, 31, 8), date(2024, 1, 31), 0),
            _observation(5, datetime(2024, 1, 31, 8), date(2024, 1, 31), 0),
        ],
    )
    # The last two began at the same time, exactly 28 days after the second one.
    days = {row["activity_id"]: row["days_since_previous"] for row in warehouse.rows(INPUTS)}
    assert days == {1: None, 2: 2.0, 3: 1.0, 4: 28.0, 5: 28.0}


def test_observations_of_old_versions_make_no_example(warehouse: WarehouseBuilder) -> None:
    started_at = datetime(2024, 1, 1, 8)
    facts = ("sport_type", "distance_m", "moving_time_s", "total_elevation_gain_m", "athlete_count", "name_word_count")
    old = dict.fromkeys(facts)
    day = started_at.date()
    observed = [_observation(1, started_at, day, 0, **old), _observation(1, started_at, day + ONE_DAY, 5)]
    _build(warehouse, [*observed, _observation(2, started_at, day, 4, **old)])
    # Of version 0.2: the fixture cannot leave out the start, by which it finds the day.
    rows = [{**row, "started_at": None} if row["distance_m"] is None else row for row in observed]
    warehouse.write_day(STRAVA_ACTIVITY_KUDOS, day, [*rows, {**old, "activity_id": 2, "observed_on": day}])
    warehouse.build(day, day + ONE_DAY, MODELS)
    assert [(row["activity_id"], row["first_observed_on"]) for row in warehouse.rows(INPUTS)] == [(1, day + ONE_DAY)]

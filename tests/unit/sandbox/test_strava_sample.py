"""The athlete's history: the same from the same seed, and what becomes of each activity later."""

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from engagement_assets.sandbox.strava_sample import ActivityHistory

START, DAYS = date(2024, 1, 1), 365
LONG_AFTER = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def history() -> ActivityHistory:
    return ActivityHistory(7, START, DAYS, 1.2)


@pytest.fixture(scope="module")
def documents(history: ActivityHistory) -> list[dict[str, Any]]:
    return [activity.document(LONG_AFTER) for activity in history.visible(LONG_AFTER)]


def _text(history: ActivityHistory, now: datetime) -> str:
    return json.dumps([activity.document(now) for activity in history.visible(now)])


def test_the_same_seed_gives_the_same_documents_and_another_seed_others(history: ActivityHistory) -> None:
    assert _text(ActivityHistory(7, START, DAYS, 1.2), LONG_AFTER) == _text(history, LONG_AFTER)
    assert _text(ActivityHistory(8, START, DAYS, 1.2), LONG_AFTER) != _text(history, LONG_AFTER)


def test_more_days_change_nothing_in_the_days_before(history: ActivityHistory) -> None:
    shorter = ActivityHistory(7, START, 100, 1.2).activities
    assert history.activities[: len(shorter)] == shorter


def test_the_number_a_day_is_about_or_exactly_what_was_asked_for(history: ActivityHistory) -> None:
    assert 1.1 < len(history.activities) / DAYS < 1.3
    assert len(ActivityHistory(7, START, 5, 200).activities) == 1_000
    assert len({activity.recorded_at.date() for activity in history.activities}) < DAYS  # days of rest


def test_an_activity_is_visible_once_it_has_begun(history: ActivityHistory) -> None:
    first = history.activities[0]
    assert history.visible(first.recorded_at) == []
    assert history.visible(first.recorded_at + timedelta(seconds=1)) == [first]


def test_kudos_grow_for_some_days_and_then_stay(history: ActivityHistory) -> None:
    activity = next(activity for activity in history.activities if activity.kudos > 20)
    counts = [activity.document(activity.recorded_at + timedelta(days=age))["kudos_count"] for age in range(9)]
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert counts[3] == activity.kudos // 2
    assert counts[6:] == [activity.kudos] * 3


def test_some_are_deleted_some_days_later(history: ActivityHistory) -> None:
    deleted = history.deleted_ids(LONG_AFTER)
    assert 0.015 < len(deleted) / len(history.activities) < 0.025
    assert deleted.isdisjoint(activity.activity_id for activity in history.visible(LONG_AFTER))
    for activity in history.activities:
        assert not activity.is_deleted(activity.recorded_at + timedelta(days=1))


def test_some_are_cropped_later_and_some_of_these_move_to_the_next_day(history: ActivityHistory) -> None:
    moves = Counter[int]()
    for activity in history.activities:
        before, after = (activity.document(now) for now in (activity.recorded_at, LONG_AFTER))
        cropped_s = before["moving_time"] - after["moving_time"]
        moved = activity.started_at(LONG_AFTER) - activity.started_at(activity.recorded_at)
        assert moved == timedelta(seconds=cropped_s)
        assert before["elapsed_time"] - after["elapsed_time"] == cropped_s
        assert (after["distance"] < before["distance"]) == (cropped_s > 0 and before["distance"] > 0)
        if cropped_s:
            assert 120 <= cropped_s < 900
            moves[(activity.started_at(LONG_AFTER).date() - activity.recorded_at.date()).days] += 1
    assert moves[0] > 2
    assert moves[1] > 2


def test_some_are_renamed_later(history: ActivityHistory) -> None:
    renamed = [
        activity
        for activity in history.activities
        if activity.document(LONG_AFTER)["name"] != activity.document(activity.recorded_at)["name"]
    ]
    assert 0.08 < len(renamed) / len(history.activities) < 0.14


def test_the_quirks_of_the_real_documents_turn_up(documents: list[dict[str, Any]]) -> None:
    points = [document["start_latlng"] for document in documents]
    assert None in points
    assert [] in points
    pairs = [point for point in points if point]
    assert all(len(pair) == 2 for pair in pairs)
    assert max(len(str(pair[0]).partition(".")[2]) for pair in pairs) > 10  # full precision
    assert {"(GMT+00:00) Europe/London", "(GMT-08:00) America/Los_Angeles"} <= {
        document["timezone"] for document in documents
    }
    assert {document.get("workout_type") for document in documents if document["type"] == "Run"} == {None, 0, 1, 2, 3}
    assert "HoverboardPolo" in {document["sport_type"] for document in documents}
    for sensor in ("average_cadence", "average_temp", "average_heartrate", "max_heartrate", "suffer_score"):
        assert 0 < sum(sensor in document for document in documents) < len(documents)
        assert None not in {document.get(sensor, 0) for document in documents}
    assert all(
        document.keys() >= {"resource_state", "athlete", "map", "end_latlng", "upload_id", "has_kudoed"}
        for document in documents
    )
    assert min(document["id"] for document in documents) > 2**32


def test_the_local_start_follows_the_time_zone(documents: list[dict[str, Any]]) -> None:
    summer = next(
        document
        for document in documents
        if document["timezone"] == "(GMT+00:00) Europe/London" and document["start_date"].startswith("2024-07")
    )
    start, local = (datetime.fromisoformat(summer[name]) for name in ("start_date", "start_date_local"))
    assert local - start == timedelta(hours=1)
    assert summer["utc_offset"] == 3600.0

"""What the fake services know: the same from the same seed, changing later as real records do, with known defects."""

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from engagement_assets.sandbox.api_faults import CHAOS_KINDS, Faults
from engagement_assets.sandbox.strava_sample import ActivityHistory
from engagement_assets.sandbox.user_events_sample import EventHistory

START = date(2024, 1, 1)
LONG_AFTER = datetime(2026, 1, 1, tzinfo=UTC)
REQUIRED = ("date", "event_type", "device_id", "user_id", "event_time")


@pytest.fixture(scope="module")
def athlete() -> ActivityHistory:
    return ActivityHistory(7, START, 365, 1.2)


@pytest.fixture(scope="module")
def by_day() -> dict[date, list[dict[str, Any]]]:
    history = EventHistory(7, START, 35, 200)
    days = [START + timedelta(days=index) for index in range(35)]
    return {day: history.events(day, LONG_AFTER) for day in days}


def _documents(history: ActivityHistory) -> str:
    return json.dumps([activity.document(LONG_AFTER) for activity in history.visible(LONG_AFTER)])


def test_the_same_seed_gives_the_same_activities_and_more_days_add_some(athlete: ActivityHistory) -> None:
    assert _documents(ActivityHistory(7, START, 365, 1.2)) == _documents(athlete)
    assert _documents(ActivityHistory(8, START, 365, 1.2)) != _documents(athlete)
    shorter = ActivityHistory(7, START, 100, 1.2).activities
    assert athlete.activities[: len(shorter)] == shorter
    assert len(ActivityHistory(7, START, 5, 200).activities) == 1_000


def test_an_activity_appears_changes_and_may_go(athlete: ActivityHistory) -> None:
    first = athlete.activities[0]
    assert athlete.visible(first.recorded_at) == []
    assert athlete.visible(first.recorded_at + timedelta(seconds=1)) == [first]
    liked = next(activity for activity in athlete.activities if activity.kudos > 20)
    kudos = [liked.document(liked.recorded_at + timedelta(days=age))["kudos_count"] for age in (0, 3, 6, 9)]
    assert kudos == [0, liked.kudos // 2, liked.kudos, liked.kudos]
    days_moved, renamed = Counter[int](), 0
    for activity in athlete.activities:
        before, after = (activity.document(now) for now in (activity.recorded_at, LONG_AFTER))
        renamed += before["name"] != after["name"]
        if cropped_s := before["moving_time"] - after["moving_time"]:
            assert activity.started_at(LONG_AFTER) - activity.recorded_at == timedelta(seconds=cropped_s)
            days_moved[(activity.started_at(LONG_AFTER).date() - activity.recorded_at.date()).days] += 1
    assert min(days_moved[0], days_moved[1]) > 2
    assert 0.08 < renamed / len(athlete.activities) < 0.14
    assert 0.015 < len(athlete.deleted_ids(LONG_AFTER)) / len(athlete.activities) < 0.025


def test_the_same_seed_gives_the_same_events_in_any_order_of_days(by_day: dict[date, list[dict[str, Any]]]) -> None:
    again = EventHistory(7, START, 40, 200)
    assert {day: again.events(day, LONG_AFTER) for day in reversed(by_day)} == by_day
    assert EventHistory(8, START, 35, 200).events(START, LONG_AFTER) != by_day[START]
    assert [(day - START).days for day, events in by_day.items() if not events] == [5, 16, 27]
    midnight = datetime(2024, 1, 11, tzinfo=UTC)
    counts = [len(again.events(date(2024, 1, 10), midnight + timedelta(days=days, minutes=1))) for days in range(6)]
    assert 0 < counts[0] < counts[4] == counts[5]


def test_events_have_every_defect_duplicates_and_one_new_field(by_day: dict[date, list[dict[str, Any]]]) -> None:
    events = [event for day in by_day.values() for event in day]
    missing = Counter(name for event in events for name in REQUIRED if name not in event)
    lengths = Counter(len(event["device_id"]) for event in events if "device_id" in event)
    assert (set(missing), set(lengths)) == (set(REQUIRED), {36, 66})
    assert missing.total() + lengths[66] < len(events) * 0.02
    assert {event["event_time"] > 10**11 for event in events if "event_time" in event} == {True, False}
    uploads = Counter(event["insert_id"] for event in events if "insert_id" in event)
    assert max(uploads.values()) > 1
    assert {(day - START).days for day, found in by_day.items() if any("session_id" in event for event in found)} == {
        17
    }


def test_chaos_is_a_share_of_requests_and_the_same_from_the_same_seed() -> None:
    first, second, other = (
        [faults.due("/any") for _ in range(1_000)] for faults in (Faults(1, 0.2), Faults(1, 0.2), Faults(2, 0.2))
    )
    assert first == second != other
    assert 150 < sum(kind is not None for kind in first) < 250
    assert set(first) == {None, *CHAOS_KINDS}
    with pytest.raises(ValueError, match="share of requests"):
        Faults(1, 1.5)

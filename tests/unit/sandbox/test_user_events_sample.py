"""The product's events: the same from the same seed, each with the quirks of the real service."""

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from engagement_assets.sandbox.user_events_sample import EventHistory

START, DAYS = date(2024, 1, 1), 35
LONG_AFTER = datetime(2026, 1, 1, tzinfo=UTC)
REQUIRED = ("date", "event_type", "device_id", "user_id", "event_time")
Events = dict[date, list[dict[str, Any]]]


def _events(history: EventHistory) -> Events:
    days = [START + timedelta(days=index) for index in range(DAYS)]
    return {day: history.events(day, LONG_AFTER) for day in days}


@pytest.fixture(scope="module")
def history() -> EventHistory:
    return EventHistory(7, START, DAYS, 200)


@pytest.fixture(scope="module")
def by_day(history: EventHistory) -> Events:
    return _events(history)


@pytest.fixture(scope="module")
def events(by_day: Events) -> list[dict[str, Any]]:
    return [event for day in by_day.values() for event in day]


def _seconds(stamp: int) -> float:
    return stamp / 1_000 if stamp > 10**11 else stamp


def test_the_same_seed_gives_the_same_events_in_any_order_of_days(history: EventHistory, by_day: Events) -> None:
    again = EventHistory(7, START, DAYS + 5, 200)
    backwards = {day: again.events(day, LONG_AFTER) for day in reversed(by_day)}
    assert all(json.dumps(backwards[day]) == json.dumps(by_day[day]) for day in by_day)
    assert _events(EventHistory(8, START, DAYS, 200)) != by_day
    assert history.events(START - timedelta(days=1), LONG_AFTER) == []
    assert history.events(START + timedelta(days=DAYS), LONG_AFTER) == []


def test_a_whole_day_without_events_comes_now_and_then(by_day: Events) -> None:
    assert [(day - START).days for day, events in by_day.items() if not events] == [5, 16, 27]


def test_weekends_are_quieter(by_day: Events) -> None:
    assert 195 < len(by_day[date(2024, 1, 10)]) < 220
    assert 60 < len(by_day[date(2024, 1, 13)]) < 90


def test_every_event_lies_on_its_date(by_day: Events) -> None:
    for day, events in by_day.items():
        for event in events:
            assert event.get("date", str(day)) == str(day)
            if "event_time" in event:
                assert datetime.fromtimestamp(_seconds(event["event_time"]), UTC).date() == day


def test_late_events_appear_for_their_date_some_days_later(history: EventHistory) -> None:
    day = date(2024, 1, 10)
    midnight = datetime(2024, 1, 11, tzinfo=UTC)
    counts = [len(history.events(day, midnight + timedelta(days=days, minutes=1))) for days in range(6)]
    assert counts == sorted(counts)
    assert 0 < counts[0] < counts[4] == counts[5]


def test_texts_times_and_identities_are_as_mixed_as_the_real_ones(events: list[dict[str, Any]]) -> None:
    assert {None, "null", " NULL "} <= {event["city"] for event in events}
    assert {None, "null", "Null "} <= {event["country"] for event in events}
    assert {event["event_time"] > 10**11 for event in events if "event_time" in event} == {True, False}
    statuses = {event["user_properties"]["user_corporate_status"] for event in events}
    assert {"active", "Active", "ACTIVE", None} <= statuses
    assert {event["user_properties"]["user_corporate_is_demo"] for event in events} == {True, False}
    for group in ("group_first_event", "group_ids"):
        assert None in [event["data"][group] for event in events]
    for name in ("initial_li_fat_id", "initial_rtd_cid"):
        assert 0 < sum(name in event["user_properties"] for event in events) < len(events)
    identities = Counter("insert_id" if "insert_id" in event else "uuid" in event for event in events)
    assert identities["insert_id"] > identities[True] > identities[False] > 0


def test_duplicates_and_pairs_of_one_moment_turn_up(events: list[dict[str, Any]]) -> None:
    by_insert_id: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        if "insert_id" in event:
            by_insert_id.setdefault(event["insert_id"], []).append(event)
    repeated = [found for found in by_insert_id.values() if len(found) > 1]
    assert any(first == second for first, second, *_ in repeated)
    newer = [
        (first, second) for first, second, *_ in repeated if first["server_upload_time"] != second["server_upload_time"]
    ]
    assert newer
    for first, second in newer:
        assert _seconds(second["server_upload_time"]) > _seconds(first["server_upload_time"])
        assert second["user_properties"]["user_status"] == "suspended"
    moments: dict[tuple[str, int], set[tuple[str, str | None]]] = {}
    for event in events:
        if all(name in event for name in REQUIRED):
            kind = (event["event_type"], event["data"]["path"])
            moments.setdefault((event["device_id"], event["event_time"]), set()).add(kind)
    assert any(len(kinds) > 1 for kinds in moments.values())


def test_few_events_are_defective_and_each_defect_turns_up(events: list[dict[str, Any]]) -> None:
    missing = Counter(name for event in events for name in REQUIRED if name not in event)
    assert set(missing) == set(REQUIRED)
    lengths = Counter(len(event["device_id"]) for event in events if "device_id" in event)
    assert set(lengths) == {36, 66}
    assert missing.total() + lengths[66] < len(events) * 0.02


def test_one_day_carries_a_field_that_others_have_not(by_day: Events) -> None:
    assert [(day - START).days for day, events in by_day.items() if any("session_id" in event for event in events)] == [
        17
    ]

"""What the values of an event become: absent ones, times, fields that no contract names."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.extract.lingokids_loads import (
    DAY,
    event,
    landing_with,
    load_events,
    write_events,
)


def test_absent_optional_fields_are_null(tmp_path: Path) -> None:
    loaded = load_events(landing_with(tmp_path, a="absent_optional_fields.jsonl"), tmp_path / "w")

    first, second = loaded.accepted
    kept = {"event_id", "occurred_at", "user_id", "activity_id", "source_path", "extracted_at", "day"}
    assert {name for name, value in first.items() if value is not None} == kept
    assert second["child_id"] is second["event_name"] is second["os_name"] is None
    assert second["duration_ms"] == 12_500


OF_CONTEXT = ("device_id", "device_brand", "device_model", "os_name", "os_version", "app_version", "app_build")
OF_DATA = ("source", "duration_ms", "is_completed", "collection_id", "loading_time_ms")


def test_optional_values_that_say_nothing_are_null(tmp_path: Path) -> None:
    """Empty texts, blanks and empty lists for texts, numbers, flags and objects."""
    loaded = load_events(landing_with(tmp_path, a="optional_values_that_say_nothing.jsonl"), tmp_path / "w")

    assert loaded.rejected == []
    assert loaded.column("event_id") == [f"e{number}" for number in range(1, 8)]
    without_values, without_context = loaded.accepted[:4], loaded.accepted[4:]
    for row in without_values:
        assert [row[name] for name in ("event_name", "child_id", *OF_DATA, *OF_CONTEXT)] == [None] * 14
        assert (row["user_id"], row["activity_id"], row["_extra"]) == ("u1", "a1", None)
    for row in without_context:
        assert [row[name] for name in OF_CONTEXT] == [None] * 7
        assert [row[name] for name in OF_DATA] == ["search", 12_500, True, "songs", 371]


@pytest.mark.parametrize("text", ["", " ", "\u00a0\u2003"])
def test_a_text_that_says_nothing_is_null_also_in_lines_that_look_alike(text: str, tmp_path: Path) -> None:
    """Lines that equal a layout are judged otherwise than those that do not."""
    events = [event(f"e{number}") for number in range(4)]
    events[1]["data"]["collection_id"] = text
    events[2] |= {"user_id": text}
    events[3] |= {"name": "\u00a0exit "}
    root = landing_with(tmp_path)
    write_events(root, "a.jsonl", *(json.dumps(whole, ensure_ascii=False) for whole in events))

    loaded = load_events(root, tmp_path / "w")

    assert loaded.reasons() == [(3, "missing_user_id")]
    assert loaded.column("collection_id") == [None] * 3
    assert loaded.column("event_name") == ["activity_exit", "activity_exit", "\u00a0exit "]


def test_a_text_that_looks_like_an_empty_list_is_a_text(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    write_events(root, "a.jsonl", event("e1", name="[]"), event("e2", name="[]", child_id=None, context=[]))

    assert load_events(root, tmp_path / "w").column("event_name") == ["[]", "[]"]


def test_times_become_utc_whatever_their_form_and_the_session_time_zone(tmp_path: Path) -> None:
    root = landing_with(tmp_path, a="four_decimals_and_offsets.jsonl")

    loaded = load_events(root, tmp_path / "w", settings={"TimeZone": "America/New_York"})

    assert {row["event_id"]: row["occurred_at"] for row in loaded.accepted} == {
        "e1": datetime(2021, 1, 5, 10, 0, 0, 146_400),
        "e2": datetime(2021, 1, 5, 10),
        "e3": datetime(2021, 1, 5, 10, 0, 0, 500_000),
        "e4": datetime(2021, 1, 5, 8),
        "e5": datetime(2021, 1, 6, 0, 30),
        "e6": datetime(2021, 1, 5, 10, 0, 0, 123_456),
    }
    assert loaded.column("day").count(date(2021, 1, 6)) == 1


def test_what_is_no_time_of_day_is_rejected(tmp_path: Path) -> None:
    loaded = load_events(landing_with(tmp_path, a="bad_timestamps.jsonl"), tmp_path / "w")

    expected = "occurred_at: expected a time such as 2021-01-31 23:59:59.123, found"
    found = [
        "2021-01-05",
        "2021-02-30 10:00:00",
        "a text of 9 characters",
        "a text of 8 characters",
        "2021-01-05 24:00:00",
        "a text of 23 characters",
        "0000-01-05 10:00:00",
    ]
    assert loaded.rejections() == [
        (position, "bad_timestamp", f"{expected} {text}") for position, text in enumerate(found, 1)
    ]


def test_unknown_fields_are_kept_and_counted(tmp_path: Path) -> None:
    loaded = load_events(landing_with(tmp_path, a="unknown_fields.jsonl"), tmp_path / "w")

    assert loaded.column("_extra") == [
        '{"experiment":"winter_home"}',
        '{"data.score":{"stars":[1,2]},"context.device.color":"red"}',
        None,
    ]
    assert loaded.unknown_fields == [
        (DAY, "context.device.color", 1),
        (DAY, "data.score", 1),
        (DAY, "experiment", 1),
    ]


def test_odd_names_of_unknown_fields_do_no_harm(tmp_path: Path) -> None:
    odd: dict[str, Any] = {"a/b~c": 1, "": 2, 'it\'s "q"': 3, "data.x": 4}
    whole = event("e1", **odd)
    whole["data"]["x"] = 5
    root = landing_with(tmp_path)
    write_events(root, "a.jsonl", whole)

    loaded = load_events(root, tmp_path / "w")

    assert loaded.column("_extra") == ['{"a/b~c":1,"":2,"it\'s \\"q\\"":3,"data.x":4}']

"""Every way in which an event line or file can be wrong, one fixture each."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from tests.unit.extract.lingokids_loads import (
    DAY,
    EXTRACTED_AT,
    event,
    landing_with,
    load_events,
    write_events,
)

SECONDS = "expected a number of seconds, found"


def test_a_whole_event_lands_with_every_column(tmp_path: Path) -> None:
    loaded = load_events(landing_with(tmp_path, a="event_of_an_unknown_user.jsonl"), tmp_path / "w")

    assert loaded.accepted == [
        {
            "event_id": "e1",
            "event_name": "activity_exit",
            "occurred_at": datetime(2021, 1, 5, 10, 0, 1, 146_000),
            "user_id": "nobody-knows",
            "child_id": "c1",
            "activity_id": "lk_chant_abc",
            "source": "search",
            "duration_ms": 12_500,
            "is_completed": True,
            "collection_id": None,
            "loading_time_ms": 371,
            "device_id": "d1",
            "device_brand": "Apple",
            "device_model": "iPad7,6",
            "os_name": "iOS",
            "os_version": "14.2",
            "app_version": "7.39.0",
            "app_build": "4514",
            "_extra": None,
            "source_path": "lingokids/events/a.jsonl",
            "extracted_at": EXTRACTED_AT.replace(tzinfo=None),
            "day": DAY,
        }
    ]


NOT_JSON = "expected a JSON object, found no valid JSON"


@pytest.mark.parametrize(
    ("fixture", "accepted", "rejections"),
    [
        ("empty_file.jsonl", [], []),
        ("not_json.jsonl", ["e1", "e2"], [(2, "not_json", NOT_JSON)]),
        ("truncated_json_line.jsonl", ["e1", "e3"], [(2, "not_json", NOT_JSON)]),
        (
            "comma_before_closing_bracket.jsonl",
            ["e2"],
            [(1, "not_json", "expected a JSON object, found a comma before a closing bracket")],
        ),
        (
            "not_an_object.jsonl",
            ["e1"],
            [
                (1, "wrong_type", "expected a JSON object, found a list"),
                (2, "wrong_type", "expected a JSON object, found a text"),
                (3, "wrong_type", "expected a JSON object, found null"),
            ],
        ),
        ("blank_lines.jsonl", ["e1"], [(6, "negative_value", f"data.duration: {SECONDS} -1")]),
        (
            "missing_required_fields.jsonl",
            ["e7"],
            [
                (1, "missing_event_id", "event_id: expected a text, found nothing"),
                (2, "missing_event_id", "event_id: expected a text, found an empty one"),
                (
                    3,
                    "missing_occurred_at",
                    "occurred_at: expected a time such as 2021-01-31 23:59:59.123, found nothing",
                ),
                (4, "missing_user_id", "user_id: expected a text, found null"),
                (5, "missing_activity_id", "data.activity_id: expected a text, found nothing"),
                (6, "missing_activity_id", "data.activity_id: expected a text, found nothing"),
            ],
        ),
        (
            "ids_of_blanks.jsonl",
            ["e8"],
            [
                (1, "missing_event_id", "event_id: expected a text, found an empty one"),
                (2, "missing_user_id", "user_id: expected a text, found an empty one"),
                (3, "missing_activity_id", "data.activity_id: expected a text, found an empty one"),
                (4, "missing_user_id", "user_id: expected a text, found an empty list"),
                (5, "missing_activity_id", "data.activity_id: expected a text, found nothing"),
                (6, "missing_activity_id", "data.activity_id: expected a text, found nothing"),
                (
                    7,
                    "missing_occurred_at",
                    "occurred_at: expected a time such as 2021-01-31 23:59:59.123, found an empty one",
                ),
            ],
        ),
        (
            "wrong_types.jsonl",
            [],
            [
                (1, "wrong_type", f"data.duration: {SECONDS} a text"),
                (2, "wrong_type", f"data.duration: {SECONDS} a text"),
                (3, "wrong_type", "data.completed: expected true or false, found a text"),
                (4, "wrong_type", "event_id: expected a text, found a number"),
                (
                    5,
                    "wrong_type",
                    "occurred_at: expected a time such as 2021-01-31 23:59:59.123, found a number",
                ),
                (6, "wrong_type", "context: expected an object, found a text"),
                (7, "wrong_type", "context.os.name: expected a text, found a list"),
                (8, "wrong_type", f"data.loading_time: {SECONDS} true or false"),
            ],
        ),
        (
            "not_a_number.jsonl",
            [],
            [
                (1, "not_a_number", f"data.duration: {SECONDS} NaN"),
                (2, "not_a_number", f"data.loading_time: {SECONDS} Infinity"),
                (3, "not_a_number", f"data.duration: {SECONDS} 1e999"),
            ],
        ),
        (
            "negative_durations.jsonl",
            ["e3"],
            [
                (1, "negative_value", f"data.duration: {SECONDS} -1"),
                (2, "negative_value", f"data.loading_time: {SECONDS} -0.001"),
            ],
        ),
        (
            "durations_out_of_range.jsonl",
            ["e2"],
            [(1, "out_of_range", f"data.duration: {SECONDS} 1e300")],
        ),
        (
            "duplicated_keys.jsonl",
            ["e3"],
            [
                (1, "duplicate_key", "user_id: expected once, found more than once"),
                (2, "duplicate_key", "brand: expected once, found more than once"),
            ],
        ),
        ("byte_order_mark.jsonl", ["e1"], [(2, "not_json", NOT_JSON)]),
        (
            "not_utf8.jsonl",
            ["e1", "e3"],
            [(2, "not_utf8", "expected UTF-8, found the byte 0xff at byte 428 of the line")],
        ),
        (
            "nul_bytes.jsonl",
            ["e1", "e3"],
            [
                (2, "not_json", "expected a JSON object, found a NUL byte at byte 433 of the line"),
                (3, "not_json", "expected a JSON object, found a NUL byte at byte 0 of the line"),
            ],
        ),
        ("carriage_returns.jsonl", ["e1", "e2"], [(3, "not_json", NOT_JSON)]),
        ("carriage_return_inside_a_line.jsonl", ["e1", "e2"], []),
        (
            "nested_deeply.jsonl",
            ["e2"],
            [
                (1, "nesting_too_deep", "expected at most 128 levels of nesting, found more"),
                (2, "not_json", NOT_JSON),
                (3, "nesting_too_deep", "expected at most 128 levels of nesting, found more"),
            ],
        ),
        ("whole.jsonl.gz", ["e1", "e2", "e3"], []),
        (
            "gzip_with_a_wrong_checksum.jsonl.gz",
            ["e1"],
            [
                (
                    2,
                    "gzip_damaged",
                    "expected a whole gzip file, found it broken after 1 lines: CRC check failed",
                )
            ],
        ),
        (
            "not_gzip.jsonl.gz",
            [],
            [
                (
                    1,
                    "gzip_damaged",
                    "expected a whole gzip file, found it broken after 0 lines: Not a gzipped file (b'{\"')",
                )
            ],
        ),
    ],
)
def test_a_defect_is_quarantined_alone(
    fixture: str,
    accepted: list[str],
    rejections: list[tuple[int, str, str]],
    tmp_path: Path,
) -> None:
    loaded = load_events(landing_with(tmp_path, a=fixture), tmp_path / "w")

    assert loaded.column("event_id") == accepted
    assert [
        (position, code, message.partition(" 0x")[0] if code == "gzip_damaged" else message)
        for position, code, message in loaded.rejections()
    ] == rejections


def test_a_sick_file_does_not_change_what_its_neighbours_give(tmp_path: Path) -> None:
    malformed = ("not_utf8", "nul_bytes", "carriage_returns", "byte_order_mark", "not_json")
    root = landing_with(tmp_path, **{f"malformed_{name}": f"{name}.jsonl" for name in malformed})
    write_events(root, "well.jsonl", event("w1"), event("w2"))

    loaded = load_events(root, tmp_path / "w")

    assert {"w1", "w2"} <= set(loaded.column("event_id"))
    assert loaded.files_read == tuple(
        f"lingokids/events/{name}.jsonl" for name in sorted([*(f"malformed_{s}" for s in malformed), "well"])
    )


def test_the_lines_before_a_gzip_cut_are_kept(tmp_path: Path) -> None:
    loaded = load_events(landing_with(tmp_path, a="gzip_cut_off.jsonl.gz"), tmp_path / "w")

    assert loaded.counts[DAY] == (1, 7_934, 17, 1, 0)
    (cut,) = loaded.rejected
    assert (cut["position"], cut["reason_code"], cut["day"]) == (17, "gzip_cut_off", DAY)
    assert cut["message"].startswith("expected a whole gzip file, found that it ends after 16 lines")
    assert cut["raw_text"].startswith('{"event_id": "')


def test_a_member_named_twice_is_told_by_a_name_that_is_cut(tmp_path: Path) -> None:
    name = "n" * 300
    root = landing_with(tmp_path)
    write_events(root, "a.jsonl", json.dumps(event("e1"))[:-1] + f', "{name}": 1, "{name}": 2}}')

    assert load_events(root, tmp_path / "w").rejections() == [
        (1, "duplicate_key", f"{'n' * 64}: expected once, found more than once")
    ]


@pytest.mark.parametrize("more", [0, 1])
def test_a_record_has_a_thousand_members_at_most(more: int, tmp_path: Path) -> None:
    """Those of its objects count; a whole event has 23 members."""
    whole = event("e1")
    whole["data"] |= {f"x{number}": number for number in range(500)}
    whole |= {f"y{number}": number for number in range(477 + more)}
    root = landing_with(tmp_path)
    write_events(root, "a.jsonl", event("e2"), whole)

    loaded = load_events(root, tmp_path / "w")

    message = "expected at most 1,000 members in the record and its objects, found 1001"
    assert loaded.rejections() == ([(2, "too_many_members", message)] if more else [])
    assert loaded.column("event_id") == (["e2"] if more else ["e1", "e2"])
    if not more:
        kept = json.loads(loaded.accepted[0]["_extra"])
        assert (len(kept), kept["y476"], kept["data.x499"]) == (977, 476, 499)
        assert len(loaded.unknown_fields) == 977


def test_a_line_of_very_many_members_takes_no_more_memory_than_the_line_is_worth(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    write_events(root, "a.jsonl", event("e1") | {f"x{number}": number for number in range(20_000)}, event("e2"))

    loaded = load_events(root, tmp_path / "w", settings={"memory_limit": "200MB", "threads": "1"})

    assert loaded.reasons() == [(1, "too_many_members")]
    assert loaded.column("event_id") == ["e2"]


def test_a_line_that_is_too_long_is_quarantined_with_its_head(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    long = event("e2", name="x" * 3_000_000)
    usual_bytes, long_bytes = len(json.dumps(event("e1"))), len(json.dumps(long))
    write_events(root, "a.jsonl", event("e1"), long, "broken", event("e3"))

    loaded = load_events(root, tmp_path / "w", max_line_bytes=1_000_000)

    assert loaded.column("event_id") == ["e1", "e3"]
    assert loaded.rejections() == [
        (2, "line_too_long", f"expected a line of at most 1000000 bytes, found {long_bytes}"),
        (3, "not_json", NOT_JSON),
    ]
    assert len(loaded.rejected[0]["raw_text"]) == 65_536
    assert loaded.counts[DAY] == (1, 2 * usual_bytes + long_bytes + 6, 4, 2, 0)


def test_a_line_just_below_the_limit_is_read(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    long = event("e2", name="x" * 3_000_000)
    write_events(root, "a.jsonl", event("e1"), long, event("e3"))

    loaded = load_events(root, tmp_path / "w", max_line_bytes=len(json.dumps(long)))

    assert [len(name) for name in loaded.column("event_name")] == [13, 3_000_000, 13]


def test_the_raw_text_of_a_rejected_line_is_cut(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    write_events(root, "a.jsonl", "x" * 100_000)

    assert [len(row["raw_text"]) for row in load_events(root, tmp_path / "w").rejected] == [65_536]

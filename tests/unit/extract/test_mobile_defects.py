"""Every way in which a mobile event's row or file can be odd or wrong, one fixture each."""

import gzip
import json
import os
from pathlib import Path

import pytest

from engagement_assets.extract.lines import csv_headers
from engagement_assets.extract.lines.csv_headers import MAX_COLUMNS, MAX_DIFFERENT_HEADERS, MAX_HEADER_CHARACTERS
from engagement_assets.extract.mobile import EVENT_FILES
from tests.unit.extract.mobile_loads import DAY, HEADER, landing_with, load_events, row, write_file

NO_HEADER = "no_header"


@pytest.mark.parametrize(
    ("fixture", "accepted", "rejections"),
    [
        ("empty_file.csv", [], []),
        ("only_a_header.csv", [], []),
        ("whole.csv", ["u1"], []),
        ("blank_lines.csv", ["u1", "u2"], []),
        ("other_order_of_columns.csv", ["u1"], []),
        ("spaces_around_names.csv", ["u1"], []),
        ("semicolon_at_the_end_of_lines.csv", ["u1"], []),
        ("optional_columns_absent.csv", ["u1"], []),
        ("optional_values_empty.csv", ["u1"], []),
        (
            "required_values_missing.csv",
            ["u5"],
            [
                (2, "missing_anonymous_id"),
                (3, "missing_context_device_id"),
                (4, "missing_event_name"),
                (5, "missing_created_at"),
            ],
        ),
        (
            "ids_of_blanks.csv",
            ["u5"],
            [
                (2, "missing_anonymous_id"),
                (3, "missing_context_device_id"),
                (4, "missing_event_name"),
                (5, "missing_created_at"),
            ],
        ),
        ("required_column_absent.csv", [], [(2, "missing_context_device_id")]),
        ("created_at_column_absent.csv", [], [(2, "missing_created_at")]),
        ("column_named_twice.csv", [], [(2, "repeated_column")]),
        ("header_again_in_the_middle.csv", ["u1", "u2", "u3"], []),
        (
            "header_of_another_order_in_the_middle.csv",
            ["u1", "u2", "u3"],
            [(3, "too_few_fields"), (6, "missing_anonymous_id"), (7, "too_few_fields"), (10, "too_few_fields")],
        ),
        ("header_of_more_columns_that_ends_like_the_first.csv", ["u1", "u2"], []),
        (
            "no_line_break_before_a_header.csv",
            ["u1", "u3", "u6"],
            [(3, "too_many_fields"), (5, "too_few_fields"), (6, "too_many_fields")],
        ),
        (
            "no_line_break_before_a_header_of_another_order.csv",
            ["u1"],
            [(3, "header_in_a_row"), (4, "header_in_a_row"), (5, "header_in_a_row")],
        ),
        ("row_cut_off_before_a_header.csv", ["u1", "u3"], [(3, "too_many_fields")]),
        ("no_header.csv", [], [(1, NO_HEADER), (2, NO_HEADER)]),
        ("no_header_before_the_first_rows.csv", ["u2"], [(1, NO_HEADER)]),
        ("same_bad_line_before_and_after_a_header.csv", ["u1"], [(1, NO_HEADER), (4, "missing_event_name")]),
        (
            "too_few_and_too_many_fields.csv",
            ["u2", "u3"],
            [(2, "too_few_fields"), (4, "too_many_fields"), (5, "too_few_fields")],
        ),
        ("bad_timestamps.csv", ["u2"], [(number, "bad_timestamp") for number in range(2, 10)]),
        ("quoted_values.csv", ["u1", "u2", "u3", "u4"], []),
        ("quotes_never_closed.csv", ["u2", "u3"], [(2, "bad_quotes"), (4, "bad_quotes")]),
        ("line_break_in_quotes.csv", ["u2"], [(2, "bad_quotes"), (3, "too_few_fields")]),
        ("byte_order_mark.csv", ["u1"], []),
        ("byte_order_marks_of_two_files.csv", ["u1", "u2"], []),
        ("carriage_returns.csv", ["u1", "u2"], []),
        ("carriage_return_inside_a_line.csv", ["u2"], [(2, "carriage_return")]),
        ("not_utf8.csv", ["u1", "u3"], [(3, "not_utf8")]),
        ("utf_16.csv", [], [(1, "not_utf8"), (2, "nul_byte")]),
        ("nul_bytes.csv", ["u1", "u3"], [(3, "nul_byte")]),
        ("not_gzip.csv.gz", [], [(1, "gzip_damaged")]),
    ],
)
def test_fixture(fixture: str, accepted: list[str], rejections: list[tuple[int, str]], tmp_path: Path) -> None:
    loaded = load_events(landing_with(tmp_path, a=fixture), tmp_path / "w")

    assert sorted(loaded.column("anonymous_id")) == accepted
    assert loaded.reasons() == rejections
    assert loaded.counts[DAY][4] == 0


def test_the_quarantine_says_what_was_expected_and_found(tmp_path: Path) -> None:
    root = landing_with(tmp_path, a="bad_timestamps.csv", b="column_named_twice.csv")
    write_file(root, "c.csv", HEADER, row(""), "word", f"{row()};more", row('"a'))
    write_file(root, "d.csv", row())
    write_file(root, "e.csv", HEADER.replace("anonymous_id", "user"), row())

    messages = {(row["source_path"][-5:], row["position"]): row["message"] for row in load_events(root, root).rejected}

    time = "expected a time such as 2020-01-31 23:59:59.123, found"
    assert messages["a.csv", 3] == f"created_at: {time} a text of 19 characters"
    assert messages["a.csv", 9] == f"received_at: {time} a text of 9 characters"
    assert messages["b.csv", 2] == "event_name: expected it once in the header, found it twice"
    assert messages["c.csv", 2] == "anonymous_id: expected a value, found an empty one"
    assert messages["c.csv", 3] == "expected a value for each column, found 1 values, and 8 columns in the header"
    assert messages["c.csv", 4] == "expected a column for each value, found 9 values, and 8 columns in the header"
    assert messages["c.csv", 5] == (
        "expected the quote that closes a value, and then a ; or the end of the line, found none"
    )
    assert messages["d.csv", 1] == f"expected a header before this line such as {HEADER}, found none"
    assert messages["e.csv", 2] == "anonymous_id: expected a value, found no such column"


def test_the_quarantine_keeps_the_raw_text(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    write_file(root, "a.csv", HEADER, '"é";;"', row())

    assert [row["raw_text"] for row in load_events(root, tmp_path / "w").rejected] == ['"é";;"']


def test_quoted_values_lose_their_quotes_only(tmp_path: Path) -> None:
    loaded = load_events(landing_with(tmp_path, a="quoted_values.csv"), tmp_path / "w")

    found = {row["anonymous_id"]: (row["event_name"], row["business_zone"]) for row in loaded.accepted}
    assert found == {
        "u1": ('Zone "A;B" left', "Centro"),
        "u2": ("Application Opened", "Centro"),
        "u3": ('Zone "A" left', "Centro"),
        "u4": ("E", None),
    }


@pytest.mark.parametrize("fixture", ["optional_values_empty.csv", "optional_columns_absent.csv", "ids_of_blanks.csv"])
def test_optional_values_that_are_empty_or_absent_are_null(fixture: str, tmp_path: Path) -> None:
    loaded = load_events(landing_with(tmp_path, a=fixture), tmp_path / "w")

    (event,) = loaded.accepted
    assert [event[name] for name in ("business_zone", "app_version", "os_name", "received_at")] == [None] * 4


def test_times_of_every_form_are_utc(tmp_path: Path) -> None:
    loaded = load_events(landing_with(tmp_path, a="timestamps_of_every_form.csv"), tmp_path / "w")

    times = [str(event["created_at"]) for event in sorted(loaded.accepted, key=lambda row: str(row["anonymous_id"]))]
    assert {text[:19] for text in times} == {"2020-01-31 23:59:59"}
    assert [text[20:] for text in times] == ["", "500000", "123456", "123000", "", "", "", "123000"]


def test_extra_columns_are_kept_and_reported_once_a_day(tmp_path: Path) -> None:
    loaded = load_events(landing_with(tmp_path, a="extra_columns.csv", b="whole.csv"), tmp_path / "w")

    assert (
        sorted(map(str, loaded.column("_extra")))
        == [
            "None",
            '{"campaign":"winter","utm":"x"}',
            '{"campaign":null,"column_10":"odd","utm":null}',
        ]
        or loaded.counts[DAY][4] == 1
    )
    assert loaded.unknown_fields == [(DAY, "campaign", 2), (DAY, "column_10", 1), (DAY, "utm", 2)]


def test_extra_columns_of_one_name_are_both_kept(tmp_path: Path) -> None:
    loaded = load_events(landing_with(tmp_path, a="extra_column_named_twice.csv"), tmp_path / "w")

    assert loaded.column("_extra") == ['{"x":"1","x_10":"2"}']


def test_ids_that_a_header_swaps_are_read_by_their_names(tmp_path: Path) -> None:
    loaded = load_events(landing_with(tmp_path, a="ids_swapped_by_a_header_in_the_middle.csv"), tmp_path / "w")

    assert [(event["anonymous_id"], event["device_id"]) for event in loaded.accepted] == [("u1", "D1")]
    assert loaded.counts[DAY][0] == 1
    assert loaded.counts[DAY][2:] == (2, 0, 1)


def test_all_rows_before_a_gzip_cut_are_kept(tmp_path: Path) -> None:
    loaded = load_events(landing_with(tmp_path, a="gzip_cut_off.csv.gz"), tmp_path / "w")

    assert loaded.reasons() == [(len(loaded.accepted) + 2, "gzip_cut_off")]
    assert len(loaded.accepted) > 100


def test_a_compressed_file_is_read_like_any_other(tmp_path: Path) -> None:
    assert len(load_events(landing_with(tmp_path, a="whole.csv.gz"), tmp_path / "w").accepted) == 300


def test_an_endless_line_is_quarantined_alone(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    write_file(root, "a.csv", HEADER, row("x" * EVENT_FILES.max_line_bytes), row("u2"))

    loaded = load_events(root, tmp_path / "w")

    assert loaded.column("anonymous_id") == ["u2"]
    assert loaded.reasons() == [(2, "line_too_long")]
    assert len(loaded.rejected[0]["raw_text"]) == 64 * 1024


def test_a_link_out_of_the_zone_is_not_followed(tmp_path: Path) -> None:
    root = landing_with(tmp_path, a="whole.csv")
    outside = write_file(tmp_path / "elsewhere", "b.csv", HEADER, row("secret"))
    (root / "mobile_events/2020-01-31.csv").symlink_to(outside)

    loaded = load_events(root, tmp_path / "w")

    assert loaded.column("anonymous_id") == ["u1"]
    (refused,) = loaded.rejected
    assert (refused["reason_code"], refused["position"], refused["day"]) == ("refused_path", None, DAY)
    assert refused["message"] == "the link leads out of the landing zone"


@pytest.mark.parametrize(
    ("further", "found"),
    [
        (MAX_COLUMNS - 7, "1,001 columns"),
        (1, f"{MAX_HEADER_CHARACTERS + 1:,} characters"),
    ],
)
def test_rows_under_a_header_that_is_too_large_are_quarantined(further: int, found: str, tmp_path: Path) -> None:
    names = ";".join(f"x{number}" for number in range(further))
    header = f"{HEADER};{names}" if further > 1 else f"{HEADER};{'x' * (MAX_HEADER_CHARACTERS - len(HEADER))}"
    root = landing_with(tmp_path)
    write_file(root, "a.csv", header, row("u1") + ";1" * further, "word", HEADER, row("u2"))

    loaded = load_events(root, tmp_path / "w")

    assert loaded.column("anonymous_id") == ["u2"]
    assert loaded.reasons() == [(2, "header_too_large"), (3, "header_too_large")]
    assert found in loaded.rejected[0]["message"]
    assert [rejected["header"] for rejected in loaded.rejected] == [None, None]


def test_a_header_that_is_just_not_too_large_is_read(tmp_path: Path) -> None:
    further = MAX_COLUMNS - 8
    root = landing_with(tmp_path)
    write_file(root, "a.csv", HEADER + ";x" * further, row("u1") + ";1" * further)

    loaded = load_events(root, tmp_path / "w")

    assert loaded.rejected == []
    assert len(json.loads(loaded.accepted[0]["_extra"])) == further


def test_a_file_has_a_hundred_different_headers_at_most(tmp_path: Path) -> None:
    """What follows the first of too many is quarantined, further headers among it; all that is before it loads."""
    root = landing_with(tmp_path)
    parts = [(f"{HEADER};x{number}", row(f"u{number:03}") + ";1") for number in range(MAX_DIFFERENT_HEADERS + 2)]
    write_file(root, "a.csv", *(line for part in parts for line in part), parts[0][0])

    loaded = load_events(root, tmp_path / "w")

    assert sorted(loaded.column("anonymous_id")) == [f"u{number:03}" for number in range(MAX_DIFFERENT_HEADERS)]
    assert loaded.reasons() == [(number, "too_many_headers") for number in (202, 203, 204, 205)]
    assert loaded.counts[DAY] == (1, loaded.counts[DAY][1], 104, 4, 0)


def test_a_file_has_a_limited_number_of_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_headers, "MAX_HEADERS", 3)
    root = landing_with(tmp_path)
    write_file(root, "a.csv", *(line for number in range(5) for line in (HEADER, row(f"u{number}"))))

    loaded = load_events(root, tmp_path / "w")

    assert sorted(loaded.column("anonymous_id")) == ["u0", "u1", "u2"]
    # The second header of too many is the line of the first once more, and is no row either.
    assert loaded.reasons() == [(8, "too_many_headers"), (10, "too_many_headers")]


def test_names_that_look_like_patterns_are_names(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    write_file(root, "*.csv", HEADER, row("u1"))
    write_file(root, "deep/er/[a].csv", HEADER, row("u2"), HEADER + ";x", row("u3") + ";1")

    loaded = load_events(root, tmp_path / "w")

    paths = {event["anonymous_id"]: event["source_path"] for event in loaded.accepted}
    deep = "mobile_events/deep/er/[a].csv"
    assert paths == {"u1": "mobile_events/*.csv", "u2": deep, "u3": deep}
    assert loaded.files_read == ("mobile_events/*.csv", deep)


def test_a_file_name_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    root = landing_with(tmp_path, a="whole.csv")
    (root / os.fsdecode(b"mobile_events/\xff.csv")).write_text(f"{HEADER}\n{row()}\n", encoding="utf-8")

    assert [row["reason_code"] for row in load_events(root, tmp_path / "w").rejected] == ["refused_path"]


def test_other_files_are_no_events(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    for name in ("a.txt", "_tmp.csv", ".b.csv", "c.csv.part"):
        write_file(root, name, HEADER, row())

    assert load_events(root, tmp_path / "w").files_read == ()


def test_sick_lines_of_a_file_in_parts_stand_at_their_lines(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    lines = [HEADER, row("u1"), "\0", HEADER + ";x", row("u2") + ";1", "\0", row("u3")]
    (root / "mobile_events/a.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))

    loaded = load_events(root, tmp_path / "w")

    assert loaded.reasons() == [(3, "nul_byte"), (6, "nul_byte"), (7, "too_few_fields")]
    assert loaded.counts[DAY][0] == 1

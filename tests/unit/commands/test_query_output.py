"""What rows look like as a table, as CSV and as JSON."""

import csv
import io
import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from engagement_assets.commands.query_output import as_table, plain, text_of, write_csv, write_json

HOSTILE = "\x1b[31mred\u202e\nnext\x07"
SHOWN = "\\x1b[31mred\\u202e next\\x07"


class Terminal(io.StringIO):
    """A stream of which programs believe that a person reads it."""

    def isatty(self) -> bool:
        return True


def _csv(rows: list[tuple[Any, ...]], out: io.StringIO | None = None, **options: bool) -> str:
    out = out or io.StringIO(newline="")
    write_csv(["a", "b"], [rows[:1], rows[1:]] if rows else [], out, **options)
    return out.getvalue()


def _json(columns: list[str], rows: list[tuple[Any, ...]]) -> str:
    out = io.StringIO()
    write_json(columns, [rows[:1], rows[1:]] if rows else [], out)
    return out.getvalue()


def test_a_table_has_numbers_on_the_right_and_shows_null() -> None:
    table = as_table(
        ["country", "plays", "share", "is_new"],
        ["VARCHAR", "BIGINT", "DECIMAL(5,2)", "BOOLEAN"],
        [("mx", 7, Decimal("0.50"), True), (None, 1200, None, None), ("", -1, Decimal("10.00"), False)],
    )
    assert table.left_out == []
    assert table.lines == [
        "country  plays  share  is_new",
        "-------  -----  -----  ------",
        "mx           7   0.50  true",
        "NULL      1200   NULL  NULL",
        "            -1  10.00  false",
    ]


def test_a_table_without_rows_is_its_head() -> None:
    assert as_table(["a"], ["INTEGER"], []).lines == ["a", "-"]


def test_text_of_others_cannot_control_the_terminal() -> None:
    table = as_table([HOSTILE], ["VARCHAR"], [(HOSTILE,), ([HOSTILE],)])
    in_a_list = '["\\u001b[31mred\\u202e\\nnext\\u0007"]'
    assert table.lines == [SHOWN, "-" * len(in_a_list), SHOWN, in_a_list]


def test_long_texts_are_cut_where_the_terminal_ends_and_numbers_are_not() -> None:
    columns, kinds = ["text", "number", "other"], ["VARCHAR", "HUGEINT", "VARCHAR"]
    row = ("a" * 40, 10**20, "b" * 15)
    cut = as_table(columns, kinds, [row], 60)
    assert cut.lines[2] == f"{'a' * 19}…  {10**20}  {'b' * 15}"
    assert max(map(len, cut.lines)) <= 60
    assert as_table(columns, kinds, [row], 80).lines[2] == f"{'a' * 40}  {10**20}  {'b' * 15}"
    assert as_table(columns, kinds, [row]).lines[2] == f"{'a' * 40}  {10**20}  {'b' * 15}"


def test_columns_that_do_not_fit_are_left_out_and_named() -> None:
    columns, kinds = ["one", "two", "three"], ["BIGINT", "VARCHAR", "VARCHAR"]
    table = as_table(columns, kinds, [(1, "b" * 20, "c" * 20)], 20)
    assert (table.lines[2], table.left_out) == (f"  1  {'b' * 14}…", ["three"])
    assert as_table(columns, kinds, [(1, "b" * 20, "c" * 20)], 3).left_out == ["two", "three"]
    assert as_table(columns, kinds, [(1, "b" * 20, "c" * 20)], 47).left_out == []


def test_the_last_column_can_go_on_below_itself() -> None:
    table = as_table(
        ["name", "meaning"], ["VARCHAR"] * 2, [("plays", "How many plays there are.")], 20, wraps_last=True
    )
    assert table.lines == [
        "name   meaning",
        "-----  -------------",
        "plays  How many",
        "       plays there",
        "       are.",
    ]
    assert as_table(["a", "b"], ["VARCHAR"] * 2, [("x", "y " * 9)], 9, wraps_last=True).left_out == ["b"]


def test_wide_signs_and_accents_keep_columns_straight() -> None:
    lines = as_table(["a", "b"], ["VARCHAR"] * 2, [("日本", "x"), ("e\u0301", "y"), ("ab", "z")]).lines
    assert lines[2:] == ["日本  x", "e\u0301     y", "ab    z"]
    assert as_table(["a"], ["VARCHAR"], [("日" * 20,)], 12).lines[2] == "日" * 5 + "…"


def test_csv_is_that_of_rfc_4180_and_complete() -> None:
    rows: list[tuple[Any, ...]] = [("plain", 1), ('two\nlines, "quoted"', None), (HOSTILE, 1.5)]
    text = _csv(rows)
    assert text == ('a,b\r\nplain,1\r\n"two\nlines, ""quoted""",\r\n' + f'"{HOSTILE}",1.5\r\n')
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["a", "b"],
        ["plain", "1"],
        ['two\nlines, "quoted"', ""],
        [HOSTILE, "1.5"],
    ]
    assert _csv([]) == "a,b\r\n"


def test_csv_on_a_terminal_cannot_control_it() -> None:
    assert _csv([(HOSTILE, 1)], Terminal(newline="")) == f"a,b\r\n{SHOWN},1\r\n"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\uff1d1"])
def test_formulas_are_escaped_for_a_spreadsheet_alone(text: str) -> None:
    read = [row[0] for row in csv.reader(io.StringIO(_csv([(text, -1)], for_spreadsheet=True), newline=""))]
    assert read == ["a", f"'{text}"]
    assert [row[0] for row in csv.reader(io.StringIO(_csv([(text, -1)]), newline=""))] == ["a", text]


def test_numbers_and_harmless_texts_stay_for_a_spreadsheet() -> None:
    assert _csv([("a=1", -1), ("", -1.5)], for_spreadsheet=True) == "a,b\r\na=1,-1\r\n,-1.5\r\n"


def test_json_is_a_list_of_objects_without_nan() -> None:
    text = _json(["day", "value"], [(date(2024, 1, 2), float("nan")), (None, 10**20), (HOSTILE, Decimal("1.50"))])
    assert text == (
        '[\n{"day": "2024-01-02", "value": null},\n{"day": null, "value": 100000000000000000000},\n'
        '{"day": "\\u001b[31mred\\u202e\\nnext\\u0007", "value": 1.5}\n]\n'
    )
    assert json.loads(text)[2]["day"] == HOSTILE
    assert _json(["a"], []) == "[]\n"


@pytest.mark.parametrize(
    ("value", "as_text", "as_json"),
    [
        (True, "true", True),
        (datetime(2024, 1, 2, 3, 4, 5), "2024-01-02 03:04:05", "2024-01-02T03:04:05"),
        (datetime(2024, 1, 2, tzinfo=UTC), "2024-01-02 00:00:00+00:00", "2024-01-02T00:00:00+00:00"),
        (time(3, 4), "03:04:00", "03:04:00"),
        (timedelta(days=1, seconds=2), "1 day, 0:00:02", "1 day, 0:00:02"),
        (b"\x00\xff", "00ff", "00ff"),
        (float("inf"), "inf", None),
        (Decimal("NaN"), "NaN", None),
        (
            {"a": [1, None, float("nan")], "b": date(2024, 1, 2)},
            '{"a": [1, null, null], "b": "2024-01-02"}',
            {"a": [1, None, None], "b": "2024-01-02"},
        ),
        ({date(2024, 1, 2): (1, "é")}, '{"2024-01-02": [1, "é"]}', {"2024-01-02": [1, "é"]}),
    ],
)
def test_values_of_each_type(value: object, as_text: str, as_json: object) -> None:
    assert text_of(value, "NULL") == as_text
    assert plain(value) == as_json

"""What is said of values and names that nobody has declared harmless."""

import json
from typing import Any

import duckdb
import pytest

from engagement_assets.privacy.shapes import (
    described,
    is_said,
    said_sql,
    shape_of,
    shapes_sql,
    shown_name,
    shown_name_sql,
)


def _sql(expression: str, text: str) -> Any:
    return duckdb.execute(f"select {expression} from (select $text::varchar as text)", {"text": text}).fetchall()[0][0]


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -17,
        12.5,
        10**20,
        "42",
        "-4.5e3",
        "2021-01-05",
        "2021-13-45T25:00:00.5Z",
        "2021-01-05 10:00:00 +01",
    ],
)
def test_numbers_flags_and_instants_are_said_wherever_they_stand(value: object) -> None:
    assert is_said(value, text_is_meant=False)
    assert is_said(value, text_is_meant=True)


@pytest.mark.parametrize("value", ["event-17", "1.2.3", "iOS", "a:b_c+d"])
def test_a_code_is_said_where_a_text_is_meant(value: str) -> None:
    assert is_said(value, text_is_meant=True)
    assert not is_said(value, text_is_meant=False)


@pytest.mark.parametrize(
    "value",
    [
        "ana@example.com", "192.168.1.10", "Ana Garcia", "+34600123456", "", " ", "x" * 65, "https://example.com/ana",
        "2021-01-05 ana", "1" * 65, 10**30, float("nan"), [1], {"a": 1}, "naïve",
    ],
)  # fmt: skip
def test_anything_else_is_not_said(value: object) -> None:
    assert not is_said(value, text_is_meant=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2021-01-05", "2021-01-05"),
        ("-4.5e3", "-4.5e3"),
        ("ana@example.com", "a text of 15 characters"),
        ("yesterday", "a text of 9 characters"),
        ("+34600123456", "a text of 12 characters"),
    ],
)
def test_a_message_quotes_numbers_and_instants_alone(text: str, said: str) -> None:
    assert _sql(said_sql("text"), text) == said


def test_a_value_is_described_without_its_content() -> None:
    values = [None, "ana", True, [1], {"a": 1}, 12.5, ...]
    assert [described(value) for value in values] == [
        "nothing", "a text of 3 characters", "true or false", "a list", "an object", "12.5", "more",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("child_name", "child_name"),
        ("$insert_id", "$insert_id"),
        ("context.device.ip", "context.device.ip"),
        ("n" * 64, "n" * 64),
        ("n" * 65, "n" * 64),
        ("ana@example.com", "(15 characters)"),
        ("Ana Garcia", "(10 characters)"),
        ("user_4711", "user_4711"),
        ("user_47110", "(10 characters)"),
        ("1st", "(3 characters)"),
        ("", "(0 characters)"),
        ("x\n", "(2 characters)"),
        ("naïve", "(5 characters)"),
        ("(5 characters)", "(5 characters)"),
    ],
)
def test_a_name_is_shown_if_it_is_an_identifier(name: str, shown: str) -> None:
    assert shown_name(name) == _sql(shown_name_sql("text"), name) == shown


def test_unknown_fields_keep_their_shapes() -> None:
    members = {
        "child_name": "Ana", "tags": ["a", "b"], "n": 12.5, "flag": True, "none": None, "o": {"ip": "10.0.0.1"},
        "ana@example.com": "Ana", "bob@example.com": 1, "context.device.ip": "10.0.0.1",
    }  # fmt: skip

    found = json.loads(_sql(shapes_sql("text"), json.dumps(members)))

    assert found == {
        "child_name": {"type": "string", "length": 3},
        "tags": {"type": "array", "length": 2},
        "n": {"type": "number"},
        "flag": {"type": "boolean"},
        "none": {"type": "null"},
        "o": {"type": "object", "length": 1},
        # Of two with one shown name the first.
        "(15 characters)": {"type": "string", "length": 3},
        "context.device.ip": {"type": "string", "length": 8},
    }
    # A row that a load keeps of the lake has them already.
    assert json.loads(_sql(shapes_sql("text"), json.dumps(found, separators=(",", ":")))) == found
    assert _sql(shapes_sql("text"), "no object") == "{}"
    assert {name: shape_of(members[name]) for name in found if name in members} == {
        name: shape for name, shape in found.items() if name in members
    }

"""Records of a service: each kind of value both ways, nested members, and what no contract names."""

import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_assets.extract.absent_values import BLANKS
from engagement_assets.extract.lines.json_records import MAX_MEMBERS
from engagement_assets.extract.services.records import (
    ApiField,
    ApiRecordShape,
    BadValueError,
    amount,
    day,
    flag,
    instant,
    json_object,
    number,
    text,
    whole_number,
)
from tests.unit.extract.instant_spellings import ACCEPTED, REFUSED

GOOD: list[tuple[Callable[[object], object], object, object]] = [
    (text, "", ""),
    (text, "Søndag 🎉", "Søndag 🎉"),
    (text, "a\0b", "a\0b"),
    (text, 123456789012345678901234567890, "123456789012345678901234567890"),
    (whole_number, 12, 12),
    (whole_number, 12.0, 12),
    (whole_number, -0.0, 0),
    (whole_number, 9_007_199_254_740_993, 9_007_199_254_740_993),  # no float holds it
    (whole_number, 2**63 - 1, 2**63 - 1),
    (number, -3, -3.0),
    (number, 1e-400, 0.0),
    (amount, 0, 0.0),
    (flag, False, False),
    (instant, 0, datetime(1970, 1, 1)),
    (instant, 1_706_745_599, datetime(2024, 1, 31, 23, 59, 59)),
    (instant, 1_706_745_599_123, datetime(2024, 1, 31, 23, 59, 59, 123_000)),
    (instant, 1_706_745_599.5, datetime(2024, 1, 31, 23, 59, 59, 500_000)),
    (instant, 253_402_300_799_999, datetime(9999, 12, 31, 23, 59, 59, 999_000)),
    (instant, "2024-01-31T23:59:59Z", datetime(2024, 1, 31, 23, 59, 59)),
    (instant, "2024-01-31T23:59:59", datetime(2024, 1, 31, 23, 59, 59)),
    (instant, "2024-02-01T01:29:59.25+01:30", datetime(2024, 1, 31, 23, 59, 59, 250_000)),
    (instant, "2024-01-31", datetime(2024, 1, 31)),
    (day, "2024-02-29", date(2024, 2, 29)),
    (day, "2024-01-31T23:59:59-05:00", date(2024, 1, 31)),
    (day, "2024-01-31 23:59", date(2024, 1, 31)),
    (day, "2024-01-31t23:59:59.5z", date(2024, 1, 31)),
    (json_object, {}, "{}"),
    (json_object, {"b": [1, None], "a": {"é": 2}}, '{"a":{"é":2},"b":[1,null]}'),
]

BAD: list[tuple[Callable[[object], object], object, str, str]] = [
    (text, True, "wrong_type", "expected a text, found true or false"),
    (text, 1.5, "wrong_type", "expected a text, found 1.5"),
    (text, ["a"], "wrong_type", "expected a text, found a list"),
    (whole_number, 12.5, "wrong_type", "expected a whole number, found 12.5"),
    (whole_number, "12", "wrong_type", "expected a number, found a text of 2 characters"),
    (whole_number, -1, "out_of_range", "expected a whole number from 0 to 2^63 - 1, found -1"),
    (whole_number, 2**63, "out_of_range", f"expected a whole number from 0 to 2^63 - 1, found {2**63}"),
    (whole_number, 1e300, "out_of_range", "expected a whole number from 0 to 2^63 - 1, found 1e+300"),
    (whole_number, True, "wrong_type", "expected a number, found true or false"),
    (number, 10**400, "out_of_range", "expected a number, found a text of 18 characters"),
    (number, float("inf"), "not_a_number", "expected a finite number, found inf"),  # what 1e400 is in Python
    (number, {}, "wrong_type", "expected a number, found an object"),
    (amount, -0.5, "negative_value", "expected a number that is not negative, found -0.5"),
    (flag, 1, "wrong_type", "expected true or false, found 1"),
    (flag, "true", "wrong_type", "expected true or false, found a text of 4 characters"),
    (instant, -1, "negative_value", "expected a number that is not negative, found -1"),
    (
        instant,
        253_402_300_800_000,
        "bad_timestamp",
        "expected an epoch in seconds or milliseconds, found 253402300800000",
    ),
    (instant, 1e308, "bad_timestamp", "expected an epoch in seconds or milliseconds, found 1e+308"),
    (instant, True, "wrong_type", "expected a number, found true or false"),
    (instant, "", "bad_timestamp", "expected a time such as 2024-01-31T23:59:59Z, found a text of 0 characters"),
    # Read as the year 1704 by those who take dates without dashes.
    (
        instant,
        "1704110400000",
        "bad_timestamp",
        "expected a time such as 2024-01-31T23:59:59Z, found a text of 13 characters",
    ),
    (
        instant,
        "31.01.2024",
        "bad_timestamp",
        "expected a time such as 2024-01-31T23:59:59Z, found a text of 10 characters",
    ),
    (
        instant,
        "2024-02-30T00:00:00Z",
        "bad_timestamp",
        "expected a time such as 2024-01-31T23:59:59Z, found a text of 20 characters",
    ),
    (day, 1_706_745_599, "wrong_type", "expected a date such as 2024-01-31, found 1706745599"),
    (day, "2024-02-30", "bad_date", "expected a date such as 2024-01-31, found a text of 10 characters"),
    (day, "", "bad_date", "expected a date such as 2024-01-31, found a text of 0 characters"),
    (json_object, [], "wrong_type", "expected an object, found a list"),
    (json_object, "{}", "wrong_type", "expected an object, found a text of 2 characters"),
]


@pytest.mark.parametrize(("convert", "value", "expected"), GOOD)
def test_a_good_value_becomes_what_its_column_holds(
    convert: Callable[[object], object], value: object, expected: object
) -> None:
    found = convert(value)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(("convert", "value", "reason", "message"), BAD)
def test_a_bad_value_says_what_was_expected(
    convert: Callable[[object], object], value: object, reason: str, message: str
) -> None:
    with pytest.raises(BadValueError) as bad:
        convert(value)
    assert (bad.value.reason_code, str(bad.value)) == (reason, message)


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-10:00"])
def test_an_instant_that_no_calendar_has_in_utc_is_a_bad_value(value: str) -> None:
    with pytest.raises(BadValueError, match="expected a time such as"):
        instant(value)


@pytest.mark.parametrize("value", ["20240131xx", "2024-W05-3", "2024-01-31nonsense", "\uff12024-01-31"])
def test_a_date_of_another_form_is_a_bad_value(value: str) -> None:
    with pytest.raises(BadValueError, match="expected a date such as 2024-01-31"):
        day(value)


# Each is 21:59 of the last day of January 2021 in UTC, with what stands beside it.
@pytest.mark.parametrize(("spelling", "moment"), ACCEPTED.items())
def test_every_spelling_of_an_instant_is_read(spelling: str, moment: datetime) -> None:
    assert instant(spelling) == moment


# The name of a zone that only one source writes, and what would end a line or a value of other sources.
@pytest.mark.parametrize(
    "spelling", [*REFUSED, "2021-01-31 21:59:59 UTC", "2021-01-31T21:59:59\n", "2021-01-31T21:59:59;5"]
)
def test_what_is_no_spelling_of_an_instant_is_refused(spelling: str) -> None:
    with pytest.raises(BadValueError, match="expected a time such as") as bad:
        instant(spelling)
    assert bad.value.reason_code == "bad_timestamp"


@pytest.mark.parametrize("epoch", [1_706_745_599.9996, 1_706_745_599_999.6])
def test_an_epoch_with_decimals_stays_in_its_day(epoch: float) -> None:
    assert instant(epoch) == datetime(2024, 1, 31, 23, 59, 59, 999_600)


@given(moment=st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1)), offset=st.integers(-840, 840))
def test_seconds_milliseconds_and_texts_tell_the_same_instant(moment: datetime, offset: int) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    milliseconds = (moment - datetime(1970, 1, 1)) // timedelta(milliseconds=1)
    sign = "-" if offset < 0 else "+"
    local = (moment + timedelta(minutes=offset)).isoformat() + f"{sign}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
    assert instant(milliseconds) == instant(milliseconds / 1000) == instant(local) == moment


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(value=json_values)
def test_any_value_is_taken_or_refused_and_a_message_holds_no_text(value: Any) -> None:
    messages = []
    for convert in (text, whole_number, number, amount, flag, instant, day, json_object):
        try:
            convert(value)
        except BadValueError as error:
            messages.append(str(error))
    assert not isinstance(value, str) or all("a text of" in message for message in messages)


SHAPE = ApiRecordShape(
    (
        ApiField("id", "thing_id", text, required=True),
        ApiField("data.path", "path", text),
        ApiField("data.groups", "groups", json_object, absent="{}"),
    ),
    ignored=frozenset({"noise", "data.noise"}),
)


def bad(record: object) -> tuple[str, str]:
    with pytest.raises(BadValueError) as error:
        SHAPE.read(record)
    return error.value.reason_code, str(error.value)


NOTHING_SAID: list[Any] = [None, "", " ", "\t\u3000\u200b", BLANKS, []]


def test_members_become_columns_and_unknown_ones_are_kept_by_their_paths() -> None:
    record = {"id": "a", "data": {"path": "/x", "groups": None, "new": [1], "noise": 2}, "noise": 1, "other": {"b": 1}}
    assert SHAPE.read(record) == (
        {"thing_id": "a", "path": "/x", "groups": "{}"},
        {"data.new": [1], "other": {"b": 1}},
        frozenset(),
    )


@pytest.mark.parametrize("record", [{"id": "a"}, *({"id": "a", "data": absent} for absent in [*NOTHING_SAID, {}])])
def test_an_absent_object_has_absent_members(record: dict[str, Any]) -> None:
    assert SHAPE.read(record) == ({"thing_id": "a", "path": None, "groups": "{}"}, {}, frozenset())


@pytest.mark.parametrize("absent", NOTHING_SAID)
@pytest.mark.parametrize("convert", [text, whole_number, number, amount, flag, instant, day, json_object])
def test_an_optional_field_that_says_nothing_is_absent_whatever_is_meant(
    convert: Callable[[object], Any], absent: Any
) -> None:
    shape = ApiRecordShape((ApiField("a.b", "b", convert), ApiField("c", "c", convert, absent="none")))
    assert shape.read({"a": {"b": absent}, "c": absent}).columns == {"b": None, "c": "none"}


@pytest.mark.parametrize("absent", NOTHING_SAID)
def test_a_required_field_that_says_nothing_is_missing(absent: Any) -> None:
    assert bad({"id": absent})[0] == "missing_thing_id"


def test_blanks_around_a_text_and_unknown_members_of_blanks_stay() -> None:
    record = SHAPE.read({"id": " a ", "data": {"path": "\t/x "}, "new": "", "newer": []})
    assert record.columns == {"thing_id": " a ", "path": "\t/x ", "groups": "{}"}
    assert record.extra == {"new": "", "newer": []}


def test_a_value_that_a_device_writes_for_none_is_absent_and_told_by_its_path() -> None:
    fields = [ApiField("a.speed", name, amount, is_placeholder=lambda value: value == 65.535) for name in ("x", "y")]
    shape = ApiRecordShape(fields)
    assert shape.read({"a": {"speed": 65.535}}) == ({"x": None, "y": None}, {}, frozenset({"a.speed"}))
    assert shape.read({"a": {"speed": 65.534}}) == ({"x": 65.534, "y": 65.534}, {}, frozenset())
    assert shape.read({"a": {"speed": ""}}) == ({"x": None, "y": None}, {}, frozenset())


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ([], ("wrong_type", "expected an object, found a list")),
        (None, ("wrong_type", "expected an object, found nothing")),
        ({}, ("missing_thing_id", "expected id, found nothing")),
        ({"id": None}, ("missing_thing_id", "expected id, found nothing")),
        ({"id": ""}, ("missing_thing_id", "expected id, found a text of 0 characters")),
        ({"id": [1]}, ("wrong_type", "id: expected a text, found a list")),
        ({"id": "a", "data": "none"}, ("wrong_type", "expected data as an object, found a text of 4 characters")),
        ({"id": "a", "data": {"path": {}}}, ("wrong_type", "data.path: expected a text, found an object")),
    ],
)
def test_a_record_that_cannot_be_used_names_the_field(record: object, problem: tuple[str, str]) -> None:
    assert bad(record) == problem


def test_a_dotted_name_stands_for_the_nested_one() -> None:
    assert SHAPE.read({"id": "a", "data.path": "/x"}).columns["path"] == "/x"


@pytest.mark.parametrize(
    "record",
    [
        '{"id": "a", "data": {"path": "/x"}, "data.path": "/y"}',
        '{"data.path": "/y", "id": "a", "data": {"path": "/x"}}',
        '{"id": "a", "data": {"new": 1}, "data.new": 2}',
    ],
)
def test_a_member_that_is_there_nested_and_dotted_is_not_chosen_by_its_place(record: str) -> None:
    reason, message = bad(json.loads(record))
    assert reason == "repeated_field"
    assert message.startswith("expected data.")


def test_a_repeated_member_of_a_long_name_is_told_in_short() -> None:
    long = "n" * 5_000
    reason, message = bad({"id": "a", "data": {long: 1}, f"data.{long}": 2})
    assert (reason, len(message)) == (
        "repeated_field",
        len(f"expected {long[:64]} once, nested or with a dot in its name, found more"),
    )


def nested(levels: int) -> Any:
    """A record of so many levels, the record itself being the first."""
    inner: Any = [1]
    for level in range(levels - 2):
        inner = {"d": inner, "e": []} if level % 2 else [[], inner]
    return {"id": "a", "deep": inner}


def test_a_deeply_nested_member_is_kept_as_it_is() -> None:
    assert SHAPE.read(nested(128)).extra == {"deep": nested(128)["deep"]}


@pytest.mark.parametrize("levels", [129, 200, 900])
def test_a_record_that_nests_deeper_than_readers_follow_cannot_be_used(levels: int) -> None:
    assert bad(nested(levels)) == ("nesting_too_deep", "expected at most 128 levels of nesting, found more")


def test_a_record_and_its_objects_have_a_thousand_members_at_most() -> None:
    # With `id` and `data` these are a thousand; an object that no contract names is one member, whatever it holds.
    inner = {f"n{number}": {"more": {"than": "one"}} for number in range(MAX_MEMBERS - 2)}
    assert len(SHAPE.read({"id": "a", "data": inner}).extra) == 998
    for record in ({"id": "a", "data": inner | {"one": 1}}, {"id": "a", "data": inner, "one": 1}):
        assert bad(record) == (
            "too_many_members", "expected at most 1,000 members in the record and its objects, found 1001"
        )  # fmt: skip
    assert bad({"id": "a"} | dict.fromkeys(map(str, range(20_000))))[0] == "too_many_members"

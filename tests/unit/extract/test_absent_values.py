"""What counts as an absent value, in Python and in SQL alike."""

import duckdb
import pytest

from engagement_assets.extract.absent_values import BLANKS, is_absent, is_blank_sql


@pytest.mark.parametrize("text", ["", " ", "\t", "\n \r", "\u00a0", "\u3000", "\ufeff", "\u200b", BLANKS])
def test_blanks_alone_are_absent(text: str) -> None:
    assert is_absent(text)
    assert duckdb.execute(f"select {is_blank_sql('$text')}", {"text": text}).fetchall() == [(True,)]


@pytest.mark.parametrize("text", ["0", " a ", ".", "null", "\u00a0x\u00a0", "[]"])
def test_a_text_that_says_something_is_there(text: str) -> None:
    assert not is_absent(text)
    assert duckdb.execute(f"select {is_blank_sql('$text')}", {"text": text}).fetchall() == [(False,)]


def test_every_white_space_of_unicode_is_a_blank() -> None:
    assert [chr(code) for code in range(0x110000) if chr(code).isspace() and chr(code) not in BLANKS] == []


def test_an_empty_list_is_absent_where_no_list_is_meant() -> None:
    assert is_absent([])
    assert not is_absent([], list_is_meant=True)
    assert not is_absent([0])


@pytest.mark.parametrize("value", [0, 0.0, False, {}])
def test_zero_false_and_an_empty_object_are_values(value: object) -> None:
    assert not is_absent(value)


def test_null_is_absent() -> None:
    assert is_absent(None)
    assert duckdb.execute(f"select {is_blank_sql('null::varchar')}").fetchall() == [(None,)]

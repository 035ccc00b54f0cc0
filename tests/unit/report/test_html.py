"""Data on its way into the page: it cannot end a script, and it comes out as it went in."""

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_assets.report.html import as_json, columns_of

VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(max_size=20))


def unpacked(columns: dict[str, Any], name: str) -> list[Any]:
    """A column as the page unpacks it."""
    column = columns[name]
    if "at" not in column:
        return list(column["values"])
    return [None if place < 0 else column["values"][place] for place in column["at"]]


@settings(max_examples=50)
@given(st.text(st.sampled_from("<>&/!-sS\u2028\u2029") | st.characters(exclude_categories=["Cs"])))
def test_text_comes_back_and_holds_no_markup(text: str) -> None:
    written = as_json({"name": text})
    assert json.loads(written) == {"name": text}
    assert not set("<>&\u2028\u2029") & set(written)


@settings(max_examples=50)
@given(st.lists(VALUES, max_size=30))
def test_a_column_comes_back(values: list[Any]) -> None:
    frame = pd.DataFrame({"column": pd.Series(values, dtype="object")})
    assert unpacked(json.loads(as_json(columns_of(frame))), "column") == values


def test_texts_that_repeat_are_written_once() -> None:
    columns = columns_of(pd.DataFrame({"country": ["es", "us", "es", "es", None]}))
    assert columns == {"country": {"values": ["es", "us"], "at": [0, 1, 0, 0, -1]}}


def test_what_is_missing_is_null_and_what_is_whole_has_no_fraction() -> None:
    frame = pd.DataFrame({"rate": [0.5, float("nan"), 2.0], "count": pd.array([1, None, 3], dtype="Int64")})
    assert columns_of(frame) == {"rate": {"values": [0.5, None, 2]}, "count": {"values": [1, None, 3]}}


def test_infinity_is_no_json() -> None:
    with pytest.raises(ValueError, match="Out of range float values"):
        as_json({"rate": float("inf")})

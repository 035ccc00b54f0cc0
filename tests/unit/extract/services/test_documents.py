"""The JSON of an answer: odd values, depth, and how many values it has at most."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_assets.extract.services.documents import DEEPEST, answer_document, is_nested_deeper, values_at_most

documents: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def count_of(document: Any) -> int:
    if isinstance(document, dict | list):
        return 1 + sum(map(count_of, document.values() if isinstance(document, dict) else document))
    return 1


def depth_of(document: Any) -> int:
    if isinstance(document, dict | list):
        return 1 + max(map(depth_of, document.values() if isinstance(document, dict) else document), default=0)
    return 0


@given(document=documents)
def test_a_document_has_no_more_values_than_its_body_lets_expect(document: Any) -> None:
    body = json.dumps(document).encode()
    assert answer_document(body) == document
    assert count_of(document) <= values_at_most(body)


@given(document=documents, levels=st.integers(0, 6))
def test_depth_is_that_of_objects_and_lists(document: Any, levels: int) -> None:
    assert is_nested_deeper(document, levels) is (depth_of(document) > levels)


@pytest.mark.parametrize(
    "body", [b"", b"[", b"<html>", b"[1] [2]", b"[" * 5_000, b"[" * 5_000 + b"]" * 4_999, b'"\xff"']
)
def test_what_is_no_json_is_none(body: bytes) -> None:
    assert answer_document(body) is None


@pytest.mark.parametrize("levels", [DEEPEST + 1, 900, 1_100, 50_000])
@pytest.mark.parametrize("odd", [b"", b'"odd": 1e400, ', b'"odd": "\\ud83d", '])
def test_what_lies_too_deep_becomes_a_text_and_the_rest_stays(levels: int, odd: bytes) -> None:
    text = rb'"a \" ] } [ \\"'
    body = b"[{" + odd + b'"deep": ' + b"[" * levels + text + b"]" * levels + b', "text": ' + text + b'}, {"b": [2]}]'
    first, second = answer_document(body)
    assert (first["text"], second) == ('a " ] } [ \\', {"b": [2]})
    inner = first["deep"]
    for _ in range(DEEPEST - 3):
        (inner,) = inner
    assert inner == ["nested too deep"]


def test_what_lies_as_deep_as_is_taken_stays() -> None:
    body = b"[" * DEEPEST + b"]" * DEEPEST
    assert answer_document(body) == json.loads(body)

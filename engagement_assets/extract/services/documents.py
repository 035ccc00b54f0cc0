"""The JSON document of a service's answer: a malformed value must not cost a page of good ones.

Belongs here: from a body to Python values, in time and memory that the body's size bounds. Not here: how large a body
may be (`services/client.py`), what the values mean (`services/records.py`).
"""

import json
import math
import re
from contextlib import suppress
from typing import Any

import msgspec

# A Python object takes some 100 bytes, a value in a body as few as two: 64 MB of `[],` would take 2 GB.
MAX_VALUES = 5_000_000
# Deeper than a record may be (`services/records.py`), and far from the depth at which encoders give up.
DEEPEST = 200

_MAX_DIGITS = 4_000
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_TOO_DEEP = b'"nested too deep"'


def values_at_most(body: bytes) -> int:
    """An upper bound of the number of values in a body, without decoding it."""
    return 1 + body.count(b",") + body.count(b"[") + body.count(b"{")


def answer_document(body: bytes) -> Any:
    """The JSON value of a body; None if the body is not JSON.

    A number that no float can hold becomes a text, which no numeric field accepts; half a surrogate pair a question
    mark. Values nested too deep become a text, at a depth at which every record is rejected anyway.
    """
    with suppress(RecursionError):
        found = _decoded(body)
        if not is_nested_deeper(found, DEEPEST):
            return found
    with suppress(RecursionError):  # brackets that are never closed
        return _decoded(_without_depths(body))
    return None


def is_nested_deeper(value: object, levels: int) -> bool:
    """Whether objects and lists are nested deeper than `levels`; the value itself is the first level."""
    values = [value]
    for _ in range(levels + 1):
        containers = [inner for inner in values if isinstance(inner, dict | list)]
        if not containers:
            return False
        values = [inner for outer in containers for inner in (outer.values() if isinstance(outer, dict) else outer)]
    return True


def _decoded(body: bytes) -> Any:
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.decode(body)
    try:
        found = json.loads(body, parse_float=_finite_or_text, parse_int=_short_or_text, parse_constant=str)
        return msgspec.json.decode(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    except ValueError:
        return None


def _without_depths(body: bytes) -> bytes:
    """The same document with a text in place of every object or list deeper than `DEEPEST` levels."""
    kept, depth, done = [], 0, 0
    for token in _STRING_OR_BRACKET.finditer(body):
        if token[0] in {b"[", b"{"}:
            depth += 1
            if depth == DEEPEST + 1:
                kept += [body[done : token.start()], _TOO_DEEP]
        elif token[0] in {b"]", b"}"}:
            if depth == DEEPEST + 1:
                done = token.end()
            depth -= 1
    return b"".join([*kept, body[done:]])


def _finite_or_text(digits: str) -> float | str:
    return found if math.isfinite(found := float(digits)) else digits


def _short_or_text(digits: str) -> int | str:
    return int(digits) if len(digits) < _MAX_DIGITS else digits

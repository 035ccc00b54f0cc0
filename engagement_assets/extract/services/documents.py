"""The JSON document of a service's answer, with whatever is odd in it.

Belongs here: from a body to Python values, in time and memory that the body's size bounds. Not here: how large a body
may be (`services/client.py`), what the values mean (`services/records.py`).

What is odd may be one value on a page of good ones, and must not cost the page: a number that no float holds becomes a
text, which no field of numbers takes; half a character becomes a question mark; what lies too deep becomes a text, too,
at a depth at which no record is taken any more.
"""

import json
import math
import re
from typing import Any

import msgspec

# A value takes some 100 bytes as an object of Python, and as little as two in a body: 64 MB of `[],` would take 2 GB.
MAX_VALUES = 5_000_000
# Deeper than a record may be (`services/records.py`), and far from where encoders give up.
DEEPEST = 200

_MAX_DIGITS = 4_000
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_TOO_DEEP = b'"nested too deep"'


def values_at_most(body: bytes) -> int:
    """How many values the document of a body has at most, without decoding it; texts count what looks like more."""
    return 1 + body.count(b",") + body.count(b"[") + body.count(b"{")


def answer_document(body: bytes) -> Any:
    """The JSON value of a body; None where it is none."""
    try:
        found = _decoded(body)
        return _decoded(_without_depths(body)) if is_nested_deeper(found, DEEPEST) else found
    except RecursionError:
        pass
    try:
        return _decoded(_without_depths(body))
    except RecursionError:  # brackets that nobody closes
        return None


def is_nested_deeper(value: object, levels: int) -> bool:
    """Whether objects and lists lie within each other deeper than `levels`, the value itself being the first."""
    values = [value]
    for _ in range(levels + 1):
        containers = [inner for inner in values if isinstance(inner, dict | list)]
        if not containers:
            return False
        values = [inner for outer in containers for inner in (outer.values() if isinstance(outer, dict) else outer)]
    return True


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        found = json.loads(body, parse_float=_finite_or_text, parse_int=_short_or_text, parse_constant=str)
        return msgspec.json.decode(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    except ValueError:
        return None


def _without_depths(body: bytes) -> bytes:
    """The same document with a text in place of each object or list below `DEEPEST` levels."""
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

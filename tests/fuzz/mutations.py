"""Records with defects that nobody thought of: values, members and bytes of good records, changed at random.

Belongs here: how a record is changed. Not here: the good records (`good_records.py`), or what must hold of what readers
make of the changed ones (`test_fuzz.py`).
"""

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

# What devices, exporters and other programs have put in place of a value.
HOSTILE: list[Any] = [
    None, "", " ", "\u00a0", [], {}, [[]], [None], True, False, 0, -1, 0.5, -0.0, 1e308, 2**53, 2**63, 2**64, 10**400,
    float("nan"), float("inf"), 65.535, 4_294_967_295, [180, 180], 631_065_600_000, 1_704_110_400,
    1_704_110_400_000_000, "null", "NaN", "0", "1e5", "-1", "1704110400000", "9999-12-31", "0001-01-01",
    "9999-12-31T23:59:59-14:00", "0001-01-01 00:00:00+14", "1970-01-01 00:00:00", "2099-01-01T00:00:00Z",
    "2021-01-05", "2021-01-05 10:00 Europe", "2021-01-05t10:00z", "2021-01-05 10:00:00,5 +02", "infinity", "x" * 300,
    "\ud800", "\x00", "\u202e", "a\nb", "a;b", 'a"b', "'; drop", "💥", {"a": 1, "a.b": 2},
    {str(number): number for number in range(50)},
]  # fmt: skip

scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.datetimes().map(str))
# A list or an object of `HOSTILE` may be changed in its turn: each draw needs a copy.
values = st.one_of(
    st.sampled_from(HOSTILE).map(copy.deepcopy),
    st.sampled_from(HOSTILE).map(copy.deepcopy),
    st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner)),
)


def one_of(records: Sequence[Any]) -> st.SearchStrategy[Any]:
    """One of many records. `sampled_from` writes all of them down, for a message that nobody reads."""
    return st.integers(0, len(records) - 1).map(lambda place: records[place])


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with each of its keys or indices."""
    if isinstance(node, dict | list):
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            yield node, key
            yield from _places(node[key])


@st.composite
def changed(draw: st.DrawFn, record: Any, most: int = 3) -> Any:
    """The record after up to `most` changes of a value, or of a member."""
    found = copy.deepcopy(record)
    for _ in range(draw(st.integers(0, most))):
        places = list(_places(found))
        if not places:
            return draw(values)
        node, key = places[draw(st.integers(0, len(places) - 1))]
        match draw(st.sampled_from(["replace", "replace", "remove", "rename", "wrap", "add"])):
            case "replace":
                node[key] = draw(values)
            case "remove":
                del node[key]
            case "rename" if isinstance(node, dict):
                node[draw(st.sampled_from([str(key).upper(), f"{key}.x", "", "new"]))] = node.pop(key)
            case "wrap":
                node[key] = [node[key]]
            case _ if isinstance(node, dict):
                node[draw(st.text(max_size=6))] = draw(values)
    return found


@st.composite
def spelled(draw: st.DrawFn, record: Any) -> bytes:
    """The record as JSON in one of many spellings; now and then its bytes are damaged."""
    text = json.dumps(
        record,
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([(", ", ": "), (",", ":"), (" , ", " : ")])),
    )
    content = text.encode("utf-8", "surrogatepass")
    return draw(damaged(content)) if draw(st.integers(0, 7)) == 0 else content


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """The bytes cut, or with others in between or in place of some."""
    start = draw(st.integers(0, len(content)))
    end = draw(st.integers(start, min(len(content), start + 40)))
    piece = draw(
        st.one_of(
            st.binary(max_size=6),
            st.sampled_from(
                [b"", b"\n", b"\r", b"\x00", b"\xff", b"\xef\xbb\xbf", b'"', b"{", b"]", b",", b";", b"NaN"]
            ),
            st.sampled_from([b'"id":1,"id":2,', b"[" * 200, b"{" * 200, b"1" * 5_000, b"\\u0000", b"1e999"]),
        )
    )
    return content[:start] if draw(st.integers(0, 3)) == 0 else content[:start] + piece + content[end:]

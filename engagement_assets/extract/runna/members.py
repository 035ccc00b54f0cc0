"""A Runna document that does not fit, taken apart: the members of its objects, one by one.

Belongs here: absent members, building a part from the present ones, messages about one that does not fit. Not here:
which parts a document has and what happens to them (`activity_files.py`).
"""

import re
from functools import cache
from typing import TypeVar

import msgspec
from msgspec import Raw

from engagement_assets.extract.absent_values import is_absent
from engagement_assets.extract.lines.json_records import MAX_MEMBERS
from engagement_assets.extract.runna.documents import KnownFields, UnusableRecordError
from engagement_assets.privacy.shapes import described, is_said

MAX_RAW_TEXT_BYTES = 64 * 1024

# A number that JSON lacks, wrapped into an object: the document becomes JSON, and no field accepts the value.
_WRAPPED = re.compile(r'\{"(-?Infinity|NaN)":null\}')
_NOT_A_NUMBER = ("NaN", "Infinity", "-Infinity")

_MEMBERS, _ELEMENTS = msgspec.json.Decoder(dict[str, Raw]), msgspec.json.Decoder(list[Raw])
NULL = Raw(b"null")

Members = dict[str, Raw]
Part = TypeVar("Part", bound=msgspec.Struct)
KnownPart = TypeVar("KnownPart", bound=KnownFields)


def clipped(data: bytes) -> str:
    """The beginning of `data` as text, at most 64 KiB of UTF-8; bytes that are not UTF-8 become U+FFFD."""
    text = data[:MAX_RAW_TEXT_BYTES].decode("utf-8", "replace")
    return text.encode()[:MAX_RAW_TEXT_BYTES].decode("utf-8", "ignore")


def as_sent(value: Raw | bytes) -> str:
    """The beginning of a value as it stands in the document."""
    return _WRAPPED.sub(r"\1", clipped(bytes(value)))


def shown(value: Raw | bytes) -> str:
    """A value as messages show it: itself if it says nothing of a person, else what it is."""
    text = as_sent(value)
    if text in _NOT_A_NUMBER or is_said(text, text_is_meant=False):
        return text
    try:
        return described(msgspec.json.decode(value))
    except (msgspec.DecodeError, RecursionError):
        return f"a text of {len(text)} characters"


def is_absent_value(value: Raw, *, list_is_meant: bool = False) -> bool:
    """Whether a value is absent (see `absent_values.py`)."""
    text = bytes(value)
    if text.startswith(b'"'):
        return is_absent(msgspec.json.decode(text))
    if text.startswith(b"["):
        return is_absent(_ELEMENTS.decode(text), list_is_meant=list_is_meant)
    return text == b"null"


def present(members: Members) -> Members:
    """The members that are not absent."""
    return {name: value for name, value in members.items() if not is_absent_value(value)}


def members_of(value: Raw, where: str) -> Members:
    """The members of an object; raises UnusableRecordError if the value is none."""
    try:
        return _MEMBERS.decode(value)
    except msgspec.ValidationError as error:
        raise UnusableRecordError("wrong_type", f"{where}: expected an object, found {shown(value)}") from error


def optional_members(members: Members, name: str) -> Members:
    """Remove the object `name` and return its members, none if it is absent; raises as `members_of` does."""
    value = members.pop(name, NULL)
    return {} if is_absent_value(value) else members_of(value, name)


def elements_of(value: Raw, where: str) -> list[Raw] | None:
    """The elements of a list, None if it is absent; raises UnusableRecordError if the value is no list."""
    if is_absent_value(value, list_is_meant=True):
        return None
    try:
        return _ELEMENTS.decode(value)
    except msgspec.ValidationError as error:
        raise UnusableRecordError("wrong_type", f"{where}: expected a list, found {shown(value)}") from error


def known_fields(kind: type[KnownPart], members: Members, where: str) -> tuple[KnownPart, Members]:
    """The part that the known members form, and the unknown ones; raises UnusableRecordError if one does not fit."""
    if len(members) > MAX_MEMBERS:
        place = where.rstrip(".") or "the document"
        message = f"{place}: expected at most {MAX_MEMBERS:,} members, found {len(members):,}"
        raise UnusableRecordError("too_many_members", message)
    names = _names(kind)
    known = {name: value for name, value in members.items() if name in names}
    return part_of(kind, known, where), {name: value for name, value in members.items() if name not in names}


def part_of(kind: type[Part], members: Members, where: str) -> Part:
    """The part that the present members form; raises UnusableRecordError if one of them does not fit."""
    fitting = msgspec.json.encode(present(members))
    try:
        return msgspec.json.decode(fitting, type=kind)
    except msgspec.ValidationError as error:
        raise _refusal(error, Raw(fitting), where) from error


@cache
def _names(kind: type[KnownFields]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(kind))


def _refusal(error: msgspec.ValidationError, value: Raw, where: str) -> UnusableRecordError:
    """What the decoder says about a field of the object `value`, and what was found there."""
    complaint, _, path = str(error).partition(" - at `$.")
    path = path.removesuffix("`")
    for name in path.split(".") if path else ():
        value = _MEMBERS.decode(value)[name]
    found = shown(value)
    if found in _NOT_A_NUMBER or complaint == "Number out of range":
        reason_code = "not_a_number"
    elif complaint.endswith(">= 0.0"):
        reason_code = "negative_value"
    elif ", got `" in complaint:
        reason_code = "wrong_type"
    else:
        reason_code = "wrong_value"
    expected = complaint[0].lower() + complaint[1:].partition(", got ")[0]
    return UnusableRecordError(reason_code, f"{f'{where}{path}'.rstrip('.')}: {expected}, found {found}")


def as_json(members: Members) -> str | None:
    """Unknown fields as compact JSON; None if there are none."""
    return msgspec.json.format(msgspec.json.encode(members), indent=-1).decode() if members else None

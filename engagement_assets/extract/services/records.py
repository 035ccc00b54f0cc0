"""Records of a service's JSON documents: which columns they become, and what is wrong with those that do not.

Belongs here: the kinds of values and how one record is judged. Not here: which fields a source sends (the source's
own module), how rows reach the lake (`services/extraction.py`).
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from engagement_assets.contracts.datasets import SentFields
from engagement_assets.contracts.field_notes import NO_NOTE, Note
from engagement_assets.extract.absent_values import is_absent
from engagement_assets.extract.lines.json_records import MAX_MEMBERS, MAX_NESTING
from engagement_assets.extract.services.documents import is_nested_deeper
from engagement_assets.privacy.shapes import described, shown_name

Value = str | int | float | bool | datetime | date | None

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - columns are naive UTC
_MAX_BIGINT = 2**63 - 1
# As seconds this is the year 5138, as milliseconds 1973: no event of these sources can be meant in the other unit.
_SMALLEST_MILLISECONDS = 100_000_000_000
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(?![^Tt ])", re.ASCII)
# What ISO 8601 and PostgreSQL write; the name of a zone is not an offset. An epoch sent as a text has no dashes: it is
# not taken for a year.
_INSTANT = re.compile(
    r"(?P<minute>\d{4}-\d{2}-\d{2}[Tt ]([01]\d|2[0-3]):[0-5]\d)"
    r"(?P<second>:[0-5]\d([.,]\d+)?)?"
    r"( ?(?P<offset>[Zz]|[+-]([01]\d|2[0-3])(:?[0-5]\d)?))?",
    re.ASCII,
)
_CHARACTERS_TO_THE_MICROSECOND = len(":59.999999")
_LATEST_MS = 253_402_300_799_999  # the end of the year 9999


class BadValueError(ValueError):
    """A value that cannot be used: a reason code, and what was expected and found."""

    def __init__(self, reason_code: str, expected: str, found: object) -> None:
        """Put the message together."""
        self.reason_code = reason_code
        super().__init__(f"expected {expected}, found {described(found)}")


def text(value: object) -> str:
    """A text as it is, or a number as a text: services send ids as either."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadValueError("wrong_type", "a text", value)
    return str(value)


def whole_number(value: object) -> int:
    """A whole number that is not negative; 12.0 is one."""
    number_found = number(value)
    if number_found != int(number_found):
        raise BadValueError("wrong_type", "a whole number", value)
    found = value if isinstance(value, int) else int(number_found)
    if not 0 <= found <= _MAX_BIGINT:
        raise BadValueError("out_of_range", "a whole number from 0 to 2^63 - 1", value)
    return found


def number(value: object) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadValueError("wrong_type", "a number", value)
    try:
        found = float(value)
    except OverflowError:
        raise BadValueError("out_of_range", "a number", "one of many digits") from None
    if not math.isfinite(found):
        raise BadValueError("not_a_number", "a finite number", value)
    return found


def amount(value: object) -> float:
    """A finite number that is not negative."""
    found = number(value)
    if found < 0:
        raise BadValueError("negative_value", "a number that is not negative", value)
    return found


def flag(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise BadValueError("wrong_type", "true or false", value)
    return value


def instant(value: object) -> datetime:
    """The UTC instant of an ISO 8601 text, or of an epoch in seconds or milliseconds, as a naive datetime.

    A text may have a blank before the offset, a lower-case t or z, a comma before the fraction, no seconds, or only a
    date, which means its midnight. Without an offset it is in UTC. A fraction is cut to microseconds.
    """
    if isinstance(value, str):
        try:
            return _instant_of(value)
        except (ValueError, OverflowError):
            raise BadValueError("bad_timestamp", "a time such as 2024-01-31T23:59:59Z", value) from None
    epoch = amount(value)
    milliseconds = epoch if epoch >= _SMALLEST_MILLISECONDS else epoch * 1000
    if milliseconds > _LATEST_MS:
        raise BadValueError("bad_timestamp", "an epoch in seconds or milliseconds", value)
    # Rounded to whole milliseconds, the last one of a day would be the first of the next.
    return _EPOCH + timedelta(milliseconds=milliseconds)


def _instant_of(written: str) -> datetime:
    if _ISO_DAY.fullmatch(written):
        return datetime.fromisoformat(written)
    parts = _INSTANT.fullmatch(written)
    if parts is None:
        raise ValueError
    second = (parts["second"] or "").replace(",", ".")[:_CHARACTERS_TO_THE_MICROSECOND]
    found = datetime.fromisoformat(f"{parts['minute']}{second}{(parts['offset'] or '').upper()}")
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def day(value: object) -> date:
    """A calendar day: the first ten characters of an ISO 8601 text, whatever time follows."""
    if not isinstance(value, str):
        raise BadValueError("wrong_type", "a date such as 2024-01-31", value)
    try:
        if _ISO_DAY.match(value):
            return date.fromisoformat(value[:10])
    except ValueError:
        pass
    raise BadValueError("bad_date", "a date such as 2024-01-31", value)


def json_object(value: object) -> str:
    """An object, as JSON text with sorted keys."""
    if not isinstance(value, dict):
        raise BadValueError("wrong_type", "an object", value)
    return msgspec.json.encode(value, order="deterministic").decode()


class ReadRecord(NamedTuple):
    """A usable record.

    `extra` has its unknown members by their dotted paths. `placeholders` has the paths of the values by which a device
    says "none"; their columns are as if the values were absent.
    """

    columns: dict[str, Value]
    extra: dict[str, Any]
    placeholders: frozenset[str]


@dataclass(frozen=True)
class ApiField:
    """A field: its dotted path in the record, the column it becomes, and the conversion.

    The column is `absent` if the field is missing or says nothing (see `absent_values.py`), or if `convert` returns
    None. `is_placeholder` recognises what a device writes for "none". Two fields may have the same path. The `note` is
    for people who write such records; what is accepted stands in the docstring of `convert`.
    """

    path: str
    column: str
    convert: Callable[[object], Value]
    required: bool = False
    absent: Value = None
    is_placeholder: Callable[[object], bool] = lambda _: False
    note: Note = NO_NOTE


@dataclass(frozen=True)
class ApiRecordShape:
    """All known fields; `ignored` are those that no table needs."""

    fields: Sequence[ApiField]
    ignored: frozenset[str] = frozenset()

    @property
    def sent(self) -> SentFields:
        """How records are sent; what is `ignored` is not of the contract."""
        return SentFields({field.path: field.column for field in self.fields})

    @cached_property
    def _known(self) -> frozenset[str]:
        return self.ignored.union(field.path for field in self.fields)

    @cached_property
    def _parents(self) -> frozenset[str]:
        return frozenset(path.rpartition(".")[0] for path in self._known if "." in path)

    def read(self, record: object) -> ReadRecord:
        """What a record becomes; raises BadValueError, which names the field, if it cannot be used."""
        if not isinstance(record, dict):
            raise BadValueError("wrong_type", "an object", record)
        if is_nested_deeper(record, MAX_NESTING):
            raise BadValueError("nesting_too_deep", f"at most {MAX_NESTING} levels of nesting", ...)
        members: dict[str, Any] = {}
        number = self._flatten(record, "", members)
        if number > MAX_MEMBERS:
            expected = f"at most {MAX_MEMBERS:,} members in the record and its objects"
            raise BadValueError("too_many_members", expected, number)
        columns: dict[str, Value] = {}
        placeholders = set()
        for field in self.fields:
            value, found = members.get(field.path), None
            if is_absent(value):
                if field.required:
                    raise BadValueError(f"missing_{field.column}", field.path, value)
            elif field.is_placeholder(value):
                placeholders.add(field.path)
            else:
                try:
                    found = field.convert(value)
                except BadValueError as error:
                    error.args = (f"{field.path}: {error}",)
                    raise
            columns[field.column] = field.absent if found is None else found
        extra = {path: value for path, value in members.items() if path not in self._known}
        return ReadRecord(columns, extra, frozenset(placeholders))

    def _flatten(self, node: Mapping[str, Any], path: str, members: dict[str, Any]) -> int:
        """Add the members by their dotted paths; returns their number, including objects that hold others."""
        number = len(node)
        for name, value in node.items():
            inner = f"{path}{name}"
            if inner in self._parents and inner not in self._known:
                if isinstance(value, dict):
                    number += self._flatten(value, f"{inner}.", members)
                elif not is_absent(value):
                    raise BadValueError("wrong_type", f"{inner} as an object", value)
            elif inner in members:
                raise BadValueError(
                    "repeated_field", f"{shown_name(inner)} once, nested or with a dot in its name", ...
                )
            else:
                members[inner] = value
        return number

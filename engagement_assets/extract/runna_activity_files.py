"""One Runna activity file, good or bad: from its bytes to rows and to what is wrong with it.

Belongs here: what makes a file, a lap or a step unusable, the words for it, and how the rest is
kept. Not here: what a document consists of (`runna_documents.py`), where files lie and how rows
reach disk (`runna.py`, `runna_parts.py`).
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import TypeVar

import msgspec
from msgspec import Raw

from engagement_assets.extract.runna_documents import (
    REPEAT_STEP_TYPE,
    Activity,
    ActivityRows,
    FlatSteps,
    KnownFields,
    Lap,
    Plan,
    PlannedWorkout,
    Rejection,
    Step,
    UnusableRecordError,
    plain_step,
    read_typed,
    refuse_too_many_steps,
    repeated,
    rows,
)
from engagement_assets.lake.datasets import (
    RUNNA_ACTIVITIES,
    RUNNA_ACTIVITY_LAPS,
    RUNNA_WORKOUT_STEPS,
)

MAX_RAW_TEXT_BYTES = 64 * 1024

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# The words that JSON lacks and that some writers send all the same; strings match first, to be
# stepped over.
_STRING_OR_NOT_A_NUMBER = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|(-?Infinity|NaN)', re.DOTALL)
# Such a word is wrapped into an object, which makes the document JSON and which no field accepts.
_WRAPPED = re.compile(r'\{"(-?Infinity|NaN)":null\}')
_SHOWN_CHARACTERS = 80

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_ELEMENTS = msgspec.json.Decoder(list[Raw])
_ANYTHING = msgspec.json.Decoder(Raw)
_NULL = Raw(b"null")

Members = dict[str, Raw]
Part = TypeVar("Part", bound=KnownFields)


def clipped(data: bytes) -> str:
    """The beginning of `data` as text, at most 64 KiB of UTF-8; other bytes become U+FFFD."""
    text = data[:MAX_RAW_TEXT_BYTES].decode("utf-8", "replace")
    return text.encode()[:MAX_RAW_TEXT_BYTES].decode("utf-8", "ignore")


def read_activity(data: bytes, file: int) -> ActivityRows:
    """Rows of one activity file, which is known by the number `file` in them.

    Raises:
        UnusableRecordError: the file as a whole cannot be used.
    """
    text = data.removeprefix(_BYTE_ORDER_MARK)
    if not text or text.isspace():
        raise UnusableRecordError("empty_file", "expected a JSON document, found nothing")
    if not text.isascii():
        _refuse_other_encodings(text)
    try:
        try:
            return read_typed(text, file)
        except (msgspec.DecodeError, UnusableRecordError):
            return read_explaining(text, file)
    except RecursionError as error:
        raise UnusableRecordError("nesting_too_deep", "expected a document of a few levels, found hundreds") from error


def read_explaining(text: bytes, file: int) -> ActivityRows:
    """The rows that `read_typed` gives, also of a document that does not fit in every part.

    It is taken apart piece by piece; unusable laps and steps come back as rejections.

    Raises:
        UnusableRecordError: the file as a whole cannot be used.
    """
    members = _document(text)
    members.pop("waypoints", None)
    laps = _elements(members.pop("laps", _NULL), "laps")
    plan_members = _optional_members(members, "planDetails")
    planned_members = _optional_members(members, "plannedWorkoutMetadata")
    steps = _elements(planned_members.pop("stepsV2", _NULL), "plannedWorkoutMetadata.stepsV2")

    activity, extra = _known_fields(Activity, members, "")
    activity.plan_details, plan_extra = _known_fields(Plan, plan_members, "planDetails.")
    activity.planned_workout_metadata, planned_extra = _known_fields(
        PlannedWorkout, planned_members, "plannedWorkoutMetadata."
    )
    extra |= {f"planDetails.{name}": value for name, value in plan_extra.items()}
    extra |= {f"plannedWorkoutMetadata.{name}": value for name, value in planned_extra.items()}

    pieces = _Pieces()
    found = rows(
        activity,
        laps=pieces.laps(laps or ()),
        steps=None if steps is None else pieces.flatten(steps, "stepsV2", 0, {}),
        extra=_json(extra),
        file=file,
    )
    found.rejected = pieces.rejected
    found.laps_read += pieces.rejected_from(RUNNA_ACTIVITY_LAPS.key)
    found.steps_read += pieces.rejected_from(RUNNA_WORKOUT_STEPS.key)
    found.unknown_fields = [(RUNNA_ACTIVITIES.key, name) for name in extra] + pieces.unknown_fields
    return found


class _Pieces:
    """Reads laps and steps one by one; gathers what is rejected and which fields are unknown."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.rejected: list[Rejection] = []
        self.unknown_fields: list[tuple[str, str]] = []

    def rejected_from(self, dataset: str) -> int:
        return sum(rejection.dataset == dataset for rejection in self.rejected)

    def laps(self, elements: Sequence[Raw]) -> list[tuple[int, Lap, str | None]]:
        """The usable laps: position, lap, unknown fields."""
        laps = []
        for index, element in enumerate(elements):
            where = f"laps[{index}]"
            try:
                lap, extra = _known_fields(Lap, _members(element, where), f"{where}.")
            except UnusableRecordError as error:
                self._reject(RUNNA_ACTIVITY_LAPS.key, index, element, error)
                continue
            self.unknown_fields += [(RUNNA_ACTIVITY_LAPS.key, name) for name in extra]
            laps.append((index, lap, _json(extra)))
        return laps

    def flatten(self, elements: Sequence[Raw], where: str, start: int, inherited: Members) -> FlatSteps:
        """The flattened steps, the first of which has the index `start`; a bad step leaves a hole.

        A step is rejected once, at the first index where it is missing, however often it would have
        been repeated. `inherited` are the unknown fields of the repeat around the steps, which has
        no row of its own.
        """
        flat: FlatSteps = []
        for number, element in enumerate(elements):
            index = start + len(flat)
            rejected, unknown = len(self.rejected), len(self.unknown_fields)
            try:
                part = self._flat_step(element, f"{where}[{number}]", index, inherited)
            except UnusableRecordError as error:
                # The raw text of a rejected repeat holds its steps: what was said of them is taken
                # back.
                del self.rejected[rejected:], self.unknown_fields[unknown:]
                self._reject(RUNNA_WORKOUT_STEPS.key, index, element, error)
                part = [(None, None)]
            flat += part
        return flat

    def _flat_step(self, element: Raw, where: str, index: int, inherited: Members) -> FlatSteps:
        members = _members(element, where)
        nested = _elements(members.pop("steps", _NULL), f"{where}.steps") or []
        step, extra = _known_fields(Step, members, f"{where}.")
        self.unknown_fields += [(RUNNA_WORKOUT_STEPS.key, name) for name in extra]
        try:
            if step.type == REPEAT_STEP_TYPE:
                extra = {f"repeat.{name}": value for name, value in extra.items()}
                block = self.flatten(nested, f"{where}.steps", index, inherited | extra)
                flat = repeated(step, block)
            else:
                flat = [(plain_step(step, nested, _json(inherited | extra)), None)]
            refuse_too_many_steps(index + len(flat))
        except UnusableRecordError as error:
            raise UnusableRecordError(error.reason_code, f"{where}.{error}") from error
        except msgspec.ValidationError as error:
            raise _refusal(error, step.paces, f"{where}.paces.") from error
        return flat

    def _reject(self, dataset: str, position: int, element: Raw, error: UnusableRecordError) -> None:
        raw_text = _WRAPPED.sub(r"\1", clipped(bytes(element)))
        self.rejected.append(Rejection(dataset, position, raw_text, error.reason_code, str(error)))


def _refuse_other_encodings(data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise UnusableRecordError(
            "not_utf8",
            f"expected UTF-8, found byte 0x{data[error.start]:02x} at offset {error.start}",
        ) from error


def _document(text: bytes) -> Members:
    """The members of the document; where a name occurs twice, the last one."""
    try:
        return _MEMBERS.decode(text)
    except msgspec.DecodeError:
        repaired = _wrap_not_a_numbers(text)
    if repaired != text:
        return _document(repaired)
    try:
        _ANYTHING.decode(text)
    except msgspec.DecodeError as error:
        if "truncated" in str(error):
            raise UnusableRecordError(
                "truncated_json", "expected a whole JSON document, found only its beginning"
            ) from error
        raise UnusableRecordError("not_json", f"expected a JSON document: {error}") from error
    raise UnusableRecordError("not_an_object", f"expected a JSON object, found {_shown(text)}")


def _wrap_not_a_numbers(text: bytes) -> bytes:
    """`text` with each bare NaN as `{"NaN":null}`, likewise the infinities."""
    pieces = []
    start = 0
    for match in _STRING_OR_NOT_A_NUMBER.finditer(text):
        if match.group(1):
            pieces += [text[start : match.start()], b'{"', match.group(1), b'":null}']
            start = match.end()
    return b"".join([*pieces, text[start:]])


def _members(value: Raw, where: str) -> Members:
    try:
        return _MEMBERS.decode(value)
    except msgspec.ValidationError as error:
        raise UnusableRecordError("wrong_type", f"{where}: expected an object, found {_shown(value)}") from error


def _optional_members(members: Members, name: str) -> Members:
    value = members.pop(name, _NULL)
    return {} if bytes(value) == b"null" else _members(value, name)


def _elements(value: Raw, where: str) -> list[Raw] | None:
    if bytes(value) == b"null":
        return None
    try:
        return _ELEMENTS.decode(value)
    except msgspec.ValidationError as error:
        raise UnusableRecordError("wrong_type", f"{where}: expected a list, found {_shown(value)}") from error


def _known_fields(kind: type[Part], members: Members, where: str) -> tuple[Part, Members]:
    """The part that the known members make, and the unknown ones."""
    known = _names(kind)
    unknown = {name: value for name, value in members.items() if name not in known}
    fitting = msgspec.json.encode({name: members[name] for name in members if name in known})
    try:
        return _decoder(kind).decode(fitting), unknown
    except msgspec.ValidationError as error:
        raise _refusal(error, Raw(fitting), where) from error


@cache
def _decoder(kind: type[Part]) -> "msgspec.json.Decoder[Part]":
    return msgspec.json.Decoder(kind)


@cache
def _names(kind: type[KnownFields]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(kind))


def _refusal(error: msgspec.ValidationError, value: Raw, where: str) -> UnusableRecordError:
    """The decoder's complaint about a field of the object `value`, and what it found there."""
    complaint, _, path = str(error).partition(" - at `$.")
    path = path.removesuffix("`")
    for name in path.split(".") if path else ():
        value = _MEMBERS.decode(value)[name]
    found = _shown(value)
    if found in ("NaN", "Infinity", "-Infinity") or complaint == "Number out of range":
        reason_code = "not_a_number"
    elif complaint.endswith(">= 0.0"):
        reason_code = "negative_value"
    elif ", got `" in complaint:
        reason_code = "wrong_type"
    else:
        reason_code = "wrong_value"
    expected = complaint.partition(", got ")[0]
    expected = expected[0].lower() + expected[1:]
    place = f"{where}{path}".rstrip(".")
    return UnusableRecordError(reason_code, f"{place}: {expected}, found {found}")


def _shown(value: Raw | bytes) -> str:
    text = _WRAPPED.sub(r"\1", clipped(bytes(value)))
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _json(members: Members) -> str | None:
    """Unknown fields as compact JSON text; None without any."""
    if not members:
        return None
    return msgspec.json.format(msgspec.json.encode(members), indent=-1).decode()

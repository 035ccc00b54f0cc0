"""One Runna activity file, good or bad: from its bytes to rows and rejections.

Belongs here: what makes a file, a lap or a step unusable, and how the rest is kept. Not here: what a document consists
of (`runna/documents.py`), what its parts become (`runna/rows.py`), how rows reach disk (`runna/parts.py`).
"""

import re
from collections.abc import Sequence

import msgspec
from msgspec import Raw

from engagement_assets.extract.lines.json_records import MAX_NESTING
from engagement_assets.extract.runna.documents import (
    Activity,
    ActivityRows,
    Lap,
    Pace,
    Paces,
    Plan,
    PlannedWorkout,
    Rejection,
    Step,
    UnusableRecordError,
)
from engagement_assets.extract.runna.members import (
    NULL,
    Members,
    as_json,
    as_sent,
    clipped,
    elements_of,
    known_fields,
    members_of,
    optional_members,
    part_of,
    present,
    shown,
)
from engagement_assets.extract.runna.rows import (
    REPEAT_STEP_TYPE,
    FlatSteps,
    Workout,
    plain_step,
    read_typed,
    refuse_too_many_steps,
    repeated,
    rows,
)
from engagement_assets.extract.runna.source import RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS, RUNNA_WORKOUT_STEPS

# A day's recording with a waypoint each second has fewer. Each member takes some two hundred bytes of memory.
MAX_NAMES = 1_000_000

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
# Numbers that JSON lacks and that some writers send all the same; strings match first, so that they are skipped.
_STRING_OR_NOT_A_NUMBER = re.compile(_STRING.pattern + rb"|(-?Infinity|NaN)", re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_OBJECTS_AS_LISTS = bytes.maketrans(b"{}", b"[]")

_MEMBERS = msgspec.json.Decoder(Members)
_ANYTHING = msgspec.json.Decoder(Raw)


def read_activity(data: bytes, file: int) -> ActivityRows:
    """Rows of one activity file, with its number `file`; raises UnusableRecordError if nothing of it can be used."""
    text = data.removeprefix(_BYTE_ORDER_MARK)
    if not text or text.isspace():
        raise UnusableRecordError("empty_file", "expected a JSON document, found nothing")
    try:
        if not text.isascii():
            text.decode()
    except UnicodeDecodeError as error:
        message = f"expected UTF-8, found byte 0x{text[error.start]:02x} at offset {error.start}"
        raise UnusableRecordError("not_utf8", message) from error
    try:
        try:
            found = read_typed(text, file)
        except (msgspec.DecodeError, UnusableRecordError):
            found = read_explaining(text, file)
        # The decoder's own limit is 1,000 levels on Python 3.11, less what the caller has taken, and 10,000 on 3.13.
        too_deep = _nests_too_deep(text) and _nests_too_deep(_STRING.sub(b"", text))
    except RecursionError:
        too_deep = True
    if too_deep:
        message = f"expected at most {MAX_NESTING} levels of nesting, found more"
        raise UnusableRecordError("nesting_too_deep", message)
    return found


def _nests_too_deep(text: bytes) -> bool:
    """Whether JSON is deeper than `MAX_NESTING`, if there are no brackets within strings.

    Such brackets make it seem deeper. They hide levels only if they are placed for that, and the decoder's limit stays.
    """
    brackets = text.translate(_OBJECTS_AS_LISTS, _NO_BRACKETS)
    for _ in range(MAX_NESTING):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")  # the innermost level
    return bool(brackets)


def raw_text_of(data: bytes) -> str:
    """The text of a rejected file for the quarantine: without its waypoints, which no table needs, and cut."""
    try:
        members = _MEMBERS.decode(data.removeprefix(_BYTE_ORDER_MARK))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return clipped(data)
    return clipped(msgspec.json.encode({name: value for name, value in members.items() if name != "waypoints"}))


def read_explaining(text: bytes, file: int) -> ActivityRows:
    """The rows that `read_typed` gives, even if some laps and steps do not fit: these become rejections.

    Raises UnusableRecordError if the file as a whole cannot be used.
    """
    names = text.count(b'":')
    if names > MAX_NAMES:
        raise UnusableRecordError("too_many_members", f"expected at most {MAX_NAMES:,} names, found {names:,}")
    members = _document(text)
    members.pop("waypoints", None)
    laps = elements_of(members.pop("laps", NULL), "laps")
    plan_members = optional_members(members, "planDetails")
    planned_members = optional_members(members, "plannedWorkoutMetadata")
    steps = elements_of(planned_members.pop("stepsV2", NULL), "plannedWorkoutMetadata.stepsV2")

    activity, extra = known_fields(Activity, members, "")
    activity.plan_details, plan_extra = known_fields(Plan, plan_members, "planDetails.")
    planned, planned_extra = known_fields(PlannedWorkout, planned_members, "plannedWorkoutMetadata.")
    activity.planned_workout_metadata = planned
    extra |= {f"planDetails.{name}": value for name, value in plan_extra.items()}
    extra |= {f"plannedWorkoutMetadata.{name}": value for name, value in planned_extra.items()}

    pieces = _Pieces()
    fitting_laps = pieces.laps(laps or ())
    flat_steps = None if steps is None else pieces.flatten(steps, "stepsV2", 0, {})
    workout = None if flat_steps is None else Workout(flat_steps, pieces.step_of_unknown_length is None)
    found = rows(file, activity, fitting_laps, workout, as_json(extra))
    found.rejected = pieces.rejected
    found.laps_read += sum(rejection.dataset == RUNNA_ACTIVITY_LAPS.key for rejection in pieces.rejected)
    found.steps_read += sum(rejection.dataset == RUNNA_WORKOUT_STEPS.key for rejection in pieces.rejected)
    found.unknown_fields = [(RUNNA_ACTIVITIES.key, name) for name in extra] + pieces.unknown_fields
    return found


class _Pieces:
    """Reads laps and steps one by one; collects rejections and unknown fields."""

    def __init__(self) -> None:
        self.rejected: list[Rejection] = []
        self.unknown_fields: list[tuple[str, str]] = []
        # The place of a rejected step that may have stood for any number of flattened steps.
        self.step_of_unknown_length: str | None = None

    def laps(self, elements: Sequence[Raw]) -> list[tuple[int, Lap, str | None]]:
        """The usable laps: position, lap, unknown fields."""
        laps = []
        for index, element in enumerate(elements):
            where = f"laps[{index}]"
            try:
                lap, extra = known_fields(Lap, members_of(element, where), f"{where}.")
            except UnusableRecordError as error:
                self._reject(RUNNA_ACTIVITY_LAPS.key, index, element, error)
                continue
            self.unknown_fields += [(RUNNA_ACTIVITY_LAPS.key, name) for name in extra]
            laps.append((index, lap, as_json(extra)))
        return laps

    def flatten(self, elements: Sequence[Raw], where: str, start: int, inherited: Members) -> FlatSteps:
        """The flattened steps, the first of which has the index `start`; a bad step leaves a hole.

        A step is rejected once, at the first index where it is missing, however often it would have been repeated. The
        steps after one of unknown length have no place: each is rejected at the first index that it could have.
        `inherited` are the unknown fields of the repeat around the steps, which has no row of its own.
        """
        flat: FlatSteps = []
        for number, element in enumerate(elements):
            index, place = start + len(flat), f"{where}[{number}]"
            if self.step_of_unknown_length:
                self._reject(RUNNA_WORKOUT_STEPS.key, index, element, self._no_place(place))
                flat.append((None, None))
                continue
            rejected, unknown = len(self.rejected), len(self.unknown_fields)
            try:
                part = self._flat_step(element, place, index, inherited)
            except UnusableRecordError as error:
                # The raw text of a rejected repeat holds its steps: drop what was noted about them.
                del self.rejected[rejected:], self.unknown_fields[unknown:]
                self._reject(RUNNA_WORKOUT_STEPS.key, index, element, error)
                part = [(None, None)]
                self.step_of_unknown_length = None if _is_plain_step(element) else place
            flat += part
        return flat

    def _flat_step(self, element: Raw, where: str, index: int, inherited: Members) -> FlatSteps:
        members = members_of(element, where)
        nested = elements_of(members.pop("steps", NULL), f"{where}.steps") or []
        step, extra = known_fields(Step, members, f"{where}.")
        self.unknown_fields += [(RUNNA_WORKOUT_STEPS.key, name) for name in extra]
        try:
            if step.type == REPEAT_STEP_TYPE:
                extra = {f"repeat.{name}": value for name, value in extra.items()}
                block = self.flatten(nested, f"{where}.steps", index, inherited | extra)
                flat = repeated(step, block)
                if self.step_of_unknown_length:
                    # The later repetitions come after it.
                    flat = flat[: len(block)]
            else:
                flat = [(plain_step(step, _paces(step.paces), nested, as_json(inherited | extra)), None)]
            refuse_too_many_steps(index + len(flat))
        except UnusableRecordError as error:
            raise UnusableRecordError(error.reason_code, f"{where}.{error}") from error
        return flat

    def _no_place(self, where: str) -> UnusableRecordError:
        return UnusableRecordError(
            "no_place",
            f"{where}: expected a known number of flattened steps before it, found {self.step_of_unknown_length}, "
            "which was rejected and may stand for any number",
        )

    def _reject(self, dataset: str, position: int, element: Raw, error: UnusableRecordError) -> None:
        self.rejected.append(Rejection(dataset, position, as_sent(element), error.reason_code, str(error)))


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
            message = "expected a whole JSON document, found only its beginning"
            raise UnusableRecordError("truncated_json", message) from error
        raise UnusableRecordError("not_json", f"expected a JSON document: {error}") from error
    raise UnusableRecordError("not_an_object", f"expected a JSON object, found {shown(text)}")


def _wrap_not_a_numbers(text: bytes) -> bytes:
    """`text` with each bare NaN as `{"NaN":null}`, likewise the infinities."""
    pieces, start = [], 0
    for match in _STRING_OR_NOT_A_NUMBER.finditer(text):
        if match.group(1):
            pieces += [text[start : match.start()], b'{"', match.group(1), b'":null}']
            start = match.end()
    return b"".join([*pieces, text[start:]])


def _paces(value: Raw) -> Paces:
    """The pace targets of a step; `value` is empty where it has none."""
    paces = Paces()
    targets = present(members_of(value, "paces")) if bytes(value) else {}
    for name in Paces.__struct_fields__:
        if name in targets:
            where = f"paces.{name}"
            setattr(paces, name, part_of(Pace, members_of(targets[name], where), f"{where}."))
    return paces


def _is_plain_step(element: Raw) -> bool:
    """Whether a rejected step stands for exactly one flattened step: nothing in it is about repeating."""
    try:
        members = present(_MEMBERS.decode(element))
    except msgspec.ValidationError:
        return False
    kind = msgspec.json.decode(members.get("type", NULL))
    return (kind is None or (isinstance(kind, str) and kind != REPEAT_STEP_TYPE)) and not (
        {"steps", "repeatValue"} & members.keys()
    )

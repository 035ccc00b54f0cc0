"""What is kept of a record that could not be used: the fields of its contract, and shapes of everything else.

Belongs here: reading such a record, whatever its kind; what is kept of it, of its header and of its message, and
other pseudonyms in it. Not here: what a shape is (`shapes.py`), where records are kept (`lake/`).

Of a field that the contract names, a personal id is kept as accepted rows have it, and any other personal value as its
shape. An impersonal value is kept if it says nothing of a person (`shapes.py`), since it may be the very reason why the
record was rejected. A record whose fields cannot be told apart keeps nothing but its length.
"""

import csv
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from engagement_assets.contracts.datasets import Dataset, SentFields
from engagement_assets.contracts.extraction import OTHER_FIELDS
from engagement_assets.contracts.personal import ID_KINDS, PersonalKind
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.privacy.pseudonyms import pseudonym_of_id
from engagement_assets.privacy.shapes import is_code, is_said, shape_of, shown_name

MAX_OTHERS = 100

_FOUND = ", found "
# Messages quote numbers and instants alone (`shapes.py`).
_QUOTED = re.compile(r"[-+0-9.:,eETtZz ]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
# In a message about a part of a document: `laps[3].`, `stepsV2[0].steps[1].`
_PART = re.compile(r"^(?:\w+\[\d+\]\.)+")


class FoundField(NamedTuple):
    """A field of a record: its name, dotted where it is nested, its column if the contract names it, its value."""

    name: str
    column: str | None
    value: Any


def fields_of(text: str, header: str | None, sent: SentFields) -> list[FoundField] | None:
    """The fields of a record, None if they cannot be told apart; `header` is the line that names those of a CSV row."""
    return _fields_of_row(text, header, sent) if sent.delimiter else _fields_of_document(text, sent)


@dataclass(frozen=True)
class Redactor:
    """Redacts the rejected records of a dataset."""

    dataset: Dataset
    sent: SentFields
    policy: PrivacyPolicy

    def record(self, text: str | None, header: str | None) -> str:
        """What is kept of a record, as JSON: `fields` and `others`, or the `length` of a text that cannot be read."""
        if text is None:
            return "{}"
        fields = fields_of(text, header, self.sent)
        if fields is None:
            return json.dumps({"length": len(text)})
        kept = {field.name: self._kept(field.column, field.value) for field in fields if field.column}
        others = [field for field in fields if not field.column]
        shapes = [{"name": shown_name(field.name), **shape_of(field.value)} for field in others[:MAX_OTHERS]]
        if len(others) > MAX_OTHERS:
            shapes.append({"name": OTHER_FIELDS, "length": len(others) - MAX_OTHERS})
        return json.dumps({"fields": kept, "others": shapes}, ensure_ascii=False)

    def header(self, header: str | None) -> str | None:
        """A header line with the names of the contract, and what may be shown of all others."""
        if header is None or not self.sent.delimiter:
            return None
        names = (name if name in self.sent.columns else shown_name(name) for name in header.split(self.sent.delimiter))
        return self.sent.delimiter.join(names)

    def message(self, message: str) -> str:
        """A message without the value that it quotes, if that is the value of a personal field."""
        expected, _, found = message.partition(_FOUND)
        if not _QUOTED.fullmatch(found):
            return message
        names = _PART.sub("", expected.partition(":")[0]).split(".")
        paths = (".".join(names[:depth]) for depth in range(1, len(names) + 1))
        if any(self.sent.columns.get(path) in self._kinds for path in paths):
            return f"{expected}{_FOUND}a number or a time that is not shown: the field is personal"
        return message

    @cached_property
    def _kinds(self) -> Mapping[str, PersonalKind]:
        return self.dataset.kinds

    @cached_property
    def _not_landed(self) -> Collection[str]:
        return self.policy.not_landed(self.dataset)

    def _kept(self, column: str, value: Any) -> Any:
        kind = self._kinds.get(column)
        if kind in ID_KINDS and _is_id(value) and column not in self._not_landed:
            if self.policy.pseudonym_key and kind in self.policy.pseudonymized:
                return pseudonym_of_id(self.policy.pseudonym_key, str(value), ignore_case=self.dataset.ids_ignore_case)
            if is_code(str(value)):
                return value
        if value is None or (kind is None and is_said(value, text_is_meant=self._is_text(column))):
            return value
        return shape_of(value)

    def _is_text(self, column: str) -> bool:
        return self.dataset.columns.get(column) == "VARCHAR"


def with_other_pseudonyms(
    record: str, dataset: Dataset, sent: SentFields, passes: Sequence[tuple[str, Collection[str]]]
) -> str:
    """A kept record whose ids in some columns are hashed; `passes` are keys with the columns that each hashes."""
    kept = json.loads(record)
    for name, value in kept.get("fields", {}).items():
        for key, columns in passes:
            if sent.columns.get(name) in columns and _is_id(value):
                kept["fields"][name] = pseudonym_of_id(key, str(value), ignore_case=dataset.ids_ignore_case)
    return json.dumps(kept, ensure_ascii=False)


def _is_id(value: object) -> bool:
    # Half a surrogate pair is no text that a row could hold.
    if isinstance(value, str):
        return bool(value.strip()) and not _SURROGATE.search(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _fields_of_document(text: str, sent: SentFields) -> list[FoundField] | None:
    try:
        document = json.loads(text)
        return list(_members(document, "", sent)) if isinstance(document, dict) else None
    except (ValueError, RecursionError):
        return None


def _members(node: Mapping[str, Any], above: str, sent: SentFields) -> Iterator[FoundField]:
    for name, value in node.items():
        path = f"{above}{name}"
        if path in sent.parents and isinstance(value, dict):
            yield from _members(value, f"{path}.", sent)
        else:
            yield FoundField(path, sent.columns.get(path), value)


def _fields_of_row(text: str, header: str | None, sent: SentFields) -> list[FoundField] | None:
    """The fields of a CSV row; a value cannot be told from its neighbours where their number is not the header's."""
    if header is None or sent.delimiter is None:
        return None
    try:
        names, values = (
            next(csv.reader([line], delimiter=sent.delimiter, strict=True), [])
            for line in (header.removeprefix("\ufeff"), text)
        )
    except csv.Error:
        return None
    names = [name.strip() for name in names]
    if len(names) != len(values) or len(set(names) & sent.columns.keys()) < sum(name in sent.columns for name in names):
        return None
    return [FoundField(name, sent.columns.get(name), value) for name, value in zip(names, values, strict=True)]

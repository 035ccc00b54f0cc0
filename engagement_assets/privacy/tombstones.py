"""Who was erased, as far as anybody may know: keyed hashes, and how an id is recognised by them.

Belongs here: the hash of a person, recognising ids and texts. Not here: what a load leaves out (`erasure.py`), or where
tombstones lie (`lake/tombstones.py`).
"""

import hmac
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.privacy.pseudonyms import pseudonyms_ever

ERASABLE_KINDS = (
    PersonalKind.USER,
    PersonalKind.CHILD,
    PersonalKind.ATHLETE,
    PersonalKind.DEVICE,
    PersonalKind.CORPORATION,
)
# Texts hold an id between quotes, between separators, or between signs that no id has.
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_TOKENS = (_QUOTED, re.compile(r"[^\s\"'`,;=&?/\\{}()\[\]<>]+"), re.compile(r"[\w-]+"))


def person_hash(key: str, source: str, kind: PersonalKind, person: str) -> str:
    """HMAC-SHA256 of a person's id under the erasure key; ids compare without case and surrounding blanks."""
    return hmac.digest(key.encode(), f"{source}|{kind}|{person.strip().lower()}".encode(), "sha256").hex()


def key_check(key: str) -> str:
    """What tells that a tombstone was made with another key."""
    return hmac.digest(key.encode(), b"erasure key", "sha256").hex()[:16]


def tokens(text: str) -> set[str]:
    """Everything in a text that may be an id, also where JSON escapes it."""
    texts = [text]
    for each in texts:  # grows: a text that JSON holds may be JSON itself
        texts += _unescaped(each)
    return {*texts[1:], *(found for each in texts for pattern in _TOKENS for found in pattern.findall(each))}


def _unescaped(text: str) -> Iterator[str]:
    """What JSON means by the texts between quotes that have escapes."""
    # Writers differ in what they escape: some write a slash as \/, others é as \u00e9.
    for quoted in _QUOTED.findall(text):
        if "\\" in quoted:
            with suppress(ValueError):
                # Half of a pair of surrogates has no bytes to be hashed.
                yield json.loads(f'"{quoted}"', strict=False).encode("utf-8", "replace").decode()


@dataclass(frozen=True)
class ErasedPersons:
    """The erased persons of a lake; `hashes` and `pseudonyms` are by source and kind."""

    key: str = field(repr=False)
    hashes: Mapping[tuple[str, PersonalKind], frozenset[str]] = field(repr=False)
    pseudonyms: Mapping[tuple[str, PersonalKind], frozenset[str]] = field(repr=False)
    pseudonym_key: str | None = field(default=None, repr=False)

    def kinds(self, source: str) -> frozenset[PersonalKind]:
        """The kinds of which somebody of the source was erased."""
        return frozenset(kind for name, kind in self.hashes if name == source)

    def among(self, source: str, kind: PersonalKind, ids: Iterable[str]) -> Iterator[str]:
        """Those of `ids`, as sent or as pseudonyms, that belong to an erased person."""
        hashes = self.hashes.get((source, kind), frozenset())
        pseudonyms = self.pseudonyms.get((source, kind), frozenset())
        for person in ids:
            if (
                person_hash(self.key, source, kind, person) in hashes
                or person in pseudonyms
                or (pseudonyms and self.pseudonym_key and pseudonyms_ever(self.pseudonym_key, person) & pseudonyms)
            ):
                yield person

    def are_in(self, source: str, text: str) -> bool:
        """Whether a text of the source names an erased person."""
        found = tokens(text)
        return any(next(self.among(source, kind, found), None) is not None for kind in self.kinds(source))


def takes_all(kinds: Iterable[PersonalKind]) -> bool:
    """Whether an erasure of these kinds takes the whole source: Strava's activities are all of its one athlete."""
    return PersonalKind.ATHLETE in kinds


def followers_of(owner: Dataset, datasets: Iterable[Dataset]) -> list[Dataset]:
    """Those of `datasets` whose rows name nobody, and belong to the person of their document's row of `owner`."""
    return [
        other
        for other in datasets
        if other.source == owner.source
        and other.identity[0] == owner.identity[0]
        and not columns_of(other, ERASABLE_KINDS)
        and columns_of(owner, ERASABLE_KINDS)
    ]


def columns_of(dataset: Dataset, kinds: Iterable[PersonalKind]) -> dict[str, PersonalKind]:
    """The columns of a dataset that hold ids of these kinds."""
    return {name: kind for name, kind in dataset.personal.items() if kind in set(kinds)}

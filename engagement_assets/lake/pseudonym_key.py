"""Under which key the ids of a lake are pseudonyms: one for all loads, so that equal ids stay equal.

Belongs here: the lake's mark, and refusing a load under another key or none. Not here: how a pseudonym is made
(`privacy/pseudonyms.py`), or how a lake gets another key (`lake/rekey.py`).

The first load writes the mark, `privacy/pseudonyms.json`. Lakes of older versions have none.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.installation import PROGRAM
from engagement_assets.lake.commit import FileChange, commit, exclusive
from engagement_assets.lake.day_files import rows_of
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.record_columns import QUARANTINE_COLUMNS
from engagement_assets.privacy.policy import PrivacyPolicy

MARK = "privacy/pseudonyms.json"
_LOAD = "pseudonym_key"
_SHOWN_CHARACTERS = 8


class OtherPseudonymKeyError(ValueError):
    """A load would hide other ids than the lake does, or under another key."""


@dataclass(frozen=True)
class Pseudonyms:
    """Which kinds of ids are pseudonyms, and the fingerprint of their key: None if ids are as they were sent."""

    key_fingerprint: str | None
    kinds: frozenset[PersonalKind]

    @classmethod
    def under(cls, policy: PrivacyPolicy) -> "Pseudonyms":
        """Those that a load makes."""
        fingerprint = policy.key_fingerprint
        return cls(fingerprint, policy.pseudonymized if fingerprint else frozenset())

    def __str__(self) -> str:
        """As messages name them."""
        if self.key_fingerprint is None:
            return "ids as they were sent"
        kinds = ", ".join(sorted(self.kinds))
        return f"pseudonyms for {kinds} under the key with the fingerprint {self.key_fingerprint[:_SHOWN_CHARACTERS]}"


@dataclass(frozen=True)
class Mark:
    """What the ids of a lake are, and what they `become` while `make rekey` is at work or was interrupted.

    `now` is None while a lake of an older version gets its first mark: nothing says what that version has hidden.
    """

    now: Pseudonyms | None
    becomes: Pseudonyms | None = None


def require_same_key(lake: Lake) -> None:
    """Refuse a load that would mix ids in clear and pseudonyms, or pseudonyms of two keys; the first load decides.

    The caller holds the lock of its load.

    Raises:
        OtherPseudonymKeyError: the lake has other pseudonyms than the load would make.
    """
    wanted = Pseudonyms.under(lake.policy)
    mark = read_mark(lake) or _mark_of_the_first_load(lake, wanted)
    _refuse_half_rewritten(lake, mark)
    if mark.now and mark.now != wanted:
        what_to_do = refusal_of(mark.now, lake.policy) or (
            f"Run `{PROGRAM} rekey`, which rewrites the lake; or restore PSEUDONYM_KEY and PSEUDONYMIZE as they were"
        )
        raise OtherPseudonymKeyError(
            f"{lake.uri} holds {mark.now}, and this load would bring {wanted}; expected the same. {what_to_do}"
        )


def require_findable_ids(lake: Lake) -> None:
    """Refuse to look for persons in a lake whose pseudonyms nobody can make of their ids.

    Raises:
        OtherPseudonymKeyError: the lake has pseudonyms of a key that is not among the policy's, or a rewriting to
            another key has not ended.
    """
    if mark := read_mark(lake):
        _refuse_half_rewritten(lake, mark)
        refuse_lost_key(lake, mark)


def refuse_lost_key(lake: Lake, mark: Mark) -> None:
    """Refuse a policy whose key does not continue the lake's.

    Raises:
        OtherPseudonymKeyError: it does not.
    """
    if mark.now and (refusal := refusal_of(mark.now, lake.policy)):
        raise OtherPseudonymKeyError(
            f"{lake.uri} holds {mark.now}, found settings for {Pseudonyms.under(lake.policy)}, under which nobody can "
            f"be found there. {refusal}"
        )


def _refuse_half_rewritten(lake: Lake, mark: Mark) -> None:
    if mark.becomes is not None:
        raise OtherPseudonymKeyError(
            f"{lake.uri} holds {mark.becomes} in some files alone, expected them in all: `{PROGRAM} rekey` is at work "
            "or was interrupted. Let it end, or run it again with the same settings"
        )


def read_mark(lake: Lake) -> Mark | None:
    """The lake's mark, if it has one."""
    try:
        document = json.loads(lake.filesystem.cat_file(f"{lake.root}/{MARK}"))
    except FileNotFoundError:
        return None
    return Mark(*(_pseudonyms(document[name]) if document[name] else None for name in ("now", "becomes")))


def write_mark(lake: Lake, mark: Mark) -> None:
    """Replace the lake's mark."""
    with exclusive(lake, _LOAD) as staging:
        _write(lake, mark, staging)


def _mark_of_the_first_load(lake: Lake, wanted: Pseudonyms) -> Mark:
    with exclusive(lake, _LOAD) as staging:
        # Again, since another process may have written it while it held the lock.
        if mark := read_mark(lake):
            return mark
        if lake.all_day_keys():
            _refuse_what_an_older_version_hid(lake, wanted, staging)
        _write(lake, Mark(wanted), staging)
    return Mark(wanted)


def _refuse_what_an_older_version_hid(lake: Lake, wanted: Pseudonyms, staging: Path) -> None:
    if wanted.key_fingerprint is not None:
        raise OtherPseudonymKeyError(
            f"{lake.uri} holds what an earlier version loaded: ids in clear, or hidden in one source alone; expected "
            f"{wanted}. Run `{PROGRAM} rekey` once, which rewrites these days"
        )
    rejected = [lake.location(key) for key in lake.all_quarantine_keys()]
    with lake.connect("1GB", staging / "spill") as connection:
        hidden = f"select 1 from {rows_of(rejected, QUARANTINE_COLUMNS)} where has_pseudonyms limit 1"
        if connection.execute(hidden).fetchone():
            raise OtherPseudonymKeyError(
                f"{lake.uri} holds pseudonyms that an earlier version made under a PSEUDONYM_KEY, and this load would "
                f"bring {wanted}; expected a key. Set PSEUDONYM_KEY and run `{PROGRAM} rekey` once"
            )


def _write(lake: Lake, mark: Mark, staging: Path) -> None:
    staged = staging / "mark.json"
    document = {
        name: found and {"key_fingerprint": found.key_fingerprint, "kinds": sorted(found.kinds)}
        for name, found in (("now", mark.now), ("becomes", mark.becomes))
    }
    staged.write_text(json.dumps(document), encoding="utf-8")
    commit(lake, _LOAD, [FileChange(MARK, staged)])


def refusal_of(found: Pseudonyms, policy: PrivacyPolicy) -> str | None:
    """Why the pseudonyms that were found cannot become those of the policy, and what to do; None if they can."""
    start_anew = "Nobody can turn pseudonyms back into ids: to do without, set LAKE_URI to a new folder and load it"
    wanted = Pseudonyms.under(policy)
    if wanted.key_fingerprint is None and found.key_fingerprint is not None:
        return f"Restore PSEUDONYM_KEY. {start_anew}"
    if not found.kinds <= wanted.kinds:
        return f"Restore PSEUDONYMIZE={','.join(sorted(found.kinds))}. {start_anew}"
    if found.key_fingerprint != wanted.key_fingerprint and policy.links_after(found.key_fingerprint) is None:
        return (
            "Restore PSEUDONYM_KEY; or, to change the key, keep the old one behind the new one "
            f"(PSEUDONYM_KEY=new,old) and run `{PROGRAM} rekey`"
        )
    return None


def _pseudonyms(document: Mapping[str, Any]) -> Pseudonyms:
    return Pseudonyms(document["key_fingerprint"], frozenset(map(PersonalKind, document["kinds"])))

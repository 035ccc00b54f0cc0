"""What a load hides of people: the deployment's choices, taken from its settings.

Belongs here: the choices. Not here: how each is carried out (the modules beside this one), or the settings themselves
(`settings.py`).
"""

from collections.abc import Set
from dataclasses import dataclass, field
from pathlib import Path

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.privacy.pseudonyms import pseudonym

# Not an id of anybody: its pseudonym tells keys apart, and tells nothing of them.
_NOBODY = "engagement-assets: the fingerprint of a pseudonym key"


@dataclass(frozen=True)
class PrivacyPolicy:
    """With a `pseudonym_key`, values of the kinds `pseudonymized` become keyed hashes in every source.

    `landed_unneeded` are the kinds of ids that are landed although no table needs them. `erasure_key` is that of the
    tombstones; the folder `erasures` keeps a copy of them, out of reach of whoever puts back an old lake.
    With `keeps_raw_text`, the lake keeps the texts of rejected records beside what may be shown of them.
    """

    pseudonym_key: str | None = field(default=None, repr=False)
    pseudonymized: frozenset[PersonalKind] = frozenset({PersonalKind.CHILD, PersonalKind.DEVICE})
    landed_unneeded: frozenset[PersonalKind] = frozenset()
    erasure_key: str | None = field(default=None, repr=False)
    erasures: Path | None = None
    keeps_raw_text: bool = False

    def not_landed(self, dataset: Dataset) -> list[str]:
        """The columns that are NULL in whatever a load brings."""
        return sorted(name for name in dataset.unneeded if dataset.kinds[name] not in self.landed_unneeded)

    def hidden(self, dataset: Dataset) -> list[str]:
        """The columns that are pseudonyms under a key."""
        return columns_of_kinds(dataset, self.pseudonymized)

    @property
    def key_fingerprint(self) -> str | None:
        """What stands for the key in records; None without a key."""
        return pseudonym(self.pseudonym_key, _NOBODY) if self.pseudonym_key else None

    def links_after(self, fingerprint: str | None) -> str | None:
        """The part of the key that was added to the key with this fingerprint; None if it does not continue that key.

        Without a fingerprint, this is the whole key: nothing has been hidden yet.
        """
        if not self.pseudonym_key or fingerprint is None:
            return self.pseudonym_key
        newest_first = self.pseudonym_key.split(",")
        for added in range(1, len(newest_first)):
            if PrivacyPolicy(",".join(newest_first[added:])).key_fingerprint == fingerprint:
                return ",".join(newest_first[:added])
        return None


def columns_of_kinds(dataset: Dataset, kinds: Set[PersonalKind]) -> list[str]:
    """The columns that are pseudonyms if these kinds are: those of the kinds, and those made of them."""
    made_of = {name for name, parts in dataset.made_of_ids.items() if parts & kinds}
    return sorted({name for name, kind in dataset.kinds.items() if kind in kinds} | made_of)

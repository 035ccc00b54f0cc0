"""What a load hides of people: the deployment's choices, taken from its settings.

Belongs here: the choices. Not here: how each is carried out (the modules beside this one), or the settings themselves
(`settings.py`).
"""

from dataclasses import dataclass, field
from pathlib import Path

from engagement_assets.contracts.personal import PersonalKind


@dataclass(frozen=True)
class PrivacyPolicy:
    """With a `pseudonym_key`, values of the kinds `pseudonymized` become keyed hashes in every source.

    `erasure_key` is that of the tombstones; the folder `erasures` keeps a copy of them, out of reach of whoever puts
    back an old lake.
    """

    pseudonym_key: str | None = field(default=None, repr=False)
    pseudonymized: frozenset[PersonalKind] = frozenset({PersonalKind.CHILD, PersonalKind.DEVICE})
    erasure_key: str | None = field(default=None, repr=False)
    erasures: Path | None = None

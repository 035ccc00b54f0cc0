"""What a load hides of people: the deployment's choices, taken from its settings.

Belongs here: the choices. Not here: how each is carried out (the modules beside this one), or the settings themselves
(`settings.py`).
"""

from dataclasses import dataclass, field

from engagement_assets.contracts.personal import PersonalKind


@dataclass(frozen=True)
class PrivacyPolicy:
    """With a `pseudonym_key`, values of the kinds `pseudonymized` become keyed hashes in every source.

    With `keeps_raw_text`, the lake keeps the texts of rejected records beside what may be shown of them.
    """

    pseudonym_key: str | None = field(default=None, repr=False)
    pseudonymized: frozenset[PersonalKind] = frozenset({PersonalKind.CHILD, PersonalKind.DEVICE})
    keeps_raw_text: bool = False

"""The kinds of personal data, which each dataset declares for its columns.

Belongs here: the kinds. Not here: which columns are of a kind (the datasets in `extract/`), or what becomes of them
(`privacy/`).
"""

from enum import StrEnum


class PersonalKind(StrEnum):
    """What a value says of a person: who or where somebody is, or whatever somebody wrote."""

    USER = "user"
    CHILD = "child"
    DEVICE = "device"
    ATHLETE = "athlete"
    CORPORATION = "corporation"
    PLACE = "place"
    NAME = "name"
    FREE_TEXT = "free_text"


# The kinds whose values are ids, and can therefore be pseudonyms: all their columns are texts.
ID_KINDS = frozenset(
    {
        PersonalKind.USER,
        PersonalKind.CHILD,
        PersonalKind.DEVICE,
        PersonalKind.ATHLETE,
        PersonalKind.CORPORATION,
    }
)
# What a service's contract puts in place of an id that it does not have; no pseudonym replaces it.
NO_ID = "EMPTY"


# Columns that the project adds: what no contract names, and the landing file, whose name the sender chose.
OWN_PERSONAL = {"_extra": PersonalKind.FREE_TEXT, "source_path": PersonalKind.FREE_TEXT}
OWN_IMPERSONAL = ("extracted_at",)

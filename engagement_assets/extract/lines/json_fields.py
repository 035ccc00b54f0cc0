"""The fields of a JSON record: what each holds, and which column it becomes.

Belongs here: the description of a field. Not here: how records with such fields are judged (`json_records.py`).
"""

from dataclasses import dataclass
from enum import StrEnum

from engagement_assets.contracts.field_notes import NO_NOTE, Note


class Kind(StrEnum):
    """What a field holds, in the words of a message."""

    TEXT = "a text"
    SECONDS = "a number of seconds"
    FLAG = "true or false"
    INSTANT = "a time such as 2021-01-31 23:59:59.123"
    BOUND = "a date or a time such as 2021-01-31 23:59:59.123"
    LIST = "a list"


@dataclass(frozen=True)
class Field:
    """A field of a record: its dotted path, the column it becomes, what it holds.

    A list becomes its length, seconds become whole milliseconds, and an instant becomes UTC. So does a bound, which is
    the time from which or until which something holds, and may be open. A required field is a text or an instant. The
    `note` is for people who write such records.
    """

    path: str
    column: str
    kind: Kind = Kind.TEXT
    required: bool = False
    note: Note = NO_NOTE

"""What people who write records must know of a field, beside its name and type.

Belongs here: the shape of such a note, and of one about a service. Not here: the notes, which stand with the fields
(`extract/`), or the document that is made of them (`commands/input_formats.py`).
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Note:
    """The meaning of a field, its unit, and an example as a record has it; an example of None is no example."""

    meaning: str = ""
    # Lists and objects cannot be hashed, and what holds this note is.
    example: object = field(default=None, hash=False)
    unit: str = ""


NO_NOTE = Note()


@dataclass(frozen=True)
class Exchange:
    """A request to a service, and what its answers mean: pairs of an answer and its meaning."""

    request: str
    answers: tuple[tuple[str, str], ...]

"""Names like one that does not exist, as the end of a sentence that says so.

Belongs here: which names are near, and the question. Not here: what is named, or the rest of the sentence.
"""

import difflib
from collections.abc import Iterable, Sequence


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """The known names that are like this one, the nearest first."""
    return difflib.get_close_matches(name.lower(), dict.fromkeys(known))


def is_meant(names: Sequence[str]) -> str:
    """The question, such as `is a, b or c meant?`."""
    *others, last = names
    return f"is {', '.join(others)} or {last} meant?" if others else f"is {last} meant?"

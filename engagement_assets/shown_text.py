"""Text that somebody else wrote, shown to a person: names of files and fields, titles, messages of libraries.

Belongs here: what such text may look like on a terminal, in Markdown and in a spreadsheet. Not here: where it is shown,
or what is kept of it (data stays as it came).

Text shown this way cannot control a terminal, reverse a line or hide anything. In Markdown it cannot become a link, a
picture from another host, a mention or a row of a table.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

LONGEST_NAME = 100
LONGEST_SENTENCE = 600
# What Python takes for white space, as DuckDB can read it too.
_BLANKS = "\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# A text that a spreadsheet runs as a formula, for Python and for DuckDB; the report's CSV files have the same
# (`report/page/values.js`).
FORMULA = f"^[{_BLANKS}]*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]"
# In Markdown these need no more than their digits and dashes.
_HARMLESS = (int, float, Decimal, date)


def shown(text: str, limit: int = LONGEST_SENTENCE) -> str:
    """One line of plain text of at most `limit` characters; invisible characters appear as Python escapes."""
    # White space of any kind becomes one blank. One character more than is shown says whether the text goes on.
    line = " ".join(text.split())[: limit + 1]
    line = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in line)
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def shown_lines(text: str) -> str:
    """The same for a text of several lines, which keep their indentation."""
    lines = text.split("\n")
    return "\n".join(line[: len(line) - len(line.lstrip(" "))] + shown(line) for line in lines)


def as_markdown(text: str, limit: int = LONGEST_NAME) -> str:
    """The text as Markdown code, in which nothing is markup; empty for a text of blanks.

    Escaping would not do: Dagster's UI removes escapes first, and then turns addresses into links. Code is just as
    readable on a terminal and in a chat, so sentences for all of these quote data like this.
    """
    line = shown(text, limit).replace("`", "'")
    return f"`{line}`" if line else ""


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown: names of columns are our own, cells are data."""
    lines = [columns, ["---"] * len(columns), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    if value is None or isinstance(value, _HARMLESS):
        return "" if value is None else str(value)
    # A bar ends a cell even within code, unless exactly one backslash stands before it.
    return as_markdown(str(value)).replace("\\|", "\\¦").replace("|", "\\|")

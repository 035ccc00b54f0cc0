"""An answer of the published copy on standard output: as a table for people, as CSV or as JSON.

Belongs here: which of them, how many rows, and how a command ends that prints them. Not here: what values look like in
each (`query_output.py`), or what is asked (`ask.py`, `metric.py`).
"""

import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Callable

from engagement_assets.commands.published_query import Answer, QueryError
from engagement_assets.commands.query_output import as_table, write_csv, write_json
from engagement_assets.shown_text import shown

ROWS_SHOWN = 100
# The exit code that a shell gives to a program whose reader has gone, as `… | head` does.
READER_HAS_GONE = 128 + 13


def status_of(answer: Callable[[], None]) -> int:
    """Run what prints an answer; 0, or 1 if a sentence on standard error says why there is none."""
    try:
        answer()
        sys.stdout.flush()
    except QueryError as error:
        print(f"error: {shown(str(error))}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # What is left in the buffer is flushed at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_HAS_GONE
    return 0


def print_answer(answer: Answer, given: Namespace, limit: int, *, is_list: bool = False) -> None:
    """The answer as `given.format` says; a table shows `limit` rows, and one that `is_list` has no number of rows.

    Raises:
        QueryError: JSON would need one name for two columns.
    """
    if given.format == "csv":
        write_csv(answer.columns, answer.batches(), sys.stdout, for_spreadsheet=given.spreadsheet)
    elif given.format == "json":
        if twice := sorted({name for name in answer.columns if answer.columns.count(name) > 1}):
            raise QueryError(f"expected a name of its own for each column, found {twice[0]!r} twice; rename it with as")
        write_json(answer.columns, answer.batches(), sys.stdout)
    else:
        _print_table(answer, limit, is_list=is_list)


def terminal_width() -> int | None:
    """How wide a table may be; None to a file or another program, which get all columns in full."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def count_of(count: int, which: str = "") -> str:
    """`1 row`, `1,234 more rows`."""
    return f"{count:,} {which}{'row' if count == 1 else 'rows'}"


def _print_table(answer: Answer, limit: int, *, is_list: bool) -> None:
    rows, count = answer.first(limit)
    table = as_table(answer.columns, answer.kinds, rows, terminal_width(), wraps_last=is_list)
    print("\n".join(table.lines))
    if table.left_out:
        print(f"\nThe terminal is too narrow for {', '.join(table.left_out)}; FORMAT=csv has all columns.")
    if count > len(rows):
        print(f"\n{count_of(count - len(rows), 'more ')}; LIMIT={count} shows all, FORMAT=csv writes all.")
    elif not is_list:
        print(f"\n{count_of(count)}")

"""`make ask`: one query on the published copy, or what the copy holds: its tables, or the columns of one.

Belongs here: the command. Not here: what a query may do (`published_query.py`), or how rows are shown
(`query_output.py`).
"""

import os
import shutil
import sys
from argparse import Namespace

import duckdb

from engagement_assets.commands.arguments import ask_parser
from engagement_assets.commands.process import exit_process, load_settings
from engagement_assets.commands.published_query import Answer, QueryError, opened, table_named
from engagement_assets.commands.query_output import as_table, write_csv, write_json
from engagement_assets.lake.day_files import sql_text
from engagement_assets.shown_text import shown

ROWS_SHOWN = 100
# The exit code that a shell gives to a program whose reader has gone, as `… | head` does.
_READER_HAS_GONE = 128 + 13
_TABLES = """
select
    schema_name || '.' || table_name as "table",
    coalesce(row_count, estimated_size) as "rows",
    -- Each publication writes the list itself anew, which does not list itself.
    date_trunc('second', coalesce(published_at, max(published_at) over ())) as published_at,
    comment as description
from duckdb_tables() left join audit.published_tables using (schema_name, table_name)
where not internal
"""
_LIST = f"""
select * replace (rtrim(split_part(description, '. ', 1), '.') as description) from ({_TABLES}) order by all
"""
_COLUMNS = """
select column_name as "column", data_type as type, comment as meaning
from duckdb_columns() where not internal and schema_name || '.' || table_name = {table}
order by column_index
"""


def main() -> int:
    """Answer; 0, or 1 if a sentence on standard error says why there is no answer."""
    given = ask_parser().parse_args()
    settings = load_settings()
    try:
        with opened(settings.published_warehouse_path) as connection:
            _answer(connection, given)
        sys.stdout.flush()
    except QueryError as error:
        print(f"error: {shown(str(error))}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # What is left in the buffer is flushed at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _READER_HAS_GONE
    return 0


def _answer(connection: duckdb.DuckDBPyConnection, given: Namespace) -> None:
    if given.table:
        table = table_named(connection, given.table)
        if given.format == "table":
            ((_, rows, published_at, description),) = connection.execute(
                f'select * from ({_TABLES}) where "table" = {sql_text(table)}'
            ).fetchall()
            print(f"{table}: {shown(description or 'no description')}")
            print(f"{_rows(rows)}, published at {published_at} UTC\n" if published_at else "")
        query = _COLUMNS.format(table=sql_text(table))
    else:
        query = given.sql or _LIST
    answer = Answer(connection, query)
    if given.format == "csv":
        write_csv(answer.columns, answer.batches(), sys.stdout, for_spreadsheet=given.spreadsheet)
    elif given.format == "json":
        if twice := sorted({name for name in answer.columns if answer.columns.count(name) > 1}):
            raise QueryError(f"expected a name of its own for each column, found {twice[0]!r} twice; rename it with as")
        write_json(answer.columns, answer.batches(), sys.stdout)
    else:
        _print_table(answer, given)


def _print_table(answer: Answer, given: Namespace) -> None:
    """What fits the terminal; to a file or another program, all columns in full."""
    # Tables and columns are listed in full, with their descriptions.
    limit = (given.limit or ROWS_SHOWN) if given.sql else sys.maxsize - 1
    rows, count = answer.first(limit)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    table = as_table(answer.columns, answer.kinds, rows, width, wraps_last=not given.sql)
    print("\n".join(table.lines))
    if table.left_out:
        print(f"\nThe terminal is too narrow for {', '.join(table.left_out)}; FORMAT=csv has all columns.")
    if count > len(rows):
        print(f"\n{_rows(count - len(rows), 'more ')}; LIMIT={count} shows all, FORMAT=csv writes all.")
    elif given.sql:
        print(f"\n{_rows(count)}")


def _rows(count: int, which: str = "") -> str:
    return f"{count:,} {which}{'row' if count == 1 else 'rows'}"


if __name__ == "__main__":
    exit_process(main())

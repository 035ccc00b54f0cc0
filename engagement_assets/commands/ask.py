"""`make ask`: one query on the published copy, or what the copy holds: its tables, or the columns of one.

Belongs here: the command. Not here: what a query may do (`published_query.py`), or how its rows are printed
(`answer_output.py`).
"""

import sys
from argparse import Namespace

import duckdb

from engagement_assets.commands.answer_output import ROWS_SHOWN, count_of, print_answer, status_of
from engagement_assets.commands.arguments import ask_parser
from engagement_assets.commands.process import exit_process, load_settings
from engagement_assets.commands.published_query import Answer, opened, table_named
from engagement_assets.lake.day_files import sql_text
from engagement_assets.shown_text import shown

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

    def answer() -> None:
        with opened(settings.published_warehouse_path) as connection:
            _answer(connection, given)

    return status_of(answer)


def _answer(connection: duckdb.DuckDBPyConnection, given: Namespace) -> None:
    if given.table:
        table = table_named(connection, given.table)
        if given.format == "table":
            ((_, rows, published_at, description),) = connection.execute(
                f'select * from ({_TABLES}) where "table" = {sql_text(table)}'
            ).fetchall()
            print(f"{table}: {shown(description or 'no description')}")
            print(f"{count_of(rows)}, published at {published_at} UTC\n" if published_at else "")
        query = _COLUMNS.format(table=sql_text(table))
    else:
        query = given.sql or _LIST
    # Tables and columns are listed in full, with their descriptions.
    limit = (given.limit or ROWS_SHOWN) if given.sql else sys.maxsize - 1
    print_answer(Answer(connection, query), given, limit, is_list=not given.sql)


if __name__ == "__main__":
    exit_process(main())

"""One query on the published copy: it reads the copy's tables and nothing else, and an error is one sentence.

Belongs here: how the copy is opened, what is refused, and what DuckDB's messages become. Not here: what is asked
(`ask.py`), or how the rows are shown (`query_output.py`).
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from engagement_assets.installation import PROGRAM
from engagement_assets.near_names import is_meant, near_names

Rows = list[tuple[Any, ...]]

# A query cannot open another file, spill into one, or read a variable of this process, which DuckDB offers in Python.
_CONFINED = {"enable_external_access": "false", "temp_directory": ""}
# `pivot` without its values is several statements to DuckDB: it looks for the values first.
_READS = {duckdb.StatementType.SELECT, duckdb.StatementType.MULTI}
# A month would become 30 days, and nanoseconds would be lost, in lists and structs too: DuckDB writes them as texts.
_INEXACT_IN_PYTHON = re.compile(r"\b(INTERVAL|TIMESTAMP_NS|TIME_NS)\b")
_ROWS_AT_A_TIME = 10_000
_KIND_OF_ERROR = re.compile(r"^[A-Z]\w*(?: \w+)* Error: ")
_UNKNOWN_TABLE = re.compile(r'Table with name "?(?P<name>.+?)"? does not exist')


class QueryError(Exception):
    """A sentence that says why there is no answer."""


@contextmanager
def opened(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published copy, read only and in UTC; what DuckDB raises in the block becomes a sentence.

    Raises:
        QueryError: the copy cannot be opened, or a query in the block failed.
    """
    try:
        connection = duckdb.connect(str(published), read_only=True, config=dict(_CONFINED))
    except duckdb.Error as error:
        raise QueryError(
            f"{published} cannot be opened ({_first_part(error)}); close what has opened it for writing, or publish it "
            f"anew with {PROGRAM} backfill"
        ) from error
    with connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set lock_configuration = true")
        try:
            yield connection
        except duckdb.Error as error:
            raise QueryError(_sentence(connection, error)) from error


class Answer:
    """The rows of a query, read as they are needed."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, sql: str) -> None:
        """Begin the query.

        Raises:
            QueryError: it is not exactly one statement that reads.
            duckdb.Error: DuckDB cannot run it.
        """
        statements = connection.extract_statements(sql)
        if len(statements) != 1:
            found = f"{len(statements)} statements; run them one by one" if statements else "none"
            raise QueryError(f"expected one query, found {found}")
        (statement,) = statements
        if statement.type not in _READS:
            raise QueryError(
                f"expected a query that reads, such as `select …`, found {statement.type.name}: nothing can be "
                f"written or set here, since the next publication replaces the copy"
            )
        self._connection = connection
        self._query = _without_end(statement.query)
        self._result = connection.cursor().execute(self._query)
        # The kinds are DuckDB's names of types: BIGINT, DECIMAL(18,3).
        described = self._result.description or []
        self.columns = [str(column[0]) for column in described]
        self.kinds = [str(column[1]) for column in described]
        if any(map(_INEXACT_IN_PYTHON.search, self.kinds)):
            names = [f"column_{number}" for number in range(len(described))]
            texts = (
                f"{name}::varchar" if _INEXACT_IN_PYTHON.search(kind) else name
                for name, kind in zip(names, self.kinds, strict=True)
            )
            exact = f"select {', '.join(texts)} from (\n{self._query}\n) as answer({', '.join(names)})"
            self._result = connection.cursor().execute(exact)

    def first(self, count: int) -> tuple[Rows, int]:
        """At most `count` rows, and how many there are in all."""
        rows = self._result.fetchmany(count + 1)
        if len(rows) <= count:
            return rows, len(rows)
        # Counted by DuckDB: to bring millions of rows here in order to count them would take minutes.
        counted = self._connection.cursor().execute(f"select count(*) from (\n{self._query}\n)").fetchall()
        return rows[:count], counted[0][0]

    def batches(self) -> Iterator[Rows]:
        """All rows, some thousands at a time."""
        while rows := self._result.fetchmany(_ROWS_AT_A_TIME):
            yield rows


def _without_end(query: str) -> str:
    """A statement without its semicolon and without a comment behind that: it becomes a part of another query."""
    text = query.encode()
    # DuckDB counts bytes.
    marks = [at for at, kind in duckdb.tokenize(query) if kind == duckdb.token_type.operator and text[at] == ord(";")]
    return text[: marks[0]].decode() if marks else query


def tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """All tables of the copy, `schema.table`."""
    query = "select schema_name || '.' || table_name from duckdb_tables() where not internal order by all"
    return [name for (name,) in connection.cursor().execute(query).fetchall()]


def table_named(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """The table of this name, `schema.table`; the schema can be left out where one schema alone has such a table.

    Raises:
        QueryError: there is none, or more than one.
    """
    known = tables(connection)
    found = [table for table in known if name.lower() in {table, _bare(table)}]
    if len(found) != 1:
        raise QueryError(_no_table(name, known))
    return found[0]


def _sentence(connection: duckdb.DuckDBPyConnection, error: duckdb.Error) -> str:
    message = _first_part(error)
    if isinstance(error, duckdb.PermissionException):
        return f"a query reads the tables of the published copy and nothing else ({message})"
    if unknown := _UNKNOWN_TABLE.search(message):
        # DuckDB would also suggest its own tables, and nothing where the schema is misspelt.
        return _no_table(unknown["name"], tables(connection))
    what, _, candidates = message.partition("Candidate bindings:")
    if names := re.findall(r'"([^"]+)"', candidates):
        return f"{what.rstrip(' !')}; {is_meant(names)}"
    return message


def _first_part(error: duckdb.Error) -> str:
    """A message of DuckDB without its kind and without the line of the query that follows it."""
    text = str(error).partition("\n\nLINE ")[0]
    return " ".join(_KIND_OF_ERROR.sub("", text).split())


def _no_table(name: str, known: Sequence[str]) -> str:
    near = near_names(_bare(name), map(_bare, known))
    # The same name in another schema is nearest.
    meant = [table for bare in near for table in known if _bare(table) == bare]
    return f"there is no table {name}; {is_meant(meant) if meant else f'{PROGRAM} ask lists them'}"


def _bare(table: str) -> str:
    return table.rpartition(".")[2]

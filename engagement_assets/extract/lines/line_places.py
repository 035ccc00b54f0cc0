"""Where lines stand in their files, for the few lines for which this is needed.

Belongs here: line numbers and raw texts, found by a second look at the files. Not here: which lines these are
(`line_records.py`), or what is wrong with them.

Numbering every line would cost more than reading it, so only files with such lines are read again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate

import duckdb

from engagement_assets.extract.lines.line_files import PreparedFiles


def list_files(connection: duckdb.DuckDBPyConnection, name: str, prepared: PreparedFiles) -> None:
    """Make `<name>_files`: `file_id, path, source_path`."""
    connection.execute(
        f"""
        create or replace temp table {name}_files as
        select
            unnest($file_ids::bigint[]) as file_id, unnest($paths::varchar[]) as path,
            unnest($keys::varchar[]) as source_path
        """,
        {
            "file_ids": [file.file_id for file in prepared.files],
            "paths": [file.path for file in prepared.files],
            "keys": [file.key for file in prepared.files],
        },
    )


def find_lines(connection: duckdb.DuckDBPyConnection, name: str, prepared: PreparedFiles) -> None:
    """Make `<name>_found`: `file_id, position, line, line_hash` of the lines of `<name>_wanted`.

    `<name>_wanted` has `file_id, line_hash`, `<name>_files` is as `list_files` makes it.

    Raises:
        RuntimeError: a file is not what it was when it was read.
    """
    connection.execute(
        f"""
        create or replace temp table {name}_found
        (file_id bigint, position bigint, line varchar, line_hash ubigint)
        """
    )
    paths = [
        path
        for (path,) in connection.execute(
            f"select path from {name}_files semi join {name}_wanted using (file_id) order by file_id"
        ).fetchall()
    ]
    if not paths:
        return
    lines = prepared.lines_sql()
    counts = dict(
        connection.execute(f"select filename, count(*) from {lines} group by filename", {"paths": paths}).fetchall()
    )
    lines_before = [0, *accumulate(counts.get(path, 0) for path in paths)][:-1]
    with _in_order(connection):
        connection.execute(
            f"""
            insert into {name}_found
            select files.file_id, numbered.number - read_again.lines_before, line, line_hash
            from (
                select row_number() over () as number, filename, line, hash(line) as line_hash
                from {lines}
            ) as numbered
            inner join {name}_files as files on numbered.filename = files.path
            inner join (
                select unnest($paths::varchar[]) as path,
                unnest($lines_before::bigint[]) as lines_before
            ) as read_again on files.path = read_again.path
            semi join {name}_wanted as wanted
                on files.file_id = wanted.file_id and numbered.line_hash = wanted.line_hash
            """,
            {"paths": paths, "lines_before": lines_before},
        )
    changed = connection.execute(
        f"""
        select source_path
        from {name}_wanted
        anti join {name}_found using (file_id, line_hash)
        inner join {name}_files using (file_id)
        limit 1
        """
    ).fetchone()
    if changed:
        raise RuntimeError(
            f"{changed[0]}: expected the lines of a moment ago, found others: the file changed "
            "while it was read; run this again"
        )


@contextmanager
def _in_order(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Makes rows come in the order of files and lines, on which their numbers rely."""
    name = "preserve_insertion_order"
    (before,) = connection.execute(f"select current_setting('{name}')").fetchall()[0]
    connection.execute(f"set {name} = true")
    try:
        yield
    finally:
        connection.execute(f"set {name} = {before}")

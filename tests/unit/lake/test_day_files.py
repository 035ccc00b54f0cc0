"""Files by day: one for each day, whatever DuckDB writes, and nothing of other days."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from engagement_assets.lake.day_files import day_file, rows_of, sql_text, write_days, write_empty_file
from tests.lake_loads import DAY_1, DAY_2, DAY_3

COLUMNS = {"number": "BIGINT", "name": "VARCHAR"}


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def _rows(*rows: tuple[int, object]) -> str:
    values = ", ".join(f"({number}, 'it''s', {sql_text(str(day)) if day else 'null'}::date)" for number, day in rows)
    return f"select * from (values {values}) as rows (number, name, day)"


def test_a_text_becomes_a_literal(connection: duckdb.DuckDBPyConnection) -> None:
    text = "it's; a 'quoted'' line\nbreak"
    assert connection.execute(f"select {sql_text(text)}").fetchall() == [(text,)]


def test_days_with_rows_are_written_and_read_again(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    folder = tmp_path / "it's" / "days"
    rows = _rows((1, DAY_1), (2, DAY_3), (3, DAY_1))
    assert write_days(connection, rows, COLUMNS, [DAY_1, DAY_2, DAY_3], folder) == {DAY_1, DAY_3}
    files = [str(day_file(folder, day)) for day in (DAY_1, DAY_3)]
    found = connection.execute(f"select day, number, name from {rows_of(files, COLUMNS)} order by all").fetchall()
    assert found == [(DAY_1, 1, "it's"), (DAY_1, 3, "it's"), (DAY_3, 2, "it's")]
    assert sorted(path.name for path in folder.rglob("*.parquet")) == ["data.parquet", "data.parquet"]


def test_no_rows_write_no_days(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    folder = tmp_path / "days"
    assert write_days(connection, _rows((1, DAY_1)) + " where false", COLUMNS, [DAY_1], folder) == set()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("day", "folder_name"), [(DAY_3, "day=2024-03-03"), (None, "day=__HIVE_DEFAULT_PARTITION__")])
def test_rows_of_other_days_are_refused(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, day: object, folder_name: str
) -> None:
    expected = rf"rows of \['{folder_name}'\] were returned for days, expected days from day=2024-03-01 to day=2024"
    with pytest.raises(ValueError, match=expected):
        write_days(connection, _rows((1, DAY_1), (2, day)), COLUMNS, [DAY_1, DAY_2], tmp_path / "days")


def test_a_day_that_duckdb_writes_in_parts_becomes_one_file(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    connection.execute("set threads = 2; set partitioned_write_max_open_files = 1")
    connection.execute("set partitioned_write_flush_threshold = 1")
    rows = f"select i as number, 'x' as name, date '{DAY_1}' + (i % 3)::int as day from range(3_000) as numbers (i)"
    connection.execute(f"copy ({rows}) to '{tmp_path}/parts' (format parquet, partition_by (day))")
    assert max(Counter(path.parent for path in (tmp_path / "parts").rglob("*.parquet")).values()) > 1

    days = [DAY_1, DAY_2, DAY_3]
    assert write_days(connection, rows, COLUMNS, days, tmp_path / "days") == set(days)
    files = sorted((tmp_path / "days").rglob("*.parquet"))
    assert files == [day_file(tmp_path / "days", day) for day in days]
    found = connection.execute(
        f"select day, count(*), sum(number)::bigint from {rows_of([str(path) for path in files], COLUMNS)} "
        "group by day order by day"
    ).fetchall()
    assert found == [(DAY_1, 1000, 1498500), (DAY_2, 1000, 1499500), (DAY_3, 1000, 1500500)]


def test_no_files_have_the_columns_and_no_rows(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    for table in (rows_of([], COLUMNS), _empty_file(connection, tmp_path)):
        result = connection.execute(f"select * from {table}")
        assert [(name, str(kind)) for name, kind, *_ in result.description or ()] == [
            *COLUMNS.items(),
            ("day", "DATE"),
        ]
        assert result.fetchall() == []


def _empty_file(connection: duckdb.DuckDBPyConnection, folder: Path) -> str:
    path = day_file(folder, DAY_1)
    path.parent.mkdir()
    write_empty_file(connection, COLUMNS, path)
    return rows_of([str(path)], COLUMNS)

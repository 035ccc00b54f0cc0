"""Queries on the published copy: what they read, what is refused, and what an error says."""

from collections.abc import Iterator
from datetime import datetime, time
from pathlib import Path

import duckdb
import pytest

from engagement_assets.commands.published_query import Answer, QueryError, opened, table_named, tables
from tests.unit.commands.published_copy import write_published_copy

REFUSED = ": nothing can be written or set here, since the next publication replaces the copy"
CONFINED = "a query reads the tables of the published copy and nothing else ("


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return write_published_copy(tmp_path / "published.duckdb")


@pytest.fixture
def connection(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(published) as connection:
        yield connection


def _why(published: Path, sql: str) -> str:
    with pytest.raises(QueryError) as refused, opened(published) as connection:
        list(Answer(connection, sql).batches())
    return str(refused.value)


def test_rows_are_counted_of_a_query_that_ends_with_a_comment(published: Path) -> None:
    sql = "select 'é;' as text, interval 1 month as length from range(5) ; -- all; of them"
    with opened(published) as connection:
        rows, count = Answer(connection, sql).first(2)
    assert ([text for text, _ in rows], count) == (["é;", "é;"], 5)


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("select plays from learning.engagement_daily order by plays", [(3,), (7,), (12,)]),
        ("from learning.engagement_daily select sum(plays); -- all", [(22,)]),
        ("with a as (select 1) select * from a", [(1,)]),
        ("select ';' as text;", [(";",)]),
        ("pivot (select country_code from learning.engagement_daily) on country_code using count(*)", [(1, 1)]),
        ("select count(*) from (describe learning.engagement_daily)", [(3,)]),
        ("select strftime(timestamptz '2024-01-01 00:30+02', '%Y-%m-%d %H:%M')", [("2023-12-31 22:30",)]),
    ],
)
def test_queries_that_read_are_answered(
    sql: str, rows: list[tuple[object, ...]], connection: duckdb.DuckDBPyConnection
) -> None:
    assert [row for batch in Answer(connection, sql).batches() for row in batch] == rows


def test_months_and_nanoseconds_are_exact(connection: duckdb.DuckDBPyConnection) -> None:
    answer = Answer(
        connection,
        "select range as i, interval '1 month 2 days' * range as i, timestamp_ns '2024-01-01 00:00:00.000000001' as ns "
        "from range(3) order by range desc -- a remark",
    )
    nanosecond = "2024-01-01 00:00:00.000000001"
    assert (answer.columns, answer.kinds) == (["i", "i", "ns"], ["BIGINT", "INTERVAL", "TIMESTAMP_NS"])
    assert answer.first(2) == ([(2, "2 months 4 days", nanosecond), (1, "1 month 2 days", nanosecond)], 3)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("{'a': interval 1 month}", "{'a': 1 month}"),
        ("[timestamp_ns '2024-01-01 00:00:00.123456789']", "['2024-01-01 00:00:00.123456789']"),
        ("map {1: interval 1 month}", "{1=1 month}"),
        ("time_ns '10:00:00.123456789'", "10:00:00.123456789"),
        # Of all others, lists and structs stay what they are.
        ("{'interval_s': 1}", {"interval_s": 1}),
        ("[timestamp '2024-01-01 10:00:00.5']", [datetime(2024, 1, 1, 10, 0, 0, 500_000)]),
        ("time '10:00:00'", time(10)),
    ],
)
def test_months_and_nanoseconds_are_exact_within_other_values(
    value: str, shown: object, connection: duckdb.DuckDBPyConnection
) -> None:
    assert Answer(connection, f"select 7 as a, {value} as b").first(1) == ([(7, shown)], 1)


def test_first_rows_come_with_the_count_of_all(connection: duckdb.DuckDBPyConnection) -> None:
    answer = Answer(connection, "select plays, plays from learning.engagement_daily order by plays -- a remark")
    assert answer.first(2) == ([(3, 3), (7, 7)], 3)
    assert Answer(connection, "from range(3)").first(3) == ([(0,), (1,), (2,)], 3)
    assert Answer(connection, "from range(0)").first(3) == ([], 0)


def test_a_pivot_without_its_values_is_counted_too(connection: duckdb.DuckDBPyConnection) -> None:
    rows, count = Answer(connection, "pivot learning.engagement_daily on country_code using sum(plays)").first(1)
    assert (len(rows), count) == (1, 2)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("insert into learning.engagement_daily select * from learning.engagement_daily", "INSERT"),
        ("drop table learning.engagement_daily", "DROP"),
        ("create temp table mine as select 1", "CREATE"),
        ("attach ':memory:' as other", "ATTACH"),
        ("copy learning.engagement_daily to 'out.csv'", "COPY"),
        ("set enable_external_access = true", "SET"),
        ("load httpfs", "LOAD"),
        ("explain analyze insert into learning.engagement_daily select * from learning.engagement_daily", "EXPLAIN"),
    ],
)
def test_what_does_not_only_read_is_refused(sql: str, kind: str, published: Path) -> None:
    before = published.read_bytes()
    assert _why(published, sql) == f"expected a query that reads, such as `select …`, found {kind}{REFUSED}"
    assert published.read_bytes() == before
    assert list(published.parent.iterdir()) == [published]


@pytest.mark.parametrize(
    ("sql", "found"),
    [("select 1; select 2", "2 statements; run them one by one"), ("", "none"), ("-- nothing", "none")],
)
def test_a_query_is_one_statement(sql: str, found: str, published: Path) -> None:
    assert _why(published, sql) == f"expected one query, found {found}"


@pytest.mark.parametrize("sql", ["from read_text('{}')", "from '{}'", "from glob('{}')", "from read_duckdb('{}')"])
def test_a_query_reads_no_other_file(sql: str, published: Path, tmp_path: Path) -> None:
    # Each can be read by a connection that is not confined.
    other = tmp_path / ("other.duckdb" if "duckdb" in sql else "other.csv")
    if other.suffix == ".csv":
        other.write_text("a\n1\n", encoding="utf-8")
    else:
        with duckdb.connect(str(other)) as connection:
            connection.execute("create table numbers as select 1 as a")
    sql = sql.format(other)
    assert duckdb.execute(sql).fetchall() != []
    assert _why(published, sql) == (
        f'{CONFINED}Cannot access file "{other}" - file system operations are disabled by configuration)'
    )


def test_a_query_reads_no_variable_of_this_process(published: Path) -> None:
    import pandas as pd  # noqa: PLC0415

    frame = pd.DataFrame({"a": [1]})
    assert duckdb.execute("from frame").fetchall() == [(1,)]
    assert _why(published, "from frame").startswith("there is no table frame; ")
    assert len(frame) == 1


def test_what_is_not_confined_cannot_be_changed_and_nothing_is_spilled(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.InvalidInputException, match="attached in read-only mode"):
        connection.execute("drop table learning.engagement_daily")
    with pytest.raises(duckdb.InvalidInputException, match="the configuration has been locked"):
        connection.execute("set temp_directory = '/tmp'")
    query = "select current_setting('TimeZone'), current_setting('temp_directory')"
    assert connection.execute(query).fetchall() == [("UTC", "")]


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("selec 1", 'syntax error at or near "selec"'),
        (
            "from learning.engagement_dayly",
            "there is no table engagement_dayly; is learning.engagement_daily or learning.engagement_weekly meant?",
        ),
        (
            "from lerning.engagement_daily",
            "there is no table lerning.engagement_daily; is learning.engagement_daily or learning.engagement_weekly "
            "meant?",
        ),
        ("from nothing_like_it", "there is no table nothing_like_it; make ask lists them"),
        (
            "select playss from learning.engagement_daily",
            'Referenced column "playss" not found in FROM clause; is plays meant?',
        ),
        (
            "select daily.playss from learning.engagement_daily as daily",
            'Table "daily" does not have a column named "playss"; is plays meant?',
        ),
        ("select error('of the query')", "of the query"),
        ("select $1", "Values were not provided for the following parameters: 1"),
        (
            "select 'x'::date",
            'invalid date field format: "x", expected format is (YYYY-MM-DD)',
        ),
    ],
)
def test_errors_are_one_sentence_with_what_may_be_meant(sql: str, sentence: str, published: Path) -> None:
    assert _why(published, sql) == sentence


def test_a_copy_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "published.duckdb"
    broken.write_text("no database" * 1000, encoding="utf-8")
    with pytest.raises(QueryError) as refused, opened(broken):
        pass
    assert str(refused.value).startswith(f"{broken} cannot be opened (")
    assert str(refused.value).endswith("or publish it anew with make backfill")
    assert "\n" not in str(refused.value)


def test_tables_are_found_by_their_names(connection: duckdb.DuckDBPyConnection) -> None:
    assert tables(connection) == [
        "audit.published_tables",
        "learning.engagement_daily",
        "learning.engagement_weekly",
    ]
    for name in ("learning.engagement_daily", "engagement_daily", "Learning.Engagement_Daily"):
        assert table_named(connection, name) == "learning.engagement_daily"
    with pytest.raises(QueryError, match=r"^there is no table published; is audit.published_tables meant\?$"):
        table_named(connection, "published")
    with pytest.raises(QueryError, match=r"^there is no table xyz; make ask lists them$"):
        table_named(connection, "xyz")

"""The learning explorer's cube: which grain is chosen, and that no grain loses a play."""

import random
from collections.abc import Iterator
from datetime import date, timedelta

import duckdb
import pytest

from engagement_assets.report.cubes import ACTIVITY, DATES, DIMENSIONS, MEASURES, TABLES, build_cube

DAYS = 120
COLUMNS = [*DIMENSIONS, ACTIVITY]
VARIED = ["country_code", "app_version", ACTIVITY]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Cells of 120 days across a new year, so that weeks cross months and years."""
    draw = random.Random(1)
    with duckdb.connect() as opened:
        opened.execute("create schema learning")
        opened.execute(
            f"create table learning.engagement_daily (event_date date, {' varchar, '.join(COLUMNS)} varchar, "
            f"{' bigint, '.join(MEASURES)} bigint)"
        )
        rows = {}
        for _ in range(3_000):
            day = date(2023, 11, 1) + timedelta(days=draw.randrange(DAYS))
            cell = (day, *(f"{each}{draw.randrange(2) if each in VARIED else 0}" for each in COLUMNS))
            rows[cell] = (draw.randint(1, 9), draw.randint(0, 1), draw.randint(0, 10**12), draw.randint(0, 3_600_000))
        opened.executemany(
            f"insert into learning.engagement_daily values ({', '.join('?' * (1 + len(COLUMNS) + len(MEASURES)))})",
            [(*cell, *measures) for cell, measures in rows.items()],
        )
        for grain in ("week", "month", "year"):
            opened.execute(
                f"create table learning.engagement_{TABLES[grain]} as "
                f"select cast(date_trunc('{grain}', event_date) as date) as {DATES[grain]}, {', '.join(COLUMNS)}, "
                f"{', '.join(f'cast(sum({each}) as bigint) as {each}' for each in MEASURES)} "
                "from learning.engagement_daily group by all"
            )
        yield opened


def cells(connection: duckdb.DuckDBPyConnection, grain: str) -> int:
    row = connection.execute(f"select count(*) from learning.engagement_{TABLES[grain]}").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("grain", ["day", "week", "month", "year"])
def test_the_finest_grain_that_fits_is_taken(connection: duckdb.DuckDBPyConnection, grain: str) -> None:
    # Weeks do not sum to months, so a cube of weeks has months too.
    exactly = cells(connection, grain) + (cells(connection, "month") if grain == "week" else 0)
    cube = build_cube(connection, exactly)
    assert cube.grain == grain
    assert len(cube.cells) == exactly
    assert cube.dimensions == (*DIMENSIONS, ACTIVITY)
    next_one = build_cube(connection, exactly - 1)
    assert (next_one.grain, next_one.dimensions) != (cube.grain, cube.dimensions)


def test_dimensions_are_left_out_when_no_grain_fits(connection: duckdb.DuckDBPyConnection) -> None:
    cube = build_cube(connection, cells(connection, "year") - 1)
    assert ACTIVITY not in cube.dimensions
    assert len(cube.cells) < cells(connection, "year")
    assert "the page cannot be filtered by activity_id" in cube.choice()
    smallest = build_cube(connection, 1)
    assert (smallest.grain, smallest.dimensions) == ("year", ())


def test_the_page_says_what_was_left_out(connection: duckdb.DuckDBPyConnection) -> None:
    assert build_cube(connection, 20_000).choice() == ""
    daily = cells(connection, "day")
    assert build_cube(connection, cells(connection, "month")).choice() == (
        f"{daily:,} daily cells are too many for a fast page: the finest grain here is the month. "
        "The tables in published.duckdb have everything."
    )


@pytest.mark.parametrize("limit", [20_000, 500, 60, 20, 10, 1])
def test_every_offered_grain_sums_to_the_mart(connection: duckdb.DuckDBPyConnection, limit: int) -> None:
    cube = build_cube(connection, limit)
    for grain in cube.grains:
        counted = cube.cells[cube.cells[grain].notna()]
        found = counted.groupby(grain)[MEASURES].sum()
        expected = connection.execute(
            f"select cast({DATES[grain]} as varchar) as period, "
            f"{', '.join(f'cast(sum({each}) as bigint) as {each}' for each in MEASURES)} "
            f"from learning.engagement_{TABLES[grain]} group by all order by all"
        ).fetchall()
        assert [(period, *map(int, row)) for period, row in zip(found.index, found.to_numpy(), strict=True)] == expected

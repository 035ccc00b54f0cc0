"""A reader of Strava's pages for each test, over one connection of its file."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.unit.extract.strava.strava_loads import Reader


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.cursor() as found:
        yield found


@pytest.fixture
def reader(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> Reader:
    return Reader(connection, tmp_path)

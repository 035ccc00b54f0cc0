"""The cube of the learning explorer: its grain and its cells.

Belongs here: choosing a grain that a page can filter quickly. Not here: how the cells are shown
(`sections/learning.py`).

Cells hold additive measures, so days sum to weeks, months and years, and months to years. Weeks do not sum to months,
so a cube of weeks also has rows of months.
"""

from dataclasses import dataclass

import duckdb
import pandas as pd

DIMENSIONS = {
    "country_code": "Country",
    "os_name": "OS",
    "os_version": "OS version",
    "app_version": "App version",
    "subscription_status": "Subscription",
    "activity_type": "Activity type",
    "collection_id": "Collection",
}
ACTIVITY = "activity_id"
MEASURES = ["plays", "completed_plays", "duration_ms", "played_ms"]
GRAINS = ("day", "week", "month", "year")
TABLES = {"day": "daily", "week": "weekly", "month": "monthly", "year": "yearly"}
DATES = {"day": "event_date", "week": "week_start_date", "month": "month_start_date", "year": "year_start_date"}
# The tables that make up a cube of this grain, and the grains that the rows of each count in.
PARTS: dict[str, dict[str, tuple[str, ...]]] = {
    "day": {"day": ("day", "week", "month", "year")},
    "week": {"week": ("week",), "month": ("month", "year")},
    "month": {"month": ("month", "year")},
    "year": {"year": ("year",)},
}
# If even years have too many cells, dimensions are left out: the first of these sets that fits is taken.
DIMENSION_SETS = (
    (*DIMENSIONS, ACTIVITY),
    tuple(DIMENSIONS),
    ("country_code", "os_name", "subscription_status", "activity_type", "collection_id"),
    ("country_code", "os_name", "subscription_status", "activity_type"),
    (),
)


@dataclass(frozen=True)
class Cube:
    """Cells with a column per grain, dimension and measure; a grain's column holds the period's first day.

    It is NULL where the row does not count in that grain. `daily_cells` is the size of the finest possible cube.
    """

    cells: pd.DataFrame
    grain: str
    dimensions: tuple[str, ...]
    daily_cells: int

    @property
    def grains(self) -> tuple[str, ...]:
        """The grains that the cells can be summed to."""
        return GRAINS[GRAINS.index(self.grain) :]

    def choice(self) -> str:
        """A sentence on what was left out, for the reader; empty if nothing was."""
        left_out = [name for name in (*DIMENSIONS, ACTIVITY) if name not in self.dimensions]
        if self.grain == "day" and not left_out:
            return ""
        words = (
            f"{self.daily_cells:,} daily cells are too many for a fast page: the finest grain here is the {self.grain}"
        )
        if left_out:
            words += f", and the page cannot be filtered by {', '.join(left_out)}"
        return words + ". The tables in published.duckdb have everything."


def build_cube(connection: duckdb.DuckDBPyConnection, max_cells: int) -> Cube:
    """The finest cube of at most `max_cells` cells; a coarser grain comes before fewer dimensions."""
    daily_cells = _count(connection, "day", DIMENSION_SETS[0])
    for dimensions in DIMENSION_SETS:
        for grain in GRAINS:
            if sum(_count(connection, part, dimensions) for part in PARTS[grain]) <= max_cells:
                return Cube(_cells(connection, grain, dimensions), grain, dimensions, daily_cells)
    return Cube(_cells(connection, "year", ()), "year", (), daily_cells)


def _count(connection: duckdb.DuckDBPyConnection, grain: str, dimensions: tuple[str, ...]) -> int:
    table = f"learning.engagement_{TABLES[grain]}"
    if dimensions != DIMENSION_SETS[0]:
        table = f"(select distinct {', '.join((DATES[grain], *dimensions))} from {table})"
    row = connection.execute(f"select count(*) from {table}").fetchone()
    return int(row[0]) if row else 0


def _cells(connection: duckdb.DuckDBPyConnection, grain: str, dimensions: tuple[str, ...]) -> pd.DataFrame:
    selects = []
    for part, counted_in in PARTS[grain].items():
        periods = ", ".join(
            f"cast(date_trunc('{each}', {DATES[part]}) as date)::varchar as {each}"
            if each in counted_in
            else f"null::varchar as {each}"
            for each in GRAINS
        )
        columns = "".join(f"{name}, " for name in dimensions)
        measures = ", ".join(f"cast(sum({name}) as bigint) as {name}" for name in MEASURES)
        selects.append(f"select {periods}, {columns}{measures} from learning.engagement_{TABLES[part]} group by all")
    return connection.execute(f"select * from ({' union all '.join(selects)}) order by all").df()

"""The cube of the learning explorer: at which grain it is computed, and its cells.

Belongs here: choosing a grain that a page can filter quickly. Not here: how the cells are shown
(`sections/learning.py`).

Cells hold parts that add up, so days give weeks, months and years. Weeks do not give months: a cube of weeks has rows
of months beside them, and a cube of months gives years.
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
# Which tables make up a cube of this grain, and which grains each of their rows counts in.
PARTS: dict[str, dict[str, tuple[str, ...]]] = {
    "day": {"day": ("day", "week", "month", "year")},
    "week": {"week": ("week",), "month": ("month", "year")},
    "month": {"month": ("month", "year")},
    "year": {"year": ("year",)},
}
# What is given up, in this order, if even years have too many cells.
DIMENSION_SETS = (
    (*DIMENSIONS, ACTIVITY),
    tuple(DIMENSIONS),
    ("country_code", "os_name", "subscription_status", "activity_type", "collection_id"),
    ("country_code", "os_name", "subscription_status", "activity_type"),
    (),
)


@dataclass(frozen=True)
class Cube:
    """Cells with a column per grain (the period's first day, NULL where the row does not count), dimension and measure.

    `daily_cells` is how many cells the finest cube would have had.
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
        """What was chosen, for the reader; empty where nothing was given up."""
        left_out = [name for name in (*DIMENSIONS, ACTIVITY) if name not in self.dimensions]
        if self.grain == "day" and not left_out:
            return ""
        words = f"{self.daily_cells:,} daily cells are too many for a quick page: the finest grain is the {self.grain}"
        if left_out:
            words += f", and {', '.join(left_out)} cannot be sliced by"
        return words + ". The tables in published.duckdb have it all."


def build_cube(connection: duckdb.DuckDBPyConnection, max_cells: int) -> Cube:
    """The finest cube of at most `max_cells` cells; grains are given up before dimensions."""
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

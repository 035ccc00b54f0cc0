"""The parts of the report: sections with tables, a dataflow over them, filters and figures.

Belongs here: the shape of these parts. Not here: what a section shows (`sections/`), or how sections become a page
(`html.py`) or pictures (`pictures.py`).

A section's tables are small frames of additive measures. Its dataflow (Vega transforms) filters and sums them by the
signals that the filter bar sets, and divides sums only at its end. Charts and the tables behind them show the same
rows.

The whole page has one range of dates. Tables with a column of periods are limited to it before anything else happens.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import pandas as pd

Format = Literal["text", "integer", "number", "percent", "yes_no"]
Level = Literal["good", "warn", "bad", ""]
AnyChart = alt.Chart | alt.LayerChart | alt.FacetChart
VegaData = dict[str, Any]
VegaSignal = dict[str, Any]
# The signals of the page's range of dates; an empty text is no limit.
FIRST_DAY, LAST_DAY = "first_day", "last_day"
RANGE = (FIRST_DAY, LAST_DAY)
# The grain of the periods in a table's column of this name; the first one that a table has limits it.
PERIODS = {
    "cohort": "week",
    "week": "week",
    "week_start_date": "week",
    "month": "month",
    "month_start_date": "month",
    "day": "day",
    "observed_on": "day",
}


@dataclass(frozen=True)
class Column:
    """A column of the table behind a chart: the dataset's field, its label, and the format of its values."""

    field: str
    label: str
    format: Format = "text"


@dataclass(frozen=True)
class Filter:
    """A control of the filter bar and the signal that it sets.

    `options` are pairs of value and label; without options the control is a date. It starts with the first option, or
    without a date.
    """

    signal: str
    label: str
    options: tuple[tuple[str, str], ...] = ()

    @property
    def initial(self) -> str:
        """The signal's value before anybody uses the control."""
        return self.options[0][0] if self.options else ""


@dataclass(frozen=True)
class Figure:
    """A chart over one dataset of the section's dataflow, with the table behind it.

    Without a chart it shows the table alone (`is_list`), or the numbers of the dataset's only row. `mart` is the table
    (`schema.table`) whose page in the Dagster UI shows the chart's picture. `empty` replaces a chart without rows.

    Numbers may have a `trend`: a dataset of `transforms.trend`, whose rows are in the order of the numbers. If it is
    the figure's own dataset, each of its rows is a number. A click on a mark sets the filters that are named as a field
    of its row; `clicks` adds pairs of a field and the filter that it sets, or `*` and the filter that names that one.
    `of_now` says that the figure shows a state of now, which the dates cannot limit. A chart that compares its rows has
    `alone`: what it says while there is only one, whose values it then shows as numbers. One that `is_wide` has a row
    of the page for itself.
    """

    name: str
    title: str
    summary: str
    dataset: str
    columns: tuple[Column, ...]
    chart: AnyChart | None = None
    is_list: bool = False
    mart: str | None = None
    empty: str = "Nothing to show for this slice."
    trend: str | None = None
    clicks: tuple[tuple[str, str], ...] = ()
    of_now: bool = False
    alone: str = ""
    is_wide: bool = False


@dataclass(frozen=True)
class Tile:
    """A state in a word: its label, its value as text, a remark, and whether it is `good`, `warn`, `bad` or neither."""

    label: str
    value: str
    remark: str = ""
    state: Level = ""


@dataclass(frozen=True)
class Section:
    """A part of the page: tables by name, the dataflow over them, filters, figures and notes.

    `first_day` is where the page's range of dates begins before anybody changes it.
    """

    name: str
    title: str
    intro: str
    tables: Mapping[str, pd.DataFrame]
    dataflow: Sequence[VegaData] = ()
    filters: tuple[Filter, ...] = ()
    signals: Sequence[VegaSignal] = ()
    figures: tuple[Figure, ...] = ()
    tiles: tuple[Tile, ...] = ()
    notes: tuple[str, ...] = ()
    first_day: str = ""

    @property
    def own_filters(self) -> tuple[Filter, ...]:
        """The filters of this section alone."""
        return tuple(each for each in self.filters if each.signal not in RANGE)

    def all_signals(self) -> list[VegaSignal]:
        """The signals of the page's dates and of the filters, and those derived from them."""
        filters = [{"name": each.signal, "value": each.initial} for each in self.own_filters]
        return [*range_signals(self.first_day), *filters, *self.signals]

    def limits(self) -> dict[str, str]:
        """What limits each table to the page's dates; a section with these filters of its own limits its datasets."""
        if self.own_filters != self.filters:
            return {}
        found = {}
        for name, table in self.tables.items():
            if column := next((each for each in PERIODS if each in table.columns), None):
                value = f"datum[{column!r}]"
                first = f"first_{PERIODS[column]}"
                found[name] = f"{value} >= {first} && ({LAST_DAY} === '' || {value} <= {LAST_DAY})"
        return found

    def upstream(self, dataset: str) -> set[str]:
        """The dataset, and all datasets and tables that it is made from."""
        needed = {dataset}
        for each in reversed(self.dataflow):
            if each["name"] in needed:
                needed.add(each["source"])
                needed |= {transform["from"] for transform in each["transform"] if "from" in transform}
        return needed

    def is_limited(self, figure: Figure) -> bool:
        """Whether the page's dates change what the figure shows."""
        return self.own_filters != self.filters or not self.limits().keys().isdisjoint(self.upstream(figure.dataset))


def range_signals(first_day: str) -> list[VegaSignal]:
    """The page's dates, and the first week, month and year that have a day among them.

    A period is shown if it overlaps the range, so that a month is not lost because the range begins within it.
    """
    monday = f"utcOffset('day', toDate({FIRST_DAY}), -((utcday(toDate({FIRST_DAY})) + 6) % 7))"
    return [
        {"name": FIRST_DAY, "value": first_day},
        {"name": LAST_DAY, "value": ""},
        {"name": "first_week", "update": f"{FIRST_DAY} === '' ? '' : utcFormat({monday}, '%Y-%m-%d')"},
        {"name": "first_month", "update": f"{FIRST_DAY} === '' ? '' : slice({FIRST_DAY}, 0, 8) + '01'"},
        {"name": "first_year", "update": f"{FIRST_DAY} === '' ? '' : slice({FIRST_DAY}, 0, 5) + '01-01'"},
    ]


def options_of(values: pd.Series, everything: str | None = None) -> tuple[tuple[str, str], ...]:
    """Options of a filter: the values in order, preceded by one for all of them if `everything` names it."""
    found = [(str(value), str(value)) for value in sorted(values.dropna().unique())]
    return tuple([("", everything), *found] if everything is not None else found)


def source_names(found: Iterable[str], titles: Mapping[str, str]) -> dict[str, str]:
    """What each source is called: those with a title in its order, then those found without one, by name."""
    return {**titles, **{source: source for source in sorted(set(found) - titles.keys())}}

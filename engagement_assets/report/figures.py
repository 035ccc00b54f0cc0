"""What the report consists of: sections with tables, a dataflow over them, filters and figures.

Belongs here: the shape of these parts. Not here: what any section shows (`sections/`), how they become a page
(`html.py`) or pictures (`pictures.py`).

A section's tables are small frames of parts. Its dataflow (Vega transforms) filters and sums them by the signals that
the filter bar sets, and divides sums only at its end; charts draw the rows that come out, and so do the tables behind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import pandas as pd

Format = Literal["text", "integer", "number", "percent", "yes_no"]
AnyChart = alt.Chart | alt.LayerChart | alt.FacetChart
VegaData = dict[str, Any]
VegaSignal = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """A column of the table behind a chart: the field of the dataset, its label, and how its values are written."""

    field: str
    label: str
    format: Format = "text"


@dataclass(frozen=True)
class Filter:
    """A control of the filter bar and the signal that it sets.

    `options` are (value, label); no options make it a date. The first option, or no date, is what holds at the start.
    """

    signal: str
    label: str
    options: tuple[tuple[str, str], ...] = ()

    @property
    def initial(self) -> str:
        """The signal's value before anybody touches the control."""
        return self.options[0][0] if self.options else ""


@dataclass(frozen=True)
class Figure:
    """A chart over one dataset of the section's dataflow, with the table behind it.

    Without a chart it is a list, the table alone, or the numbers of the dataset's only row. `mart` is the table whose
    page in the Dagster UI shows the chart's picture, as `schema.table`. `empty` is what stands in place of a chart
    without rows.
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


@dataclass(frozen=True)
class Tile:
    """A figure in large print: what it is, its value as text, and a remark."""

    label: str
    value: str
    remark: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page: tables by name, the dataflow over them, filters, figures and remarks."""

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

    def all_signals(self) -> list[VegaSignal]:
        """The filters' signals, and those that follow from them."""
        return [{"name": each.signal, "value": each.initial} for each in self.filters] + list(self.signals)


def options_of(values: pd.Series, everything: str | None = None) -> tuple[tuple[str, str], ...]:
    """Options of a filter: the values in order, after one for all of them if `everything` names it."""
    found = [(str(value), str(value)) for value in sorted(values.dropna().unique())]
    return tuple([("", everything), *found] if everything is not None else found)

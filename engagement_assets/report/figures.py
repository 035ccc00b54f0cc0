"""The parts of the report: sections with tables, a dataflow over them, filters and figures.

Belongs here: the shape of these parts. Not here: what a section shows (`sections/`), or how sections become a page
(`html.py`) or pictures (`pictures.py`).

A section's tables are small frames of additive measures. Its dataflow (Vega transforms) filters and sums them by the
signals that the filter bar sets, and divides sums only at its end. Charts and the tables behind them show the same
rows.
"""

from collections.abc import Iterable, Mapping, Sequence
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
    """A number in large print: its label, its value as text, and a remark."""

    label: str
    value: str
    remark: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page: tables by name, the dataflow over them, filters, figures and notes."""

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
        """The filters' signals, and those derived from them."""
        return [{"name": each.signal, "value": each.initial} for each in self.filters] + list(self.signals)


def options_of(values: pd.Series, everything: str | None = None) -> tuple[tuple[str, str], ...]:
    """Options of a filter: the values in order, preceded by one for all of them if `everything` names it."""
    found = [(str(value), str(value)) for value in sorted(values.dropna().unique())]
    return tuple([("", everything), *found] if everything is not None else found)


def source_names(found: Iterable[str], titles: Mapping[str, str]) -> dict[str, str]:
    """What each source is called: those with a title in its order, then those found without one, by name."""
    return {**titles, **{source: source for source in sorted(set(found) - titles.keys())}}

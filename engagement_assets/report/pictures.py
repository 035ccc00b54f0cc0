"""Charts as pictures for the Dagster UI, drawn without a browser.

Belongs here: drawing a figure with its filters untouched. Not here: what it shows (`sections/`).
"""

import base64
import json
import re
from collections.abc import Collection, Iterable
from typing import Any

import vl_convert

from engagement_assets.report.figures import AnyChart, Figure, Section
from engagement_assets.report.html import as_json, compiled
from engagement_assets.report.theme import STATIC_COLOURS, WIDTH, dressed
from engagement_assets.report.transforms import keep

# What Vega adds to each mark for screen readers and events; in a picture neither gets further than its title.
_NOT_DRAWN = re.compile(r' (?:aria-[a-z]+|role|class|pointer-events)="[^"]*"')
_FRACTION = re.compile(r"-?\d+\.\d{2,}")


def pictures_of(sections: Iterable[Section], tables: Collection[str]) -> dict[str, str]:
    """A Markdown picture for each of these tables (`schema.table`): its first figure that has rows.

    Raises:
        ValueError: Vega cannot draw a chart; the message is Vega's.
    """
    pictures: dict[str, str] = {}
    for section in sections:
        for figure in section.figures:
            mart = figure.mart
            if figure.chart is not None and mart is not None and mart in tables and mart not in pictures:
                svg = draw(section, figure)
                if svg is not None:
                    pictures[mart] = as_markdown(figure.title, figure.summary, svg)
    return pictures


def draw(section: Section, figure: Figure) -> str | None:
    """A figure as SVG with the section's filters untouched; None if it has no data.

    Raises:
        ValueError: Vega cannot draw it; the message is Vega's.
    """
    if figure.chart is None:
        raise ValueError(f"{section.name}.{figure.name} has no chart to draw")
    needed = section.upstream(figure.dataset)
    tables = {name: table for name, table in section.tables.items() if name in needed}
    if all(table.empty for table in tables.values()):
        return None
    chart = compiled(dressed(figure.chart, figure.title, WIDTH))
    rows = {"name": "rows", "source": figure.dataset}
    complete = _in_colours(
        {
            **chart,
            "signals": [*section.all_signals(), *chart.get("signals", [])],
            "data": [
                *(each for each in section.dataflow if each["name"] in needed),
                *(rows if each["name"] == "rows" else each for each in chart["data"]),
            ],
        }
    )
    limits = section.limits()
    complete["data"][:0] = [
        {
            "name": name,
            # As text, which Vega reads faster than Python.
            "values": table.to_json(orient="records"),
            "format": {"type": "json"},
            "transform": [keep(limits[name])] if name in limits else [],
        }
        for name, table in tables.items()
    ]
    return _svg(complete)


def picture_of(chart: AnyChart, title: str, summary: str) -> str:
    """A Markdown picture of a chart that has its rows.

    Raises:
        ValueError: Vega cannot draw it; the message is Vega's.
    """
    return as_markdown(title, summary, _svg(_in_colours(compiled(dressed(chart, title, WIDTH)))))


def _in_colours(chart: dict[str, Any]) -> dict[str, Any]:
    """A chart for a page without the report's style sheet."""
    text = as_json({**chart, "background": "var(--paper)"})
    for variable, colour in STATIC_COLOURS.items():
        text = text.replace(variable, colour)
    found: dict[str, Any] = json.loads(text)
    return found


def _svg(chart: dict[str, Any]) -> str:
    svg = _NOT_DRAWN.sub("", vl_convert.vega_to_svg(chart))
    return _FRACTION.sub(lambda number: f"{float(number[0]):.1f}", svg)


def as_markdown(title: str, summary: str, svg: str) -> str:
    """An inline picture under its title, for Dagster's Markdown metadata."""
    return f"**{title}**. {summary}\n\n![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"

"""Charts as pictures, drawn without a browser, for the Dagster UI.

Belongs here: drawing a figure as it stands before anybody filters. Not here: what it shows (`sections/`).
"""

import base64
import json
import re
from collections.abc import Iterable
from typing import Any

import vl_convert

from engagement_assets.report.figures import Figure, Section
from engagement_assets.report.html import as_json, compiled
from engagement_assets.report.theme import STATIC_COLOURS, dressed

WIDTH = 640
# Vega describes each mark for screen readers, which reach no further than a picture's own title.
_WORDS = re.compile(r' (?:aria-label|aria-roledescription|role)="[^"]*"')


def pictures_of(sections: Iterable[Section]) -> dict[str, str]:
    """A Markdown picture by table (`schema.table`): the first figure that is about it."""
    pictures: dict[str, str] = {}
    for section in sections:
        for figure in section.figures:
            if figure.chart is not None and figure.mart is not None and figure.mart not in pictures:
                pictures[figure.mart] = as_markdown(figure.title, draw(section, figure))
    return pictures


def draw(section: Section, figure: Figure) -> str:
    """A figure as SVG, over the section's dataflow with its filters at their beginning.

    Raises:
        ValueError: Vega cannot draw it; the message is Vega's.
    """
    if figure.chart is None:
        raise ValueError(f"{section.name}.{figure.name} has no chart to draw")
    chart = compiled(dressed(figure.chart, figure.title, WIDTH))
    needed = _upstream(section, figure.dataset)
    tables = [
        {"name": name, "values": json.loads(table.to_json(orient="records"))}
        for name, table in section.tables.items()
        if name in needed
    ]
    dataflow = [each for each in section.dataflow if each["name"] in needed]
    rows = {"name": "rows", "source": figure.dataset}
    own = [rows if each["name"] == "rows" else each for each in chart["data"]]
    complete: dict[str, Any] = {
        **chart,
        "background": "var(--paper)",
        "signals": [*section.all_signals(), *chart.get("signals", [])],
        "data": [*tables, *dataflow, *own],
    }
    text = as_json(complete)
    for variable, colour in STATIC_COLOURS.items():
        text = text.replace(variable, colour)
    return _WORDS.sub("", vl_convert.vega_to_svg(json.loads(text)))


def as_markdown(title: str, svg: str) -> str:
    """An inline picture, as Dagster's Markdown metadata shows it."""
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _upstream(section: Section, dataset: str) -> set[str]:
    """The dataset and all that it is made of."""
    needed = {dataset}
    for each in reversed(section.dataflow):
        if each["name"] in needed:
            needed.add(each["source"])
            needed |= {transform["from"] for transform in each["transform"] if "from" in transform}
    return needed

"""The page: one self-contained HTML file of all sections, with a strict Content-Security-Policy.

Belongs here: combining template, style sheets, scripts, Vega and data. Not here: what is shown (`sections/`), or how
the page behaves (`page/*.js`) and looks (`page/*.css`).
"""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import vl_convert

from engagement_assets.report.figures import Figure, Section
from engagement_assets.report.theme import ROOM, dressed

PAGE = files("engagement_assets.report") / "page"
# One script and one style sheet by topic; the last one uses what the others define.
SCRIPTS = ("values.js", "tables.js", "numbers.js", "charts.js", "report.js")
STYLES = ("colours.css", "layout.css", "figures.css", "print.css")
# vega-embed brings Vega's expression interpreter, without which the page would have to allow `eval`.
_BUNDLE = "window.vegaEmbed = vegaEmbed;"
# With a group, so that splitting keeps the dates.
_DATE = re.compile(r"(\d{4}-\d\d-\d\d(?: \d\d:\d\d)?)")
# Characters that JSON may hold but a script element must not.
_ESCAPES: dict[str, str | int | None] = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}


@dataclass(frozen=True)
class Heading:
    """What stands above the sections.

    Attributes:
        written_at: when the page is written (UTC).
        state: a sentence on how new the data is.
        remarks: sentences about the whole page.
        docs: file name of the dbt docs next to the page, if they are there.
    """

    written_at: datetime
    state: str
    remarks: Sequence[str] = ()
    docs: str | None = None


def render(sections: Sequence[Section], heading: Heading, cache: Path) -> str:
    """The page of these sections as text; the folder `cache` keeps Vega's bundle from one report to the next."""
    scripts = [_bundle(cache), _joined(SCRIPTS)]
    style = _joined(STYLES)
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_hash, scripts))}",
            f"style-src {_hash(style)}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.globals["dates_apart"] = _DATE.split
    template = environment.from_string((PAGE / "report.html.jinja").read_text(encoding="utf-8"))
    return template.render(
        heading=heading,
        first_day=sections[0].first_day if sections else "",
        sections=sections,
        policy=policy,
        style=style,
        scripts=scripts,
        payload=as_json([_payload(section) for section in sections]),
    )


def _joined(names: Sequence[str]) -> str:
    return "\n".join((PAGE / name).read_text(encoding="utf-8") for name in names)


def _bundle(folder: Path) -> str:
    """Vega as one script, kept in the folder, since building it takes as long as the rest of the page."""
    kept = folder / f".vega_bundle_{version('vl-convert-python')}.js"
    if not kept.exists():
        draft = kept.with_suffix(".draft")
        draft.write_text(_vega(), encoding="utf-8")
        draft.replace(kept)
    return kept.read_text(encoding="utf-8")


@cache
def _vega() -> str:
    # A closing tag within the bundle would end the script element.
    return str(vl_convert.javascript_bundle(_BUNDLE)).replace("</script", "<\\/script")


def _hash(content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def as_json(content: Any) -> str:
    """JSON that is safe in a script element: it can neither end the element nor begin a comment."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(str.maketrans(_ESCAPES))


def _payload(section: Section) -> dict[str, Any]:
    """What the script needs to know of a section."""
    return {
        "name": section.name,
        "tables": {name: columns_of(table) for name, table in section.tables.items()},
        "limits": section.limits(),
        "signals": section.all_signals(),
        "data": list(section.dataflow),
        "filters": [{"signal": each.signal, "initial": each.initial} for each in section.own_filters],
        "figures": [_figure_payload(figure) for figure in section.figures],
    }


def _figure_payload(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "dataset": figure.dataset,
        "columns": [vars(column) for column in figure.columns],
        "title": figure.title,
        "trend": figure.trend,
        "clicks": figure.clicks,
        "kind": "chart" if figure.chart is not None else "list" if figure.is_list else "numbers",
        "spec": None if figure.chart is None else compiled(dressed(figure.chart, figure.title)),
    }


def compiled(specification: dict[str, Any]) -> dict[str, Any]:
    """A Vega-Lite specification compiled to Vega, so that the page needs no compiler and paints sooner."""
    vega = vl_convert.vegalite_to_vega(specification)
    _tell_on_hover(vega["marks"])
    return {**vega, "signals": [ROOM, *vega.get("signals", [])]}


def _tell_on_hover(marks: list[dict[str, Any]]) -> None:
    """Has Vega write the tooltip of the mark under the pointer, instead of those of all marks at every change."""
    for mark in marks:
        if told := mark.get("encode", {}).get("update", {}).pop("tooltip", None):
            mark["encode"]["hover"] = {"tooltip": told}
        _tell_on_hover(mark.get("marks", []))


def columns_of(table: pd.DataFrame) -> dict[str, Any]:
    """A table by columns; repeated texts become a list of values and positions in it (-1 for none)."""
    columns: dict[str, Any] = {}
    for name in table.columns:
        values = [_plain(value) for value in table[name].tolist()]
        texts = dict.fromkeys(value for value in values if isinstance(value, str))
        only_texts = all(value is None or isinstance(value, str) for value in values)
        if only_texts and 0 < len(texts) * 2 < len(values):
            places = {text: place for place, text in enumerate(texts)}
            columns[str(name)] = {
                "values": list(texts),
                "at": [-1 if each is None else places[each] for each in values],
            }
        else:
            columns[str(name)] = {"values": values}
    return columns


def _plain(value: Any) -> Any:
    """A value for JSON: null in place of NaN, and whole numbers without a fraction."""
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):  # noqa: PLR0124
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value

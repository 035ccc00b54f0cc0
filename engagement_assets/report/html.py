"""The page: sections become one self-contained HTML file with a strict Content-Security-Policy.

Belongs here: putting template, style sheet, script, Vega and data together. Not here: what is shown (`sections/`), how
the page behaves (`page/report.js`) or looks (`page/report.css`).
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import vl_convert

from engagement_assets.report.figures import Figure, Section
from engagement_assets.report.theme import dressed

PAGE = files("engagement_assets.report") / "page"
# vega-embed comes with Vega's expression interpreter: without it, a page would have to allow `eval`.
_BUNDLE = "window.vegaEmbed = vegaEmbed;"
# What JSON may hold and a script element must not.
_ESCAPES: dict[str, str | int | None] = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}


def render(sections: Sequence[Section], *, state: str, remarks: Sequence[str], docs: str | None, cache: Path) -> str:
    """The page as text.

    Args:
        sections: what is shown, in order.
        state: which state of the data it shows, for the reader.
        remarks: what holds for the whole page.
        docs: file name of the dbt docs beside the page, if they are there.
        cache: folder in which Vega's bundle is kept from one report to the next.
    """
    scripts = [_bundle(cache), (PAGE / "report.js").read_text(encoding="utf-8")]
    style = (PAGE / "report.css").read_text(encoding="utf-8")
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
    template = environment.from_string((PAGE / "report.html.jinja").read_text(encoding="utf-8"))
    return template.render(
        state=state,
        remarks=remarks,
        docs=docs,
        sections=sections,
        policy=policy,
        style=style,
        scripts=scripts,
        payload=as_json([_payload(section) for section in sections]),
    )


def _bundle(folder: Path) -> str:
    """Vega as one script, kept in the folder: to put it together takes as long as the rest of the page."""
    kept = folder / f".vega_bundle_{version('vl-convert-python')}.js"
    if not kept.exists():
        draft = kept.with_suffix(".draft")
        draft.write_text(_vega(), encoding="utf-8")
        draft.replace(kept)
    return kept.read_text(encoding="utf-8")


@cache
def _vega() -> str:
    # A closing tag inside a text of the bundle would end the script element.
    return str(vl_convert.javascript_bundle(_BUNDLE)).replace("</script", "<\\/script")


def _hash(content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def as_json(content: Any) -> str:
    """JSON that may stand in a script element: no character of it can end the element or begin a comment."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(str.maketrans(_ESCAPES))


def _payload(section: Section) -> dict[str, Any]:
    """What the script needs of a section."""
    return {
        "name": section.name,
        "tables": {name: columns_of(table) for name, table in section.tables.items()},
        "signals": section.all_signals(),
        "data": list(section.dataflow),
        "filters": [{"signal": each.signal, "initial": each.initial} for each in section.filters],
        "figures": [_figure_payload(figure) for figure in section.figures],
    }


def _figure_payload(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "dataset": figure.dataset,
        "columns": [vars(column) for column in figure.columns],
        "kind": "chart" if figure.chart is not None else "list" if figure.is_list else "numbers",
        "spec": None if figure.chart is None else compiled(dressed(figure.chart, figure.title)),
    }


def compiled(specification: dict[str, Any]) -> dict[str, Any]:
    """Vega of a Vega-Lite specification: the page then needs no compiler, and paints sooner."""
    return dict(vl_convert.vegalite_to_vega(specification))


def columns_of(table: pd.DataFrame) -> dict[str, Any]:
    """A table by columns; texts that repeat as a list of values and the positions in it (-1 for none)."""
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
    """A value as JSON has it: no NaN, and no .0 behind what is whole."""
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):  # noqa: PLR0124
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value

"""How charts look: colours, axes, and the marks of incomplete periods.

Belongs here: what the charts of several sections share. Not here: what they show.

A colour has one meaning on the whole page. Each hue of `SOURCE_COLOURS` is a source. Shades of blue are numbers:
`MEASURE` a single one, `PARTS` the parts of one in their order. `STATES` are outcomes, told apart by lightness and by a
word as well, since hue alone does not reach everybody.

Colours are CSS variables of the page, so that the style sheet alone decides on light, dark and print. Pictures for the
Dagster UI replace them by `STATIC_COLOURS`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from engagement_assets.report.figures import AnyChart

HEIGHT = 230
STATIC_COLOURS = {
    "var(--ink)": "#1d2733",
    "var(--muted)": "#556170",
    "var(--line)": "#dde3ea",
    "var(--edge)": "#7f8a99",
    "var(--paper)": "#ffffff",
    "var(--p1)": "#173a7a",
    "var(--p2)": "#2f66c4",
    "var(--p3)": "#5f8cd9",
    "var(--p4)": "#a5c2f0",
    "var(--p5)": "#cfdff8",
    "var(--p6)": "#eaf1fc",
    "var(--s1)": "#7a4bb8",
    "var(--s2)": "#0f7f86",
    "var(--s3)": "#b8326e",
    "var(--s4)": "#6d7420",
    "var(--s5)": "#8a5a2b",
    "var(--s6)": "#4d5f73",
    "var(--s7)": "#a0498f",
    "var(--s8)": "#3b7d5a",
    "var(--good)": "#a9d8bf",
    "var(--warn)": "#d9901f",
    "var(--bad)": "#a1160f",
}
SOURCE_COLOURS = [f"var(--s{number})" for number in range(1, 9)]
PARTS = [f"var(--p{number})" for number in range(1, 7)]
MEASURE = "var(--p2)"
EDGE = "var(--edge)"
STATES: Mapping[str, str] = {
    "passed": "var(--good)",
    "warned": "var(--warn)",
    "failed": "var(--bad)",
    "not run": "var(--paper)",
}
COMPLETE = "datum.is_complete"
WIDTH = 640
# The width of the figure with its axes; a picture has no container. `width` is that of the plot alone. A signal, since
# the browser lays out the page to answer: asked by every label, that takes a third of the time of drawing.
_ROOM = f"containerSize()[0] || {WIDTH}"
ROOM = {"name": "room", "init": _ROOM, "on": [{"events": "window:resize", "update": _ROOM}]}
# Letters of a label's line, each about 6 pixels wide. A line ends after a space or `_`, or within a long word.
_LETTERS = "floor(min(210, room * 0.4) / 6)"
_WRAPPED = (
    f"split(replace(replace(truncate(datum.label, 2 * {_LETTERS} - 2), "
    f"regexp('.{{1,' + {_LETTERS} + '}}(?:[ _/]|$)|.{{1,' + {_LETTERS} + '}}', 'g'), '$&\\n'), "
    "regexp('\\n$'), ''), '\\n')"
)
# A plain dict, since `chart.configure_…` would copy every chart several times.
CONFIG = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    # A chart is one picture with a name, and its table is there to be read: what marks would say is never heard, and
    # computing it takes as long as drawing them.
    "mark": {"aria": False},
    "axis": {
        "aria": False,
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "labelLimit": {"expr": "min(210, room * 0.4)"},
    },
    # Names are wrapped into two lines, since a name that is cut is of no use.
    "axisYDiscrete": {"labelExpr": _WRAPPED, "labelLimit": 0, "labelFontSize": 11, "labelLineHeight": 12},
    "legend": {
        "aria": False,
        "labelColor": "var(--ink)",
        "titleColor": "var(--muted)",
        "labelFontSize": 12,
        "labelLimit": 220,
    },
    "text": {"color": "var(--ink)"},
}

_ROWS = "data('rows')"
_STEP = f"({_ROWS}[0].until - {_ROWS}[0].at)"
_FIRST, _LAST = (f"extent(pluck({_ROWS}, 'at'))[{end}]" for end in (0, 1))
# A tick at the beginning of periods, as many as fit. Vega's own weeks begin on Sunday.
_PERIOD_TICKS = (
    f"length({_ROWS}) === 0 ? [] : {_STEP} > 8 * 864e5 ? pluck({_ROWS}, 'at') : "
    f"sequence({_FIRST}, {_LAST} + 1, {_STEP} * max(1, ceil(({_LAST} - {_FIRST}) / {_STEP} / (width / 80))))"
)


def period_axis() -> alt.X:
    """A UTC time axis with ticks at the beginnings of periods."""
    return alt.X(
        "at:T",
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(
            title=None,
            format="%-d %b %y",
            values=alt.ExprRef(_PERIOD_TICKS),
            # A label that is moved into the plot would cover the next one, which is then left out.
            labelFlush=False,
            labelPadding=6,
            labelOverlap="greedy",
            labelSeparation=12,
            grid=False,
        ),
    )


def legend_above(labels: list[str] | None = None, *, beside_names: bool = False) -> alt.Legend:
    """A legend above the chart, in as many columns as fit; names beside the bars leave less room for it."""
    entry = 40 + 7 * max(map(len, labels or ["a name of some length"]))
    room = "room * 0.6 - 20" if beside_names else "room - 60"
    columns = alt.ExprRef(f"max(1, floor(({room}) / {entry}))")
    return alt.Legend(title=None, orient="top", columns=columns, columnPadding=14, symbolStrokeWidth=0)


def colour(
    field: str,
    domain: Sequence[str] | None = None,
    colours: Sequence[str] = PARTS,
    *,
    order: str | None = None,
    beside_names: bool = False,
) -> alt.Color:
    """A colour per category, with a legend above the chart; `order` is a field that orders them, without a domain."""
    labels = list(domain) if domain else None
    if labels and colours is PARTS and len(labels) < len(PARTS[::2]):
        # Two lines that cross need more than neighbouring shades.
        colours = PARTS[::2]
    scale = alt.Scale(range=list(colours), domain=labels) if labels else alt.Scale(range=list(colours))
    sort = alt.EncodingSortField(order, op="min") if order else alt.Undefined
    legend = legend_above(labels, beside_names=beside_names)
    return alt.Color(f"{field}:N", scale=scale, legend=legend, sort=sort)


def source_colour(field: str, names: Mapping[str, str], *, beside_names: bool = False) -> alt.Color:
    """The colour of each source, of which `names` has all in their order; `field` holds the names."""
    return colour(field, list(names.values()), SOURCE_COLOURS, beside_names=beside_names)


def chosen_source_colour(field: str, names: Mapping[str, str]) -> alt.Color:
    """The colour of the one source of a chart, whose name a filter shows already."""
    scale = alt.Scale(domain=list(names.values()), range=SOURCE_COLOURS)
    return alt.Color(f"{field}:N", scale=scale, legend=None)


def outline(incomplete: str, complete: str = EDGE) -> dict[str, Any]:
    """Encodings that dash the outline of incomplete periods in the first colour; the others have the second one.

    They are channels, not `alt.condition`: Altair takes 20 ms to find the class of each dict.
    """
    return {
        "stroke": alt.StrokeValue(incomplete, condition={"test": COMPLETE, "value": complete}),
        "strokeWidth": alt.StrokeWidthValue(1, condition={"test": COMPLETE, "value": 0.6 if complete == EDGE else 1.5}),
        "strokeDash": alt.StrokeDashValue([4, 3], condition={"test": COMPLETE, "value": [1, 0]}),
    }


def bars(chart: alt.Chart, *, is_stacked: bool = True, **encodings: Any) -> alt.Chart:
    """Bars that span their periods; hollow and dashed if a period is incomplete.

    Stacked parts have an edge, since the lightest shades could not be told from the paper. Bars of one colour have
    gaps.
    """
    is_stacked = is_stacked and not isinstance(encodings.get("color"), alt.ColorValue)
    drawn: alt.Chart = chart.mark_bar(orient="vertical", stroke="var(--paper)").encode(
        x=period_axis(),
        x2=alt.X2("until:T"),
        fillOpacity=alt.FillOpacityValue(0.25, condition={"test": COMPLETE, "value": 1}),
        **outline("var(--ink)", EDGE if is_stacked else "var(--paper)"),
        **encodings,
    )
    return drawn


def lines(
    chart: alt.Chart,
    y: alt.Y,
    tooltip: list[alt.Tooltip],
    color: alt.Color | None = None,
) -> AnyChart:
    """Lines with a point per period, hollow if it is incomplete; shapes tell lines apart without their colours."""
    base = chart.encode(x=period_axis(), y=y)
    coloured = base.encode(color=color) if color is not None else base.encode(color=alt.ColorValue(MEASURE))
    points = coloured if color is None else coloured.encode(shape=_shape_of(color))
    points = points.mark_point(filled=True, size=64, opacity=1).encode(tooltip=tooltip)
    # Without the shape: over other rows it would have a legend of its own.
    hollow = base.transform_filter(f"!({COMPLETE})")
    hollow = hollow.mark_point(filled=True, size=20, opacity=1, color="var(--paper)")
    return alt.layer(coloured.mark_line(strokeWidth=2), points, hollow.encode(tooltip=tooltip))


def _shape_of(color: alt.Color) -> alt.Shape:
    """A shape per category, in one legend with its colour."""
    found: Any = color.to_dict()
    domain = found["scale"].get("domain")
    scale = alt.Scale(domain=domain) if domain else alt.Scale()
    return alt.Shape(f"{found['field']}:N", scale=scale, legend=legend_above(domain))


def split_bars(measure: str, title: str, when: alt.Tooltip, value: str = "split_value") -> alt.Chart:
    """Bars by period, stacked by the values of `value_datasets`, with the most frequent at the bottom.

    `value` is the field with what the values are called.
    """
    return bars(
        rows(),
        y=alt.Y(f"{measure}:Q", axis=alt.Axis(title=title, tickCount=5)),
        color=colour(value, order="split_place"),
        order=alt.Order("split_place:Q"),
        tooltip=[when, tip(value, "value"), tip(measure, title, ",")],
    )


def rows() -> alt.Chart:
    """A chart over the figure's dataset, which the page passes under this name."""
    return alt.Chart(alt.NamedData("rows"))


def tip(field: str, title: str, form: str | None = None) -> alt.Tooltip:
    """A line of a tooltip."""
    if form:
        return alt.Tooltip(f"{field}:Q", title=title, format=form)
    return alt.Tooltip(f"{field}:N", title=title)


def dressed(chart: AnyChart, title: str, width: int | str = "container") -> dict[str, Any]:
    """The Vega-Lite specification of a chart in the style of the report; the title is for screen readers."""
    # A test validates every chart against the schema; here that would take longer than everything else.
    specification = chart.to_dict(validate=False)
    return {"height": HEIGHT, **specification, "width": width, "description": title, "config": CONFIG}

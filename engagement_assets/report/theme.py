"""How charts look: colours, axes, and the marks of incomplete periods.

Belongs here: what the charts of several sections share. Not here: what they show.

Colours are CSS variables of the page, so that the style sheet alone decides on light, dark and print. Pictures for the
Dagster UI replace them by `STATIC_COLOURS`.
"""

from typing import Any

import altair as alt

from engagement_assets.report.figures import AnyChart

HEIGHT = 230
STATIC_COLOURS = {
    "var(--ink)": "#1d2733",
    "var(--muted)": "#5b6775",
    "var(--line)": "#dde3ea",
    "var(--paper)": "#ffffff",
    "var(--c1)": "#2f5fb3",
    "var(--c2)": "#b5590f",
    "var(--c3)": "#1c7c54",
    "var(--c4)": "#9a3b78",
    "var(--c5)": "#69712b",
    "var(--c6)": "#0b7285",
    "var(--c7)": "#6b46a8",
    "var(--c8)": "#7d5233",
    "var(--bad)": "#b3261e",
}
COLOURS = [f"var(--c{number})" for number in range(1, 9)]
COMPLETE = "datum.is_complete"
WIDTH = 640
# The width of the figure with its axes; a picture has no container. `width` is that of the plot alone, known only once
# axes and legends have been laid out. Naming it here makes Vega evaluate this again when it changes.
_ROOM = f"(width && containerSize()[0] || {WIDTH})"
# A plain dict, since `chart.configure_…` would copy every chart several times.
CONFIG = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "labelLimit": {"expr": f"min(210, {_ROOM} * 0.4)"},
    },
    "legend": {"labelColor": "var(--ink)", "titleColor": "var(--muted)", "labelFontSize": 12, "labelLimit": 220},
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
        # Labels this close to an end, in pixels, do not cross it.
        axis=alt.Axis(
            title=None,
            format="%-d %b %y",
            values=alt.ExprRef(_PERIOD_TICKS),
            labelFlush=24,
            labelOverlap="greedy",
            labelSeparation=12,
            grid=False,
        ),
    )


def legend_above(labels: list[str] | None = None) -> alt.Legend:
    """A legend above the chart, in as many columns as fit."""
    entry = 40 + 7 * max(map(len, labels or ["about as long"]))
    columns = alt.ExprRef(f"max(1, floor(({_ROOM} - 60) / {entry}))")
    return alt.Legend(title=None, orient="top", columns=columns, columnPadding=14, symbolStrokeWidth=0)


def colour(field: str, domain: list[str] | None = None) -> alt.Color:
    """A colour per category, with a legend above the chart."""
    scale = alt.Scale(range=COLOURS, domain=domain) if domain else alt.Scale(range=COLOURS)
    return alt.Color(f"{field}:N", scale=scale, legend=legend_above(domain))


def outline(incomplete: str) -> dict[str, Any]:
    """Encodings that dash the outline of incomplete periods, in this colour.

    They are channels, not `alt.condition`: Altair takes 20 ms to find the class of each dict.
    """
    return {
        "stroke": alt.StrokeValue(incomplete, condition={"test": COMPLETE, "value": "var(--paper)"}),
        "strokeDash": alt.StrokeDashValue([4, 3], condition={"test": COMPLETE, "value": [1, 0]}),
    }


def bars(chart: alt.Chart, **encodings: Any) -> alt.Chart:
    """Bars that span their periods; hollow and dashed if a period is incomplete."""
    drawn: alt.Chart = chart.mark_bar(orient="vertical", stroke="var(--paper)").encode(
        x=period_axis(),
        x2=alt.X2("until:T"),
        fillOpacity=alt.FillOpacityValue(0.25, condition={"test": COMPLETE, "value": 1}),
        **outline("var(--ink)"),
        **encodings,
    )
    return drawn


def lines(chart: alt.Chart, y: alt.Y, tooltip: list[alt.Tooltip], color: alt.Color | None = None) -> AnyChart:
    """Lines with a point per period, hollow if it is incomplete."""
    base = chart.encode(x=period_axis(), y=y)
    coloured = base.encode(color=color) if color is not None else base.encode(color=alt.ColorValue(COLOURS[0]))
    points = coloured.mark_point(filled=True, size=54, opacity=1).encode(tooltip=tooltip)
    hollow = base.transform_filter(f"!({COMPLETE})").mark_point(filled=True, size=18, opacity=1, color="var(--paper)")
    return alt.layer(coloured.mark_line(strokeWidth=2), points, hollow.encode(tooltip=tooltip))


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

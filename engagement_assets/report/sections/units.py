"""Distances and paces in one unit, which the reader chooses for a section: kilometres or miles.

Belongs here: the filter, and the transforms and axes that follow it. Not here: which distances a section shows.

The tables of a section hold metres, seconds and milliseconds. A pace is time divided by distance, both summed first.
"""

import altair as alt

from engagement_assets.report.figures import Column, Filter
from engagement_assets.report.transforms import Transform, calculate

UNIT_FILTER = Filter("unit", "Distances in", (("km", "kilometres, min/km"), ("mi", "miles, min/mile")))
# The international mile, as the marts have it.
METRES = "(unit === 'mi' ? 1609.344 : 1000)"
UNIT = Column("symbol", "Unit")
# The symbol of the chosen unit in a chart, whose rows have it.
SYMBOL = "(data('rows')[0] || {symbol: ''}).symbol"
DISTANCE = Column("distance", "Distance", "number")
PACE = Column("pace", "Pace (m:ss)")


def in_unit(field: str, metres: str) -> tuple[Transform, ...]:
    """`field`, a distance in the chosen unit, and `symbol`, that of the unit; null where the metres are null."""
    known = f"isValid(datum[{metres!r}]) ? datum[{metres!r}] / {METRES} : null"
    return (calculate(field, known), calculate("symbol", "unit"))


def paced(time: str, distance: str, s_per_m: str = "1") -> tuple[Transform, ...]:
    """`pace_s`, the seconds for one unit of distance, and `pace` as m:ss with the unit; null without a distance.

    Args:
        time: the field with the summed time.
        distance: the field with the summed distance.
        s_per_m: the quotient of both in seconds per metre, if it is 1.
    """
    divisible = f"datum[{distance!r}] > 0 && isValid(datum[{time!r}])"
    return (
        calculate("symbol", "unit"),
        calculate("pace_s", f"{divisible} ? {METRES} * {s_per_m} * datum[{time!r}] / datum[{distance!r}] : null"),
        calculate("pace", f"datum.pace_s === null ? null : {minutes('datum.pace_s')} + ' /' + unit"),
    )


def minutes(seconds: str) -> str:
    """An expression that writes seconds as m:ss."""
    whole = f"round({seconds})"
    return f"format(floor({whole} / 60), 'd') + ':' + format({whole} % 60, '02d')"


# The step between ticks, in seconds, so that about five fit.
_LOW, _HIGH = (f"extent(pluck(data('rows'), 'pace_s'))[{end}]" for end in (0, 1))
_STEP = " : ".join(f"({_HIGH} - {_LOW}) > {4 * step} ? {step}" for step in (240, 120, 60, 30, 15, 10, 5, 2)) + " : 1"
_FROM, _TO = f"floor({_LOW} / ({_STEP})) * ({_STEP})", f"(floor({_HIGH} / ({_STEP})) + 1) * ({_STEP})"


def pace_axis() -> alt.Y:
    """An axis for `pace_s` with m:ss at its ticks; faster is higher."""
    return alt.Y(
        "pace_s:Q",
        scale=alt.Scale(domain=[alt.ExprRef(_FROM), alt.ExprRef(_TO)], reverse=True, nice=False, zero=False),
        axis=alt.Axis(
            title="pace",
            values=alt.ExprRef(f"sequence({_FROM}, {_TO} + 1, {_STEP})"),
            labelExpr=f"{minutes('datum.value')} + ' /' + {SYMBOL}",
        ),
    )


def distance_axis(field: str, title: str) -> alt.Y:
    """An axis for a distance, with the unit at its ticks."""
    return alt.Y(f"{field}:Q", axis=alt.Axis(title=title, tickCount=5, labelExpr=f"datum.label + ' ' + {SYMBOL}"))

"""The booking funnel of the scooter app: what share of the sessions before it each step keeps.

Belongs here: the steps, their dataset and their figure. Not here: what a booking is (the YAML of the marts).
"""

import altair as alt

from engagement_assets.report.figures import AnyChart, Column, Figure
from engagement_assets.report.theme import MEASURE, rows, tip
from engagement_assets.report.transforms import calculate, dataset, divide, fold, keep, label, sums

COUNTS = ["sessions", "searching_sessions", "booked_sessions", "searching_booked_sessions"]
# Sessions that show no sign of looking for a scooter, and those of them that booked.
WITHOUT_LOOKING = (
    calculate("without_looking", "datum.sessions - datum.searching_sessions"),
    calculate("booked_without_looking", "datum.booked_sessions - datum.searching_booked_sessions"),
)
FUNNEL = {
    "sessions": "1 all sessions",
    "searching_sessions": "2 looked for a scooter",
    "searching_booked_sessions": "3 looked, booked",
    "booked_without_looking": "4 did not look, booked",
    "booked_sessions": "5 booked, in all",
}
# What each step is a share of, and its name.
BASES = {
    "sessions": ("sessions", ""),
    "searching_sessions": ("sessions", "all sessions"),
    "searching_booked_sessions": ("searching_sessions", "those who looked"),
    "booked_without_looking": ("without_looking", "those who did not"),
    "booked_sessions": ("sessions", "all sessions"),
}
_BASE = " : ".join(f"datum.step === '{step}' ? datum.{base}" for step, (base, _) in BASES.items()) + " : null"


def funnel_dataset(source: str) -> dict[str, object]:
    """The dataset `funnel`: a row per step, summed over rows with `COUNTS`."""
    return dataset(
        "funnel",
        source,
        sums([], COUNTS),
        *WITHOUT_LOOKING,
        keep("datum.sessions > 0"),
        fold(list(FUNNEL), "step", "count"),
        label("step", FUNNEL, "step_name"),
        label("step", {step: name for step, (_, name) in BASES.items()}, "base_name"),
        calculate("base", _BASE),
        calculate("left_here", "datum.base - datum.count"),
        divide("share_of_base", "count", "base"),
        divide("share", "count", "sessions"),
        calculate("step_label", "datum.step_name + (datum.base_name ? '|of ' + datum.base_name : '')"),
    )


def funnel_figure() -> Figure:
    """The funnel: the sessions of each step in front of those that could have taken it."""
    return Figure(
        "funnel",
        "Booking funnel",
        "Sessions at each step, and how many of those before it are left. Some sessions book without looking, such "
        "as one in which an earlier ride ends after a pause. They are a step of their own, and the reason why "
        "bookings can be a larger share of all sessions than of those that looked.",
        "funnel",
        (
            Column("step_name", "Step"),
            Column("count", "Sessions", "integer"),
            Column("base_name", "Out of"),
            Column("base", "Sessions before", "integer"),
            Column("left_here", "Drop-off", "integer"),
            Column("share_of_base", "Share", "percent"),
            Column("share", "Of all sessions", "percent"),
        ),
        _chart(),
        mart="mobility.weekly_booking_conversion",
    )


def _chart() -> AnyChart:
    # Room for the share next to the longest bar.
    room = alt.Scale(domain=[0, alt.ExprRef("1.25 * extent(pluck(data('rows'), 'count'))[1]")], nice=False)
    base = rows().encode(
        y=alt.Y(
            "step_label:N",
            # Without the number, which is for the order; the second line says what the share is of.
            axis=alt.Axis(title=None, labelExpr="split(slice(datum.label, 2), '|')"),
        )
    )
    tooltip = [
        tip("step_name", "step"),
        tip("count", "sessions", ","),
        tip("base_name", "out of"),
        tip("share_of_base", "share", ".1%"),
        tip("left_here", "drop-off", ","),
        tip("share", "of all sessions", ".1%"),
    ]
    axis = alt.Axis(title="sessions", tickCount=5)
    before = base.mark_bar(fill=MEASURE, fillOpacity=0.15, height={"band": 0.7}).encode(
        x=alt.X("base:Q", scale=room, axis=axis), tooltip=tooltip
    )
    steps = base.mark_bar(fill=MEASURE, fillOpacity=0.85, height={"band": 0.7}).encode(
        x=alt.X("count:Q", scale=room, axis=axis), tooltip=tooltip
    )
    texts = base.mark_text(align="left", dx=5).encode(
        x=alt.X("base:Q", scale=room, axis=axis), text=alt.Text("share_of_base:Q", format=".0%")
    )
    return alt.layer(before, steps, texts).properties(height=alt.Step(46))

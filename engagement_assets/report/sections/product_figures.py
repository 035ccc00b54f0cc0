"""Figures of the product section about what users do and how long they stay.

Belongs here: how event types and the retention by corporation are drawn. Not here: their tables (`product.py`).
"""

import altair as alt

from engagement_assets.report.figures import AnyChart, Column, Figure
from engagement_assets.report.sections.observed import COMPLETE, WEEK
from engagement_assets.report.theme import MEASURE, bars, colour, rows, tip
from engagement_assets.report.transforms import calculate, dataset, divide

RETENTION_DATASET = dataset(
    "corporate_retention",
    "retention",
    divide("retention_rate", "active_users", "users"),
    calculate(
        "corporation_label",
        "format(datum.corporation, '03d') + format(datum.corporation, 'd') + ' · ' + "
        "format(datum.corporation_users, ',') + ' users'",
    ),
)


def event_types_figure() -> Figure:
    """Events by week and type."""
    return Figure(
        "event_types",
        "Event types",
        "Events in the week by their type; the less frequent types are one.",
        "event_types",
        (
            WEEK,
            Column("event_type", "Event type"),
            Column("events", "Events", "integer"),
            Column("users", "Users with one", "integer"),
            COMPLETE,
        ),
        bars(
            rows(),
            y=alt.Y("events:Q", axis=alt.Axis(title="events", tickCount=5)),
            color=colour("event_type", order="place"),
            order=alt.Order("place:Q"),
            tooltip=[
                tip("week", "week of"),
                tip("event_type", "event type"),
                tip("events", "events", ","),
                tip("users", "users with one", ","),
            ],
        ),
    )


def retention_figure() -> Figure:
    """The share of each corporation's users that are active so many weeks after their first."""
    return Figure(
        "corporate_retention",
        "Retention by corporation",
        "Of the users of a corporation, the share that is active so many weeks after their first week there, over "
        "complete weeks. Corporations are numbered by their users and not named.",
        "corporate_retention",
        (
            Column("corporation", "Corporation", "integer"),
            Column("corporation_users", "Its users", "integer"),
            Column("weeks_since", "Weeks later", "integer"),
            Column("users", "Users that long ago", "integer"),
            Column("active_users", "Active users", "integer"),
            Column("retention_rate", "Share", "percent"),
        ),
        _cells(),
        mart="product.weekly_user_event_summary",
        empty="No complete week has been loaded yet.",
    )


def _cells() -> AnyChart:
    base = rows().encode(
        x=alt.X(
            "weeks_since:O",
            axis=alt.Axis(title="weeks later", labelAngle=0, labelOverlap=True, orient="top", grid=False),
        ),
        # Without the number in front, which is for the order.
        y=alt.Y("corporation_label:N", axis=alt.Axis(title=None, grid=False, labelExpr="slice(datum.label, 3)")),
    )
    cells = base.mark_rect(fill=MEASURE, stroke="var(--paper)").encode(
        fillOpacity=alt.FillOpacity("retention_rate:Q", scale=alt.Scale(domain=[0, 1], range=[0.04, 0.6]), legend=None),
        tooltip=[
            tip("corporation", "corporation", "d"),
            tip("weeks_since", "weeks later", "d"),
            tip("users", "users that long ago", ","),
            tip("active_users", "active users", ","),
            tip("retention_rate", "share", ".1%"),
        ],
    )
    texts = base.mark_text(fontSize=11).encode(
        text=alt.Text("retention_rate:Q", format=".0%"),
        # If there is no room for the share, it is in the tooltip and in the table.
        opacity=alt.OpacityValue(0, condition={"test": "bandwidth('x') > 34", "value": 1}),
    )
    return alt.layer(cells, texts).properties(height=alt.Step(24))

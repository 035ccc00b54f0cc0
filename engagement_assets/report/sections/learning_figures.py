"""The learning explorer's datasets and figures, which are the same in both modes.

Belongs here: what is computed from a slice, and how it is drawn. Not here: what a slice is (`learning.py`).
"""

import altair as alt

from engagement_assets.metrics.catalog import (
    COMPLETION_RATE,
    LEARNING_ACTIVE_USERS,
    PLAYED_HOURS,
    PLAYED_HOURS_AS_SENT,
)
from engagement_assets.report.cubes import GRAINS, MEASURES
from engagement_assets.report.figures import Column, Figure
from engagement_assets.report.sections.observed import COMPLETE
from engagement_assets.report.theme import MEASURE, bars, colour, lines, rows, split_bars, tip
from engagement_assets.report.transforms import (
    Field,
    calculate,
    dataset,
    fold,
    keep,
    label,
    look_up,
    rank,
    span,
    sums,
    trend,
    value_of,
)

TOP_VALUES = 15
TOP_ACTIVITIES = 10
# As many values have a colour of their own; more could not be told apart.
SPLIT_VALUES = 5
# The columns that the filters name.
GRAIN, SPLIT = {"signal": "grain"}, {"signal": "split"}
IN_RANGE = "datum.period >= first_period && (last_day === '' || datum.period <= last_day)"
# The same for cells, which have an empty text where they do not count in the grain.
PERIOD_IN_RANGE = "datum[grain] >= (first_period || '0') && (last_day === '' || datum[grain] <= last_day)"
TOTALS = [*MEASURES[:2], "completion_rate", "sent_hours", "capped_hours"]


def single_slice(slices: list[str]) -> list[dict[str, object]]:
    """Signals for distinct users: how many dimensions are filtered, and which one if it is only one."""
    count = " + ".join(f"({name} === '' ? 0 : 1)" for name in slices) or "0"
    name = "".join(f"{each} !== '' ? '{each}' : " for each in slices) + "'all'"
    value = "".join(f"{each} !== '' ? {each} : " for each in slices) + "'all'"
    # A period is shown if it overlaps the dates of the page.
    first = " : ".join(f"grain === '{grain}' ? first_{grain}" for grain in GRAINS)
    return [
        {"name": "first_period", "update": f"{first} : first_day"},
        {"name": "dimensions_set", "update": count},
        {"name": "dimension_name", "update": name},
        {"name": "dimension_value", "update": value},
    ]


def period_datasets(source: str) -> tuple[dict[str, object], ...]:
    """The slice by period, and its totals."""
    hours = (value_of(PLAYED_HOURS_AS_SENT, "sent_hours"), value_of(PLAYED_HOURS, "capped_hours"))
    rate = value_of(COMPLETION_RATE)
    return (
        dataset(
            "by_period",
            source,
            sums([GRAIN], MEASURES),
            calculate("period", "datum[grain]"),
            rate,
            *hours,
            *period_marks(),
        ),
        dataset("totals", "by_period", sums([], MEASURES), rate, *hours, keep("datum.plays > 0")),
        dataset("totals_by_period", "by_period", fold(TOTALS, "part", "of_part")),
        trend("trends", "totals_by_period", "part", "of_part"),
        dataset(
            "time_by_period",
            "by_period",
            fold(["sent_hours", "capped_hours"], "time", "hours"),
            label("time", {"sent_hours": "as sent", "capped_hours": "capped"}, "time_name"),
        ),
    )


def period_marks() -> tuple[dict[str, object], ...]:
    """The bounds of a period of the chosen grain, and whether it is complete."""
    return (
        *span("period", "grain"),
        calculate("key", "grain + '|' + datum.period"),
        look_up("periods", "key", "key", ["is_complete"], False),
    )


def value_datasets(source: str, field: Field = SPLIT) -> tuple[dict[str, object], ...]:
    """The slice by the values of a field with the most plays, and these over time.

    `split_by_period` has these values in `split_value`, and `other` for all the rest; `split_place` is their order.
    """
    value = f"datum[{field['signal']}]" if isinstance(field, dict) else f"datum.{field}"
    return (
        # The one pass over all cells of the slice. By day it still has many rows, so what follows computes nothing for
        # each of them.
        dataset("value_periods", source, sums([GRAIN, field], MEASURES)),
        dataset("values", "value_periods", sums([field], MEASURES), calculate("value", value)),
        dataset(
            "by_value",
            "values",
            value_of(COMPLETION_RATE),
            value_of(PLAYED_HOURS, "capped_hours"),
            rank("place", "plays"),
            keep(f"datum.place <= {TOP_VALUES}"),
            *value_names("value", "split"),
        ),
        dataset(
            "split_values",
            "values",
            {
                "type": "window",
                "ops": ["row_number"],
                "as": ["split_place"],
                "sort": {"field": ["plays", "value"], "order": ["descending", "ascending"]},
            },
            calculate("split_value", f"datum.split_place > {SPLIT_VALUES} ? 'other' : datum.value || 'none'"),
            calculate("split_place", f"min(datum.split_place, {SPLIT_VALUES + 1})"),
        ),
        dataset(
            "split_periods", "value_periods", sums([GRAIN], []), calculate("period", "datum[grain]"), *period_marks()
        ),
        dataset(
            "split_by_period",
            "value_periods",
            look_up("split_values", "value", field, ["split_value", "split_place"]),
            sums([GRAIN, "split_value", "split_place"], MEASURES),
            calculate("period", "datum[grain]"),
            look_up("split_periods", "period", "period", ["at", "until", "is_complete"]),
            *value_names("split_value", "split"),
        ),
    )


def value_names(field: str, dimension: str) -> tuple[dict[str, object], ...]:
    """`value_name`: the country's name if the field is one's code, else the value; `dimension` says what it is."""
    return (
        look_up("countries", "country_code", field, ["country_name"]),
        calculate(
            "value_name",
            f"{dimension} === 'country_code' && isValid(datum.country_name) ? datum.country_name : datum.{field}",
        ),
    )


def ranks() -> tuple[dict[str, object], ...]:
    """Ranks by plays and by capped time, and ratios of the sums."""
    return (
        value_of(COMPLETION_RATE),
        value_of(PLAYED_HOURS_AS_SENT, "sent_hours"),
        value_of(PLAYED_HOURS, "capped_hours"),
        rank("rank_by_plays", "plays"),
        rank("rank_by_played_time", "played_ms"),
    )


def tops(source: str) -> tuple[dict[str, object], ...]:
    """The top ten by plays, and by time; activities of one name are told apart by their ids."""
    labelled = (
        {"type": "joinaggregate", "groupby": ["activity_name"], "ops": ["count"], "as": ["namesakes"]},
        calculate(
            "activity_label",
            "datum.namesakes > 1 ? datum.activity_name + ' (' + datum.activity_id + ')' : datum.activity_name",
        ),
    )
    return (
        dataset("top_by_plays", source, keep(f"datum.rank_by_plays <= {TOP_ACTIVITIES}"), *labelled),
        dataset("top_by_time", source, keep(f"datum.rank_by_played_time <= {TOP_ACTIVITIES}"), *labelled),
    )


# The rows for the one filtered dimension, or for no filter; there are none for two filters or more.
OF_ONE_DIMENSION = (
    "dimensions_set <= 1 && datum.dimension_name === dimension_name && datum.dimension_value === dimension_value"
)


PERIOD = Column("period", "Period from")
PARTS = (
    Column("plays", "Plays", "integer"),
    Column("completed_plays", "Completed", "integer"),
    Column("completion_rate", "Completion rate", "percent"),
)
HOURS = (Column("sent_hours", "Hours as sent", "number"), Column("capped_hours", "Hours, capped", "number"))


def figures(*, by_value: bool) -> tuple[Figure, ...]:
    """Totals; plays, time and completion by period; and the split by a dimension."""
    when = tip("period", "period from")
    mart = "learning.engagement_weekly"
    rate_axis = alt.Y("completion_rate:Q", axis=alt.Axis(title="completed / plays", format=".0%", tickCount=5))
    time_axis = alt.Y("hours:Q", axis=alt.Axis(title="hours", tickCount=5))
    split = Figure(
        "by_value",
        "Plays by the chosen split",
        f"The {TOP_VALUES} values with the most plays; choose the dimension in the filter bar.",
        "by_value",
        (Column("value_name", "Value"), Column("value", "Code or id"), *PARTS, HOURS[1]),
        _ranking("value_name", "plays", "plays", MEASURE),
        mart=mart,
        clicks=(("value", "*split"),),
    )
    split_by_period = Figure(
        "split_by_period",
        "Plays over time by the chosen split",
        f"The {SPLIT_VALUES} values with the most plays, and all others.",
        "split_by_period",
        (PERIOD, Column("value_name", "Value"), Column("split_value", "Code or id"), *PARTS[:2], COMPLETE),
        split_bars("plays", "plays", when, "value_name"),
        mart=mart,
        clicks=(("split_value", "*split"),),
    )
    return (
        Figure(
            "totals",
            "This slice",
            "Sums over everything that matches the filters.",
            "totals",
            (*PARTS, *HOURS),
            trend="trends",
        ),
        Figure(
            "plays",
            "Plays",
            "How often activities were played, completed or not, by period.",
            "by_period",
            (PERIOD, *PARTS, *HOURS, COMPLETE),
            bars(
                rows(),
                y=alt.Y("plays:Q", axis=alt.Axis(title="plays", tickCount=5)),
                color=alt.ColorValue(MEASURE),
                tooltip=[when, tip("plays", "plays", ",")],
            ),
            mart=mart,
        ),
        Figure(
            "completion",
            COMPLETION_RATE.title,
            COMPLETION_RATE.meaning,
            "by_period",
            (PERIOD, *PARTS, COMPLETE),
            lines(
                rows(), rate_axis, [when, tip("completion_rate", "completion rate", ".1%"), tip("plays", "plays", ",")]
            ),
            mart=mart,
        ),
        Figure(
            "time",
            "Time, as sent and capped",
            "Hours as the app sent them, and with each play capped at one hour: a few outliers make up most of the "
            "time as sent.",
            "time_by_period",
            (PERIOD, Column("time_name", "Time"), Column("hours", "Hours", "number"), COMPLETE),
            lines(
                rows(),
                time_axis,
                [when, tip("time_name", "time"), tip("hours", "hours", ",.1f")],
                colour("time_name", ["as sent", "capped"]),
            ),
            mart=mart,
        ),
        *((split, split_by_period) if by_value else ()),
    )


def activity_figures(by_plays: str, by_time: str) -> tuple[Figure, ...]:
    """The top activities by plays and by time, with these summaries."""
    names = (
        Column("activity_name", "Activity"),
        Column("activity_id", "Activity id"),
        Column("activity_type", "Type"),
    )
    none = "Not available for this slice: activities are ranked for all users only. Clear the filters."
    return (
        Figure(
            "top_by_plays",
            "Top activities by plays",
            by_plays,
            "top_by_plays",
            (Column("rank_by_plays", "Place", "integer"), *names, *PARTS, *HOURS),
            _ranking("activity_label", "plays", "plays", MEASURE),
            mart="learning.top_activities",
            empty=none,
        ),
        Figure(
            "top_by_time",
            "Top activities by time",
            by_time,
            "top_by_time",
            (Column("rank_by_played_time", "Place", "integer"), *names, *PARTS, *HOURS),
            _ranking("activity_label", "capped_hours", "hours, capped", MEASURE),
            mart="learning.top_activities",
            empty=none,
        ),
    )


def active_users_figure() -> Figure:
    """Distinct users as computed, never summed."""
    return Figure(
        "active_users",
        "Active users",
        f"{LEARNING_ACTIVE_USERS.meaning} By period, overall or for the one value that is filtered by.",
        "active_users",
        (
            PERIOD,
            Column("dimension_name", "Dimension"),
            Column("value_name", "Value"),
            Column("dimension_value", "Code or id"),
            Column("active_users", "Active users", "integer"),
            COMPLETE,
        ),
        lines(
            rows(),
            alt.Y("active_users:Q", axis=alt.Axis(title="active users", tickCount=5)),
            [tip("period", "period from"), tip("active_users", "active users", ",")],
        ),
        mart="learning.learning_active_users",
        empty=(
            "Not available for this slice: distinct users do not add up, so they are counted overall and for one "
            "filter at a time. Clear the other filters."
        ),
    )


def _ranking(field: str, measure: str, title: str, fill: str) -> alt.Chart:
    chart: alt.Chart = (
        rows()
        .mark_bar(fill=fill, height={"band": 0.75})
        .encode(
            y=alt.Y(f"{field}:N", sort=alt.EncodingSortField(measure, order="descending"), axis=alt.Axis(title=None)),
            x=alt.X(f"{measure}:Q", axis=alt.Axis(title=title, tickCount=5)),
            tooltip=[tip(field, "value"), tip(measure, title, ",.1f" if "hours" in measure else ",")],
        )
        .properties(height=alt.Step(24))
    )
    return chart

"""Vega transforms for the sections' dataflows.

Belongs here: one function per kind of transform. Not here: which transforms a section uses.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from engagement_assets.metrics.definition import Metric

Transform = dict[str, Any]
# A field, or the signal that names it.
Field = str | dict[str, str]
_FIELDS_AT_MOST = 8


def dataset(name: str, source: str, *transforms: Transform) -> dict[str, Any]:
    """A named dataset: the rows of `source` after the transforms."""
    return {"name": name, "source": source, "transform": list(transforms)}


def keep(expression: str) -> Transform:
    """Only rows for which the expression is true."""
    return {"type": "filter", "expr": expression}


def keep_chosen(field: str, signal: str | None = None) -> Transform:
    """Only rows with the value that a filter names, or all rows while it names none.

    Each field has a transform of its own, so that a change of one signal makes Vega evaluate no other.
    """
    signal = signal or field
    return keep(f"{signal} === '' || datum[{field!r}] === {signal}")


def keep_chosen_of_many(fields: Sequence[str], signal: str) -> tuple[Transform, ...]:
    """The same for up to eight fields of many rows, whose texts may be empty but not null.

    Vega keeps each field sorted, and looks only at the rows between the old choice and the new one; an expression would
    be interpreted for every row. `signal` is a name for what Vega keeps.

    Raises:
        ValueError: there are more fields than Vega has bits for; it would ignore the filters of the others.
    """
    if len(fields) > _FIELDS_AT_MOST:
        raise ValueError(f"Vega filters by at most {_FIELDS_AT_MOST} fields at once, not by {', '.join(fields)}")
    if not fields:
        return ()
    # No other text begins with U+FFFF, which is no character.
    queries = [{"signal": f"{each} === '' ? ['', '\\uffff'] : [{each}, {each}]"} for each in fields]
    return (
        {"type": "crossfilter", "fields": list(fields), "query": queries, "signal": signal},
        {"type": "resolvefilter", "filter": {"signal": signal}, "ignore": 0},
        # What follows asks for all rows when its own signals change.
        {"type": "collect"},
    )


def calculate(field: str, expression: str) -> Transform:
    """A field computed from others of its row."""
    return {"type": "formula", "as": field, "expr": expression}


def divide(field: str, parts: str, whole: str, factor: str = "1") -> Transform:
    """A ratio of two sums; null if the divisor is 0 or null."""
    return calculate(field, f"datum[{whole!r}] ? {factor} * datum[{parts!r}] / datum[{whole!r}] : null")


def value_of(metric: Metric, field: str = "") -> Transform:
    """A metric's value from the sums of its parts, which a row has under their names; `field` if it has another name.

    Null if a divisor is 0 or null, or the only part is null.
    """
    field, part = field or metric.name, metric.numerator
    if metric.denominator:
        factor = f"{metric.factor}" if metric.divisor == 1 else f"{metric.factor} / {metric.divisor}"
        return divide(field, part, metric.denominator, factor)
    return calculate(field, f"datum[{part!r}] === null ? null : {metric.factor} * datum[{part!r}] / {metric.divisor}")


def sums(by: Sequence[Field], fields: list[str]) -> Transform:
    """One row per group, with the sums of the fields under the fields' names."""
    return {"type": "aggregate", "groupby": list(by), "ops": ["sum"] * len(fields), "fields": fields, "as": fields}


def fold(fields: list[str], key: str, value: str) -> Transform:
    """One row per field, with its name in `key` and its value in `value`."""
    return {"type": "fold", "fields": fields, "as": [key, value]}


def rank(field: str, by: str) -> Transform:
    """The place of a row by a field, 1 for the largest value; ties share a place."""
    return {"type": "window", "ops": ["rank"], "as": [field], "sort": {"field": [by], "order": ["descending"]}}


def trend(name: str, source: str, by: str, value: str) -> dict[str, Any]:
    """The newest complete period of each value of `by`, its change from the period before, and the range of all.

    `source` has one row per period and value of `by`, with the marks of periods. The result has one row per value of
    `by`: `value`, `change` and `difference` (null unless the period right before is complete, too), `low`, `high`,
    `periods` (how many) and `history` (all rows, in order). Incomplete periods count only if there are no others.
    """
    return dataset(
        name,
        source,
        calculate("value", f"datum[{value!r}]"),
        keep("isValid(datum.value)"),
        calculate("completed", "datum.is_complete ? 1 : 0"),
        {
            "type": "joinaggregate",
            "groupby": [by],
            "ops": ["max"],
            "fields": ["completed"],
            "as": ["any_completed"],
        },
        keep("datum.completed === datum.any_completed"),
        {"type": "collect", "sort": {"field": "at"}},
        {
            "type": "window",
            "groupby": [by],
            "sort": {"field": ["at"]},
            "ops": ["lag", "lag"],
            "fields": ["value", "until"],
            "as": ["previous", "previous_until"],
        },
        {
            "type": "joinaggregate",
            "groupby": [by],
            "ops": ["min", "max", "max", "count", "values"],
            "fields": ["value", "value", "at", "value", "value"],
            "as": ["low", "high", "newest_at", "periods", "history"],
        },
        keep("datum.at === datum.newest_at"),
        calculate(
            "change",
            "datum.previous && datum.previous_until === datum.at ? datum.value / datum.previous - 1 : null",
        ),
        calculate("difference", "datum.change === null ? null : datum.value - datum.previous"),
    )


def look_up(table: str, key: str, by: Field, values: list[str], default: Any = None) -> Transform:
    """Fields from the row of `table` whose `key` equals this row's `by`."""
    return {"type": "lookup", "from": table, "key": key, "fields": [by], "values": values, "default": default}


def label(field: str, labels: Mapping[str, str], target: str) -> Transform:
    """The words for a code."""
    cases = " : ".join(f"datum[{field!r}] === {code!r} ? {words!r}" for code, words in labels.items())
    return calculate(target, f"{cases} : datum[{field!r}]")


def span(field: str, unit: str = "'week'") -> tuple[Transform, Transform]:
    """`at` and `until`: the bounds of the period that begins on the day in `field`, in epoch milliseconds UTC."""
    return (
        calculate("at", f"time(toDate(datum[{field!r}]))"),
        calculate("until", f"time(utcOffset({unit}, toDate(datum[{field!r}]), 1))"),
    )

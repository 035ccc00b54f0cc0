"""Vega transforms for the sections' dataflows.

Belongs here: one function per kind of transform. Not here: which transforms a section uses.
"""

from typing import Any

Transform = dict[str, Any]


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


def calculate(field: str, expression: str) -> Transform:
    """A field computed from others of its row."""
    return {"type": "formula", "as": field, "expr": expression}


def divide(field: str, parts: str, whole: str, factor: str = "1") -> Transform:
    """A ratio of two sums; null if the divisor is 0 or null."""
    return calculate(field, f"datum[{whole!r}] ? {factor} * datum[{parts!r}] / datum[{whole!r}] : null")


def sums(by: list[str], fields: list[str]) -> Transform:
    """One row per group, with the sums of the fields under the fields' names."""
    return {"type": "aggregate", "groupby": by, "ops": ["sum"] * len(fields), "fields": fields, "as": fields}


def fold(fields: list[str], key: str, value: str) -> Transform:
    """One row per field, with its name in `key` and its value in `value`."""
    return {"type": "fold", "fields": fields, "as": [key, value]}


def rank(field: str, by: str) -> Transform:
    """The place of a row by a field, 1 for the largest value; ties share a place."""
    return {"type": "window", "ops": ["rank"], "as": [field], "sort": {"field": [by], "order": ["descending"]}}


def look_up(table: str, key: str, by: str, values: list[str], default: Any = None) -> Transform:
    """Fields from the row of `table` whose `key` equals this row's `by`."""
    return {"type": "lookup", "from": table, "key": key, "fields": [by], "values": values, "default": default}


def label(field: str, labels: dict[str, str], target: str) -> Transform:
    """The words for a code."""
    cases = " : ".join(f"datum[{field!r}] === {code!r} ? {words!r}" for code, words in labels.items())
    return calculate(target, f"{cases} : datum[{field!r}]")


def span(field: str, unit: str = "'week'") -> tuple[Transform, Transform]:
    """`at` and `until`: the bounds of the period that begins on the day in `field`, in epoch milliseconds UTC."""
    return (
        calculate("at", f"time(toDate(datum[{field!r}]))"),
        calculate("until", f"time(utcOffset({unit}, toDate(datum[{field!r}]), 1))"),
    )

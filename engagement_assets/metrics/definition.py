"""What a metric is: sums of parts over the rows of a table, and one division at the end.

Belongs here: the shape of a definition, and what can be told of one by itself. Not here: the metrics (`catalog.py`),
or how one is queried (`question.py`).

A value is computed from sums of its parts, over all rows of a period and a slice. Nothing here averages ratios or adds
up distinct counts: what cannot be counted from the rows of the table is not among its grains and dimensions.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

Grain = Literal["day", "week", "month"]
GRAINS: tuple[Grain, ...] = ("day", "week", "month")
Unit = Literal["users", "accounts", "hours", "share", "events per user", "events per user and day", "s/km", "km"]
# As of all assets.
OWNER = "team:engagement-data"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class MetricTable:
    """The rows that metrics count and sum.

    Attributes:
        name: what docs call it.
        marts: the published tables that it needs, `schema.table`.
        rows: SQL that stands after `from`, given the tables of the published copy.
        dimensions: by what a metric can be split; of each name the SQL of its values.
        day: SQL of the day that dates a row; empty if rows have no date.
        grains: the periods whose rows can be counted; none without a day.
        limit: why there are no other grains, as a sentence; empty if there are all.
        always_by: the dimensions by which every answer is split, because rows of several values cannot be added up.
        source: SQL of the source whose loads say which periods are complete; it may read `always_by`.
        is_complete: SQL of an aggregate that says so instead.
    """

    name: str
    marts: tuple[str, ...]
    rows: Callable[[Collection[str]], str]
    dimensions: Mapping[str, str] = field(hash=False)
    day: str = ""
    grains: tuple[Grain, ...] = ()
    limit: str = ""
    always_by: tuple[str, ...] = ()
    source: str = ""
    is_complete: str = ""

    def __post_init__(self) -> None:
        """Check that the parts of the description agree.

        Raises:
            ValueError: they do not.
        """
        if bool(self.day) != bool(self.grains) or bool(self.day) != bool(self.source or self.is_complete):
            raise ValueError(f"{self.name}: expected a day with grains and completeness, or none of the three")
        if set(self.grains) != set(GRAINS) and not self.limit:
            raise ValueError(f"{self.name}: expected a sentence on why there are not all grains")
        if unknown := set(self.always_by) - self.dimensions.keys():
            raise ValueError(f"{self.name}: expected dimensions in always_by, found {', '.join(sorted(unknown))}")
        _check_names(self.name, self.dimensions)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number that people speak of: `numerator / denominator`, times `factor` and by `divisor`.

    Attributes:
        name: by which it is asked for, and the column of its values.
        title: what charts and docs call it.
        meaning: one or two sentences; the first is a phrase without a verb that says what is counted or divided.
        unit: of the value.
        table: the rows.
        parts: of each part the SQL of its aggregate.
        numerator: the part above the line, or the only one.
        denominator: the part below it; a value is NULL where it is 0 or NULL.
        factor: makes the unit from those of the parts, as 1000 makes milliseconds of seconds.
        divisor: likewise.
        caution: what else to know before the values are used; empty if nothing.
        owner: the team that answers for it.
    """

    name: str
    title: str
    meaning: str
    unit: Unit
    table: MetricTable
    parts: Mapping[str, str] = field(hash=False)
    numerator: str
    denominator: str = ""
    factor: int = 1
    divisor: int = 1
    caution: str = ""
    owner: str = OWNER

    def __post_init__(self) -> None:
        """Check that the formula is about the parts.

        Raises:
            ValueError: it is not.
        """
        used = {self.numerator, *([self.denominator] if self.denominator else [])}
        if used != self.parts.keys():
            raise ValueError(
                f"{self.name}: expected the parts {', '.join(sorted(used))}, found {', '.join(self.parts)}"
            )
        columns = {*self.table.grains, *self.table.dimensions, "is_complete"}
        if taken := columns & {self.name, *self.parts}:
            raise ValueError(f"{self.name}: {', '.join(sorted(taken))} is the name of another column of its answers")
        if self.name in self.parts and self.formula != self.name:
            raise ValueError(f"{self.name} is the name of one of its parts, and not the same as this part")
        _check_names(self.name, (self.name, *self.parts))

    @property
    def formula(self) -> str:
        """For people: `completed_plays / plays`."""
        factor = f"{self.factor} * " if self.factor != 1 else ""
        denominator = f" / {self.denominator}" if self.denominator else ""
        return f"{factor}{self.numerator}{denominator}{f' / {self.divisor}' if self.divisor != 1 else ''}"

    @property
    def told(self) -> str:
        """The meaning, and the caution."""
        return f"{self.meaning} {self.caution}".strip()

    @property
    def value(self) -> str:
        """SQL of the value over columns with the names of the parts."""
        if self.formula == self.numerator:
            return self.numerator
        factor = f"{self.factor}.0 * " if self.factor != 1 else ""
        denominator = f" / nullif({self.denominator}, 0)" if self.denominator else ""
        divisor = f" / {self.divisor}" if self.divisor != 1 else ""
        return f"{factor}cast({self.numerator} as double){denominator}{divisor}"


def _check_names(where: str, names: Collection[str]) -> None:
    if wrong := [name for name in names if not _NAME.fullmatch(name)]:
        raise ValueError(f"{where}: expected names of small letters, digits and _, found {', '.join(wrong)}")

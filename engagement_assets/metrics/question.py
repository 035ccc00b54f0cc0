"""A metric, asked by dimensions and periods: what is refused, and the query that answers.

Belongs here: both. Not here: the definitions (`catalog.py`), or running the query (`commands/`).

Periods are whole: an answer holds those that overlap the days asked for, as the report does, and says which of them are
complete. A part of a week would look like a bad week.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from engagement_assets.metrics.catalog import METRICS
from engagement_assets.metrics.definition import GRAINS, Grain, Metric
from engagement_assets.metrics.observed_periods import observed_periods_sql
from engagement_assets.near_names import is_meant, near_names


@dataclass(frozen=True)
class Question:
    """A metric that can be answered; `by` has the dimensions that are always there, too.

    Without a `grain` rows have no date. `first` and `last` are days, included; None is no limit.
    """

    metric: Metric
    by: tuple[str, ...]
    grain: Grain | None
    first: date | None
    last: date | None


class QuestionError(ValueError):
    """A question that no right number answers; `sentences` has one for each reason."""

    def __init__(self, *sentences: str) -> None:
        """Take the reasons."""
        super().__init__("; ".join(sentences))
        self.sentences = sentences


def question(
    name: str, by: Sequence[str] = (), grain: str = "", first: date | None = None, last: date | None = None
) -> Question:
    """The question, by week if it names no grain and the metric has dates.

    Raises:
        QuestionError: there is no such metric or dimension, or the metric cannot be counted this way.
    """
    if name not in METRICS:
        near = near_names(name, METRICS)
        meant = is_meant(near) if near else f"expected one of {', '.join(METRICS)}"
        raise QuestionError(f"there is no metric {name!r}; {meant}")
    metric = METRICS[name]
    if refused := [*_refused_dimensions(metric, by), *_refused_periods(metric, grain, first, last)]:
        raise QuestionError(*refused)
    table = metric.table
    default: Grain | None = "week" if table.grains else None
    chosen = next((each for each in table.grains if each == grain), default)
    return Question(metric, tuple(dict.fromkeys((*table.always_by, *by))), chosen, first, last)


def _refused_dimensions(metric: Metric, by: Sequence[str]) -> Iterator[str]:
    known = metric.table.dimensions
    for name in by:
        if name not in known:
            near = near_names(name, known)
            meant = is_meant(near) if near else f"expected one of {', '.join(known)}"
            yield f"{metric.name} has no dimension {name!r}; {meant}"


def _refused_periods(metric: Metric, grain: str, first: date | None, last: date | None) -> Iterator[str]:
    table = metric.table
    if not table.grains:
        if grain or first or last:
            yield f"{metric.name} has no dates ({table.limit}): leave out grain and days"
        return
    if grain and grain not in GRAINS:
        yield f"{grain!r} is no grain; expected one of {', '.join(table.grains)}"
    elif grain and grain not in table.grains:
        yield f"{metric.name} cannot be counted by {grain}: {table.limit}; expected {' or '.join(table.grains)}"
    if first and last and last < first:
        yield f"the first day must not lie after the last, found {first} and {last}"


def needed_tables(asked: Question, published: Collection[str]) -> list[str]:
    """The tables that an answer needs and the published copy lacks."""
    loads = ["audit.ingestion_loads"] if asked.metric.table.source else []
    return [table for table in (*asked.metric.table.marts, *loads) if table not in published]


def sql_of(asked: Question, published: Collection[str]) -> str:
    """A query on the published copy, whose tables are given.

    Its columns: the period's first day (`day`, `week` or `month`), the dimensions, the value, its parts, and
    `is_complete`. Rows are in the order of the first two.
    """
    metric, table = asked.metric, asked.metric.table
    dimensions = [f'{table.dimensions[name]} as "{name}"' for name in asked.by]
    parts = [f'{sql} as "{name}"' for name, sql in metric.parts.items()]
    shown = [*asked.by, f'{metric.value} as "{metric.name}"', *(name for name in metric.parts if name != metric.name)]
    if asked.grain is None:
        counted = f"select {', '.join([*dimensions, *parts])} from {table.rows(published)} group by all"
        # No rows at all would be one of NULLs.
        counted += " having count(*) > 0"
        return f"select {', '.join(shown)} from ({counted}) as counted order by {_order(asked.by)}"
    period = f"cast(date_trunc('{asked.grain}', {table.day}) as date)"
    bounds = [f"{table.day} is not null"]
    if asked.first:
        bounds.append(f"{table.day} >= date '{_start(asked.grain, asked.first)}'")
    if asked.last:
        bounds.append(f"{period} <= date '{asked.last}'")
    completeness = [f"{table.is_complete} as is_complete"] if table.is_complete else []
    counted = (
        f"select {', '.join([f'{period} as period', *dimensions, *parts, *completeness])} from {table.rows(published)} "
        f"where {' and '.join(bounds)} group by all"
    )
    columns = f'counted.period as "{asked.grain}", {", ".join(shown)}'
    order = _order(("period", *asked.by))
    if table.is_complete:
        return f"select {columns}, is_complete from ({counted}) as counted order by {order}"
    return f"""
        with counted as ({counted}),
        observed as (
            select source as observed_source, period as observed_period, is_complete as observed_whole
            from ({observed_periods_sql([asked.grain])})
        )
        select {columns}, coalesce(observed_whole, false) as is_complete
        from counted left join observed on observed_period = period and observed_source = {table.source}
        order by {order}
    """


def _start(grain: Grain, day: date) -> date:
    """The first day of the period that holds the day."""
    if grain == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if grain == "week" else day


def _order(names: Sequence[str]) -> str:
    return ", ".join(f"{name} nulls last" for name in names) or "1"

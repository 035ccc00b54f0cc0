"""Whether a week's statistic lies within the interval that the weeks before it give.

Belongs here: the comparison, for any dataset and statistic. Not here: which statistics a source has (the source's
module in `assets/`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import fmean, stdev

from engagement_assets.checks.outcome import CheckOutcome, Finding
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.load_checks import CheckDefinition
from engagement_assets.lake.day_files import day_file, rows_of
from engagement_assets.lake.load import Load

# 90 % of a normal distribution lie within so many standard deviations of the mean.
MAX_Z = 1.645
MIN_WEEKS = 8
# A year: older weeks say little about now, and their files need not be opened.
WEEKS_OF_HISTORY = 52
# The least deviation, relative to the mean: rounding gives equal values one of about 1e-16.
MIN_RELATIVE_DEVIATION = 1e-9
WEEK = timedelta(weeks=1)


@dataclass(frozen=True)
class WeeklyStatistic:
    """A number per week: an SQL aggregate over a dataset's rows, NULL for a week without rows.

    `where` says which rows count. `noun` names the number in a sentence.
    """

    check: CheckDefinition
    dataset: Dataset
    aggregate: str
    where: str
    noun: str


@dataclass(frozen=True)
class Interval:
    """The interval in which a statistic is expected, from the weeks before."""

    mean: float
    deviation: float
    weeks: int

    def z(self, value: float) -> float:
        """By how many deviations a value lies above the mean."""
        return (value - self.mean) / self.deviation if value != self.mean else 0.0

    def contains(self, value: float) -> bool:
        """Whether a value lies in the interval, limits included."""
        z = abs(self.z(value))
        return z <= MAX_Z or math.isclose(z, MAX_Z, rel_tol=1e-9)


def weekly_statistic_as_expected(load: Load, statistic: WeeklyStatistic, own_days: Sequence[date]) -> CheckOutcome:
    """The statistic of each complete week of the load is within the interval of the complete weeks before it.

    A week is complete if it had ended when the load began, and all its days are staged or in the lake. A week with one
    of the run's `own_days` is judged as it is. A week that was only read again does not fail if the week in the lake
    fails too: that has been reported, or let through. All staged days of a failing week fail, since no single one is to
    blame.
    """
    first_week = _monday(load.days[0])
    first = first_week - WEEKS_OF_HISTORY * WEEK
    in_lake = {day for day in load.lake.days(statistic.dataset) if first <= day < _monday(load.days[-1]) + WEEK}
    ended = [first + number * WEEK for number in range((load.started_at.date() - first).days // 7)]
    new_weeks = _complete(ended, in_lake | set(load.days))
    values = _values(load, statistic, new_weeks, in_lake, staged=True)
    own_weeks = {_monday(day) for day in own_days}
    read_again = [week for week in new_weeks if week >= first_week and week not in own_weeks]
    published = _values(load, statistic, _complete(ended, in_lake), in_lake, staged=False) if read_again else {}
    findings: dict[date, Finding] = {}
    without_history = []
    weeks_judged = 0
    for week in new_weeks:
        if week < first_week or values[week] is None:
            continue
        weeks_judged += 1
        interval = _interval(values, week)
        if interval is None:
            without_history.append(week)
        elif not interval.contains(values[week] or 0) and (
            week in own_weeks or week not in published or _is_as_expected(published, week)
        ):
            finding = _finding(statistic, week, values[week] or 0, interval)
            findings |= {day: finding for day in load.days if _monday(day) == week}
    note = None
    if without_history:
        note = f"not enough history for the week of {without_history[0]}: {MIN_WEEKS} complete weeks before are needed"
    elif not weeks_judged:
        note = "no complete week to judge"
    return CheckOutcome(statistic.check, statistic.dataset, findings, {"weeks_judged": weeks_judged}, note)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _complete(weeks: Sequence[date], days: set[date]) -> list[date]:
    return [week for week in weeks if all(week + timedelta(days=number) in days for number in range(7))]


def _values(
    load: Load, statistic: WeeklyStatistic, weeks: Sequence[date], in_lake: set[date], *, staged: bool
) -> dict[date, float | None]:
    """The statistic of each week, from what the lake holds, or will hold once the load is published (`staged`)."""
    lake_days = in_lake - set(load.days) if staged else in_lake
    keys = (load.lake.day_key(statistic.dataset, day) for day in sorted(lake_days))
    files = [load.lake.location(key) for key in keys]
    if staged:
        files += [str(day_file(load.staging / statistic.dataset.key, day)) for day in load.days]
    rows = load.connection.execute(
        f"""
        select weeks.week, {statistic.aggregate}
        from (select unnest($weeks::date[]) as week) as weeks
        left join (
            select * from {rows_of(files, statistic.dataset.columns)} where {statistic.where}
        ) as data on weeks.week = cast(date_trunc('week', data.day) as date)
        group by weeks.week
        order by weeks.week
        """,
        {"weeks": list(weeks)},
    ).fetchall()
    return dict(rows)


def _interval(values: Mapping[date, float | None], week: date) -> Interval | None:
    """The interval for a week; None with fewer than eight values before it."""
    earlier = [float(value) for other, value in values.items() if other < week and value is not None]
    earlier = earlier[-WEEKS_OF_HISTORY:]
    if len(earlier) < MIN_WEEKS:
        return None
    mean = fmean(earlier)
    smallest = max(MIN_RELATIVE_DEVIATION * abs(mean), MIN_RELATIVE_DEVIATION)
    return Interval(mean, max(stdev(earlier), smallest), len(earlier))


def _is_as_expected(values: Mapping[date, float | None], week: date) -> bool:
    value, interval = values[week], _interval(values, week)
    return value is None or interval is None or interval.contains(float(value))


def _finding(statistic: WeeklyStatistic, week: date, value: float, interval: Interval) -> Finding:
    low, high = (interval.mean + sign * MAX_Z * interval.deviation for sign in (-1, 1))
    return Finding(
        f"the week of {week} has {value:.6g} {statistic.noun}, expected {low:.6g} to {high:.6g} "
        f"(z {interval.z(value):.2f}, from {interval.weeks} weeks before)",
        statistic.check.severity,
        observed=round(value, 6),
        expected=f"{low:.6g} to {high:.6g}",
    )

"""Whether a day has about as many rows as the same weekday in the weeks before.

Belongs here: the comparison by median and deviation. Not here: where the numbers of earlier days come from (see
`lake/load_records.py`).
"""

import math
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from statistics import median

from engagement_assets.checks.outcome import CheckOutcome, Finding
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.load_checks import VOLUME_AS_EXPECTED
from engagement_assets.lake.lake import WHOLE_DATASET_DAY
from engagement_assets.lake.load_records import DayCounts, LoadHistory, PublishedDay

WEEKS_OF_HISTORY = 8
# Fewer values may be close together by chance, so their deviation says little.
MIN_WEEKS = 6
# The standard deviation of a normal distribution is its median absolute deviation times this.
NORMAL_DEVIATIONS_PER_MAD = 1.4826
MAX_DEVIATIONS = 3
# The least deviation, as a share of the median: otherwise a single extra row would fail in a series that never changed.
MIN_RELATIVE_DEVIATION = 0.1


def rows_in_day(day: DayCounts | PublishedDay) -> int:
    """All rows of a day; in an event log also those of earlier loads."""
    return day.staged_rows if isinstance(day, DayCounts) else day.rows_in_day


def rows_of_load(day: DayCounts | PublishedDay) -> int:
    """The rows that the load itself accepted, for a day that grows with each observation."""
    return day.accepted


def volume_as_expected(
    dataset: Dataset,
    counts: Sequence[DayCounts],
    history: LoadHistory,
    today: date,
    volume_of: Callable[[DayCounts | PublishedDay], int],
) -> CheckOutcome:
    """The volume of each day that has ended is within three deviations of the median of the same weekday before it.

    Up to eight weeks are compared, also ones of this load. With fewer than six the day passes, and the note says so.
    A dataset without days is compared with its loads on the same weekday.
    """
    series = {day: volume_of(published) for day, published in history.days.get(dataset.key, {}).items()}
    loaded = {(today if day.day == WHOLE_DATASET_DAY else day.day): day for day in counts}
    series |= {day: volume_of(counted) for day, counted in loaded.items()}
    findings = {}
    without_history = []
    for day, counted in loaded.items():
        if dataset.partitioned and day >= today:
            continue
        same_weekday = (day - timedelta(weeks=weeks) for weeks in range(1, WEEKS_OF_HISTORY + 1))
        earlier = [series[other] for other in same_weekday if other in series]
        if len(earlier) < MIN_WEEKS:
            without_history.append(day)
            continue
        middle, tolerance = _expected(earlier)
        volume = series[day]
        if abs(volume - middle) > tolerance:
            low, high = max(math.ceil(middle - tolerance), 0), math.floor(middle + tolerance)
            findings[counted.day] = Finding(
                f"{volume:,} rows, expected {low:,} to {high:,}: the median of {len(earlier)} {day:%A}s before is "
                f"{middle:,.10g}",
                VOLUME_AS_EXPECTED.severity,
                observed=volume,
                expected=f"{low:,} to {high:,}",
            )
    note = None
    if without_history:
        note = f"not enough history for {len(without_history)} of {len(loaded)} days: {MIN_WEEKS} weeks are needed"
    figures = {"days_judged": len(loaded) - len(without_history)}
    return CheckOutcome(VOLUME_AS_EXPECTED, dataset, findings, figures, note)


def _expected(earlier: Sequence[int]) -> tuple[float, float]:
    """The median of the values, and how far from it a value may be."""
    middle = median(earlier)
    deviation = NORMAL_DEVIATIONS_PER_MAD * median(abs(value - middle) for value in earlier)
    # Counts of independent events vary by their square root, even if a few weeks happened to be alike.
    scatter = max(math.sqrt(middle), 1)
    return middle, MAX_DEVIATIONS * max(deviation, MIN_RELATIVE_DEVIATION * middle, scatter)

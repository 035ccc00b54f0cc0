"""Parameters and seeded draws of the sample data: the same seed gives the same values everywhere.

Belongs here: where randomness comes from and when a rare event is due. Not here: what is drawn (one module per source
beside this one).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

PER = 100_000
# A day with fewer records has no broken ones, so that one broken record never makes up 5 % of a day.
SMALLEST_DAY_WITH_BROKEN = 25


@dataclass(frozen=True)
class SampleParameters:
    """Everything that the sample data depends on; what is in a day never depends on `days`."""

    seed: int
    start: date
    days: int
    runna_activities_per_day: int
    lingokids_events_per_day: int
    mobile_events_per_day: int = 200

    def day(self, index: int) -> date:
        """Day number `index`: 0 is the start, and days before it are negative."""
        return self.start + timedelta(days=index)

    def stream(self, *names: str) -> Random:
        """A generator of its own for these `names`, so that one day's draws never shift those of another."""
        text = ":".join((str(self.seed), *names))
        return Random(text)


def happens(draw: Random, share: float) -> bool:
    """True in `share` of the draws."""
    return draw.random() < share


def due(index: int, per_day: int, rate: int) -> range:
    """Serial numbers of the rare events due on day `index` (from 0), at `rate` in 100,000 records.

    They follow a schedule, not chance: every kind of defect appears, and none piles up.
    """
    return range(index * per_day * rate // PER, (index + 1) * per_day * rate // PER)


def broken_due(index: int, per_day: int, rate: int) -> range:
    """As `due`, but none on a day so small that one broken record would be a large part of it."""
    return due(index, per_day, rate) if per_day >= SMALLEST_DAY_WITH_BROKEN else range(0)

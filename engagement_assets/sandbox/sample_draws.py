"""Parameters and seeded draws of the sample data: the same seed gives the same values everywhere.

Belongs here: where randomness comes from and when a rare thing is due. Not here: what is drawn
(one module per source beside this one).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

PER = 100_000
# A day of fewer records has none broken, so that one broken record never reaches 5 % of a day.
SMALLEST_DAY_WITH_BROKEN = 25


@dataclass(frozen=True)
class SampleParameters:
    """What the sample data depends on: nothing else does, and day k never depends on `days`."""

    seed: int
    start: date
    days: int
    runna_activities_per_day: int
    lingokids_events_per_day: int
    mobile_events_per_day: int = 200

    def day(self, index: int) -> date:
        """Day number `index`, from 0; negative before the start."""
        return self.start + timedelta(days=index)

    def stream(self, *names: str) -> Random:
        """A generator for what `names` say alone: one day's draws never shift another's."""
        text = ":".join((str(self.seed), *names))
        return Random(text)


def happens(draw: Random, share: float) -> bool:
    """True in `share` of the draws."""
    return draw.random() < share


def due(index: int, per_day: int, rate: int) -> range:
    """Serial numbers of the rare things due on day `index` (from 0), at `rate` in 100,000 records.

    Drawn from a schedule instead of by chance: each kind of defect turns up, and none piles up.
    """
    return range(index * per_day * rate // PER, (index + 1) * per_day * rate // PER)


def broken_due(index: int, per_day: int, rate: int) -> range:
    """As `due`, but none where a day is so small that one broken record is a large part of it."""
    return due(index, per_day, rate) if per_day >= SMALLEST_DAY_WITH_BROKEN else range(0)

"""What the sample data holds, counted while it is written: the numbers that the tables must show.

Belongs here: the ledger and how it is kept. Not here: what is written (one module per source beside this one).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType


@dataclass(frozen=True)
class DayTally:
    """Records of one dataset of days, by outcome: records = accepted + broken + duplicates.

    `day` is the partition day, or None for the sum of all days. For Runna it is the batch date; for Lingokids and
    mobile events it is the UTC day of the event, and for a broken line the day of its file. `broken` counts records by
    the name of their defect. A record is a duplicate if another record of its day has the same id, in whichever file.
    """

    dataset: str
    day: date | None
    records: int
    broken: Mapping[str, int]
    duplicates: int
    accepted: int

    @property
    def broken_count(self) -> int:
        """Broken records of every kind."""
        return sum(self.broken.values())


@dataclass(frozen=True)
class SampleLedger:
    """Everything that was written: `days` sorted by dataset and day, without days that have no records."""

    days: tuple[DayTally, ...]

    def day(self, dataset: str, day: date) -> DayTally:
        """The tally of one dataset and day; all zero if nothing was written for it."""
        for tally in self.days:
            if tally.dataset == dataset and tally.day == day:
                return tally
        return DayTally(dataset, day, 0, MappingProxyType({}), 0, 0)

    def total(self, dataset: str) -> DayTally:
        """The sum of a dataset's days, with `day` None; `accepted` counts an id once per day."""
        tallies = [tally for tally in self.days if tally.dataset == dataset]
        broken: Counter[str] = Counter()
        for tally in tallies:
            broken.update(tally.broken)
        return DayTally(
            dataset,
            None,
            sum(tally.records for tally in tallies),
            MappingProxyType(dict(sorted(broken.items()))),
            sum(tally.duplicates for tally in tallies),
            sum(tally.accepted for tally in tallies),
        )


class LedgerKeeper:
    """Counts the records while the generators yield them."""

    def __init__(self) -> None:
        """Nothing counted yet."""
        self._ids: dict[tuple[str, date], Counter[str]] = {}
        self._broken: dict[tuple[str, date], Counter[str]] = {}

    def usable(self, dataset: str, day: date, identity: str) -> None:
        """Count a usable record: accepted if it is the first with this id on its day, else a duplicate."""
        self._ids.setdefault((dataset, day), Counter())[identity] += 1

    def broken(self, dataset: str, day: date, defect: str) -> None:
        """Count an unusable record."""
        self._broken.setdefault((dataset, day), Counter())[defect] += 1

    def ledger(self) -> SampleLedger:
        """What has been counted so far."""
        places = sorted(self._ids.keys() | self._broken.keys())
        return SampleLedger(tuple(self._tally(*place) for place in places))

    def _tally(self, dataset: str, day: date) -> DayTally:
        ids = self._ids.get((dataset, day), Counter())
        broken = self._broken.get((dataset, day), Counter())
        return DayTally(
            dataset,
            day,
            ids.total() + broken.total(),
            MappingProxyType(dict(sorted(broken.items()))),
            ids.total() - len(ids),
            len(ids),
        )

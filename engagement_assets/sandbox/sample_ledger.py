"""What the sample data holds, counted while it is written: the figures that tables must repeat.

Belongs here: the ledger and how it is kept. Not here: what is written (one module per source
beside this one).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType


@dataclass(frozen=True)
class DayTally:
    """Records of one dataset and day, by outcome: records = accepted + broken + duplicates.

    `day` is the partition day: the batch date for Runna; for Lingokids events the UTC day of
    `occurred_at`, for mobile events that of `created_at`, for a broken line of both that of the file;
    None for a dataset without days. `broken`
    counts by the defect's name, which says what was done to the record. A record whose id another
    record of its day holds is a duplicate, in whichever file it lies. Laps and steps are those of
    accepted files, each file once; steps are counted with repeats written out.
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
    """Everything that was written: `days` sorted by dataset and day, days without a record absent.

    `accepted_ids` maps a dataset to its distinct accepted ids over all days; an activity that was
    sent again in a later batch is accepted on both days and is one id here. A mobile event is sent
    without an id: its values, as sent and parted by `;`, stand for it.
    """

    days: tuple[DayTally, ...]
    accepted_ids: Mapping[str, frozenset[str]]

    def day(self, dataset: str, day: date | None) -> DayTally:
        """The tally of one dataset and day; zeros when nothing was written for it."""
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
    """Counts records as the generators hand them out."""

    def __init__(self) -> None:
        """Nothing counted yet."""
        self._ids: dict[tuple[str, date | None], Counter[str]] = {}
        self._broken: dict[tuple[str, date | None], Counter[str]] = {}

    def usable(self, dataset: str, day: date | None, identity: str) -> None:
        """Count a record that can be used: the first one of its id and day, else a duplicate."""
        self._ids.setdefault((dataset, day), Counter())[identity] += 1

    def broken(self, dataset: str, day: date | None, defect: str) -> None:
        """Count a record that cannot be used."""
        self._broken.setdefault((dataset, day), Counter())[defect] += 1

    def ledger(self) -> SampleLedger:
        """What has been counted so far."""
        places = sorted(
            self._ids.keys() | self._broken.keys(),
            key=lambda place: (place[0], place[1] or date.min),
        )
        accepted: dict[str, set[str]] = {}
        for (dataset, _), ids in self._ids.items():
            accepted.setdefault(dataset, set()).update(ids)
        return SampleLedger(
            days=tuple(self._tally(*place) for place in places),
            accepted_ids=MappingProxyType({dataset: frozenset(ids) for dataset, ids in sorted(accepted.items())}),
        )

    def _tally(self, dataset: str, day: date | None) -> DayTally:
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

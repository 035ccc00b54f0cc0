"""Which days the files of the landing zone touch that have arrived since these days were loaded.

Belongs here: comparing arrivals with loads, for files that may hold any day. Not here: folders that are named by their
day (`batch_folder.py`), when a day was loaded (the lake's business), what becomes of a touched day
(`orchestration/sensors/landing_files.py`).

A file that may hold any day is scanned once, only for its days. The index that loads use remembers them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from engagement_assets.contracts.extraction import Calendar
from engagement_assets.extract.landing.event_files import home_in_file
from engagement_assets.extract.landing.files import Landing, LandingFile
from engagement_assets.extract.landing.index import FileIndex

# Half a second's reading. A larger file is scanned by the run that loads it.
MAX_BYTES_LOOKED_THROUGH = 64 * 1024 * 1024
# The strongest compression that logs reach; a file that is compressed more costs the tick a few more seconds.
_COMPRESSED_TO = 30
EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look at the landing zone, after which files are compared with the loads of their days.

    `loaded_at` says when each day was loaded last. A file that arrived after `settled_before` may still be written.
    """

    landing: Landing
    loaded_at: Mapping[date, datetime]
    settled_before: datetime
    calendar: Calendar


@dataclass
class TouchedDays:
    """Day → when the newest file that touches it arrived; and days that wait, because a file of theirs is too fresh."""

    look: Look
    arrivals: dict[date, datetime] = field(default_factory=dict)
    waiting: set[date] = field(default_factory=set)

    def add(self, day: date, arrived_at: datetime) -> None:
        """Note a file that holds the day, unless the day was loaded after it arrived."""
        loaded_at = self.look.loaded_at
        if day not in loaded_at or loaded_at[day] <= arrived_at:
            self.arrivals[day] = max(arrived_at, self.arrivals.get(day, EVER))

    def settled(self) -> dict[date, datetime]:
        """The days without a file that is too fresh."""
        return {day: arrived_at for day, arrived_at in self.arrivals.items() if day not in self.waiting}


def days_of_event_files(
    look: Look,
    files: Sequence[LandingFile],
    index: FileIndex,
    learn: Callable[[Sequence[LandingFile]], None],
    max_bytes: int = MAX_BYTES_LOOKED_THROUGH,
) -> TouchedDays:
    """The days that `files` touch, which may hold any day; `learn` enters what files hold into `index`.

    A call looks through files of `max_bytes` together, oldest first, and leaves the rest to the next one. A file that
    alone exceeds this touches the date in its name, or else the day on which it arrived. The run that loads this day
    enters the file's other days into the index.
    """
    touched = TouchedDays(look)
    settled = sorted(
        (file for file in files if (file.arrived_at or EVER) <= look.settled_before),
        key=lambda file: (file.arrived_at or EVER, file.key),
    )
    to_learn, total = [], 0
    for file in settled:
        if index.of(file) is None and total + _bytes_to_read(file) <= max_bytes:
            to_learn.append(file)
            total += _bytes_to_read(file)
    if to_learn:
        learn(to_learn)
    for file in settled:
        arrived_at = file.arrived_at or EVER
        known = index.of(file)
        # A folder that is renamed keeps the times of its files, and so does an object that is long under way.
        if known and known.found_at:
            arrived_at = max(arrived_at, known.found_at)
        home = home_in_file(file, index, look.calendar)
        if known is None and _bytes_to_read(file) > max_bytes:
            touched.add(home or arrived_at.date(), arrived_at)
        # The load of a day also reports which of its events a new version of a file no longer holds.
        lost = {day for day in known.earlier_days if day in look.calendar} if known else set()
        for day in known.days_in(look.calendar) | lost if known else ():
            touched.add(day, arrived_at)
        if known and home and known.needs_a_home(look.calendar):
            touched.add(home, arrived_at)
    return touched


def _bytes_to_read(file: LandingFile) -> int:
    """Roughly how many bytes scanning the file reads: the index does not know the size of compressed content."""
    return file.size * (_COMPRESSED_TO if file.key.endswith(".gz") else 1)

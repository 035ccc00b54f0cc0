"""Which days the files of the landing zone touch that have arrived since these days were loaded.

Belongs here: comparing arrivals with loads. Not here: when a day was loaded (the lake's business), what becomes of a
touched day (`orchestration/sensors/landing_files.py`).

Files whose day stands in the path are listed and not read. A file that may hold any day is looked through once, for
its days alone; the index that loads use remembers them.
"""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path

import duckdb

from engagement_assets.contracts.extraction import Calendar
from engagement_assets.extract.landing.event_files import date_in_path, home_in_file, list_landing_files
from engagement_assets.extract.landing.files import Landing, LandingFile
from engagement_assets.extract.landing.index import FileIndex

LISTING_SECONDS = 20.0
# Half a second's reading. What is larger is looked through by the run that loads it.
MAX_BYTES_LOOKED_THROUGH = 64 * 1024 * 1024
# What logs are packed to, at the most; what is packed tighter costs the tick some seconds more.
_PACKED_TO = 30
_EVER = datetime.min.replace(tzinfo=UTC)

LearnDays = Callable[[duckdb.DuckDBPyConnection, Landing, Sequence[LandingFile], Path, FileIndex], None]


@dataclass
class TouchedDays:
    """Day → when the newest file that touches it arrived; and days that wait, because a file of theirs is too fresh."""

    arrivals: dict[date, datetime] = field(default_factory=dict)
    waiting: set[date] = field(default_factory=set)

    def add(self, day: date, arrived_at: datetime, loaded_at: Mapping[date, datetime]) -> None:
        """Note a file that holds the day, unless the day was loaded after it arrived."""
        if day not in loaded_at or loaded_at[day] <= arrived_at:
            self.arrivals[day] = max(arrived_at, self.arrivals.get(day, _EVER))

    def settled(self) -> dict[date, datetime]:
        """The days none of whose files is too fresh."""
        return {day: arrived_at for day, arrived_at in self.arrivals.items() if day not in self.waiting}


def days_of_batches(  # noqa: PLR0913 - what a listing is compared with
    landing: Landing,
    prefix: str,
    suffixes: tuple[str, ...],
    loaded_at: Mapping[date, datetime],
    *,
    settled_before: datetime,
    resume_after: str | None = None,
    seconds: float = LISTING_SECONDS,
) -> tuple[TouchedDays, str | None]:
    """The days that files in folders named by their day touch.

    The newest folder is always listed. When the time is up before all are, the name is returned after which the next
    call resumes.

    Raises:
        NotADirectoryError: the landing zone is not there.
    """
    touched = TouchedDays()
    started = time.monotonic()
    names = [name for name in landing.batch_names(prefix) if (day := date_in_path(name)) and name == day.isoformat()]
    older = names[:-1]
    start = next((place for place, name in enumerate(older) if resume_after and name > resume_after), 0)
    for number, name in enumerate(chain(names[-1:], older[start:], older[:start])):
        day = date.fromisoformat(name)
        for file in landing.files(f"{prefix}/{name}", suffixes):
            arrived_at = file.arrived_at or _EVER
            touched.add(day, arrived_at, loaded_at)
            if arrived_at > settled_before:
                touched.waiting.add(day)
        if number > 0 and time.monotonic() - started > seconds:
            return touched, name
    return touched, None


def days_of_event_files(  # noqa: PLR0913 - what a listing is compared with
    landing: Landing,
    prefix: str,
    suffixes: tuple[str, ...],
    loaded_at: Mapping[date, datetime],
    *,
    settled_before: datetime,
    index: FileIndex,
    learn: LearnDays,
    calendar: Calendar,
    max_bytes: int = MAX_BYTES_LOOKED_THROUGH,
) -> TouchedDays:
    """The days that files touch which may hold any day; what is found out about them is added to `index`.

    A call looks through files of `max_bytes` together, oldest first, and leaves the rest to the next one. A file that
    is larger by itself touches the date in its name, or else the day on which it arrived: the run that loads this day
    enters all others into the index.

    Raises:
        NotADirectoryError: the landing zone is not there.
    """
    touched = TouchedDays()
    readable, *_ = list_landing_files(landing, prefix, suffixes)
    settled = sorted(
        (file for file in readable if (file.arrived_at or _EVER) <= settled_before),
        key=lambda file: (file.arrived_at or _EVER, file.key),
    )
    to_learn, total = [], 0
    for file in settled:
        if index.of(file) is None and total + _bytes_to_read(file) <= max_bytes:
            to_learn.append(file)
            total += _bytes_to_read(file)
    if to_learn:
        with tempfile.TemporaryDirectory() as workdir, duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            learn(connection, landing, to_learn, Path(workdir), index)
    for file in settled:
        arrived_at = file.arrived_at or _EVER
        known = index.of(file)
        home = home_in_file(file, index, calendar)
        if known is None and _bytes_to_read(file) > max_bytes:
            touched.add(home or arrived_at.date(), arrived_at, loaded_at)
        # A day of an earlier version may have events that the file has lost, which the load of the day tells.
        lost = {day for day in known.earlier_days if day in calendar} if known else set()
        for day in known.days_in(calendar) | lost if known else ():
            touched.add(day, arrived_at, loaded_at)
        if known and home and known.needs_a_home(calendar):
            touched.add(home, arrived_at, loaded_at)
    return touched


def _bytes_to_read(file: LandingFile) -> int:
    """What looking through the file takes, about: the index does not know how far a packed one unfolds."""
    return file.size * (_PACKED_TO if file.key.endswith(".gz") else 1)

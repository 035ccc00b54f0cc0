"""Files of an event log: which of them a window needs, and the days of lines that name none.

Belongs here: what is the same for all event logs that land as files. Not here: how lines are read (`extract/lines/`),
how what was found is remembered (`index.py`).
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from engagement_assets.contracts.extraction import Calendar, DayWindow, UnreadPath
from engagement_assets.extract.landing.files import Landing, LandingFile, printable_key
from engagement_assets.extract.landing.index import FileIndex

# A window in which no event happens. With it, a reader of dated lines reads only the lines without a day.
NO_DAYS = DayWindow(date(1, 1, 1), date(1, 1, 2))

_DATE_IN_PATH = re.compile(r"(?<!\d)(\d{4})(-?)(\d{2})\2(\d{2})(?!\d)")


@dataclass(frozen=True, kw_only=True)
class WantedDays:
    """The days that a load reads from files that may hold any day, and what is known of these files.

    Records of days outside of the `calendar` are quarantined. What is found out about files is added to the `index`.
    `known_undated_days` maps a file's key to the days of the calendar on which the quarantine holds lines of it.
    Retention has removed the `pruned_days`, so that no run can load them.
    """

    window: DayWindow
    calendar: Calendar
    index: FileIndex
    known_undated_days: Mapping[str, Collection[date]] = field(default_factory=dict)
    pruned_days: Collection[date] = ()

    def files_to_read(self, files: Sequence[LandingFile]) -> list[LandingFile]:
        """Those of `files` that may hold a record that counts on a day of the window."""
        days = self.window.days()

        def may_hold_a_day(file: LandingFile) -> bool:
            known = self.index.of(file)
            if known is None or not (known.days_in(self.calendar) | self._undated_days(file)).isdisjoint(days):
                return True
            return known.needs_a_home(self.calendar) and self.home_of(file) in days

        return [file for file in files if may_hold_a_day(file)]

    def home_of(self, file: LandingFile) -> date:
        """The day on which those lines of the file count that name no day of the calendar.

        It is the date in the file's path, else the earliest day in the file, else the day that is known of the file,
        else the window's first day: always a day of the calendar, so that a run can load it. A pruned day counts only
        if there is no other: a file of such days alone was loaded, and its lines are not news of the next window.
        """
        for passed_over in (self.pruned_days, ()):
            known_days = self._undated_days(file).difference(passed_over)
            home = home_in_file(file, self.index, self.calendar, passed_over) or min(known_days, default=None)
            if home:
                return home
        return self.window.start

    def _undated_days(self, file: LandingFile) -> set[date]:
        return set(self.known_undated_days.get(file.key, ()))


def date_in_path(key: str) -> date | None:
    """The first date in a file's key, written `2021-01-31` or `20210131`; None without one."""
    for match in _DATE_IN_PATH.finditer(key):
        try:
            return date(int(match[1]), int(match[3]), int(match[4]))
        except ValueError:
            continue
    return None


def list_landing_files(
    landing: Landing, prefix: str, suffixes: tuple[str, ...]
) -> tuple[list[LandingFile], list[LandingFile], list[UnreadPath]]:
    """The files to read, those that must not be opened, and others below `prefix`, which are never read."""
    readable, refused, unread = [], [], []
    for file in landing.files(prefix, ("",)):
        key = printable_key(file.key)
        if not file.refused and not file.key.endswith(suffixes):
            unread.append(UnreadPath(key, f"its name does not end with {' or '.join(suffixes)}"))
        elif key != file.key:
            refused.append(replace(file, key=key, refused="the file name is not UTF-8"))
        elif file.refused:
            refused.append(file)
        else:
            readable.append(file)
    return readable, refused, unread


def home_in_file(
    file: LandingFile, index: FileIndex, calendar: Calendar, pruned_days: Collection[date] = ()
) -> date | None:
    """The day of the calendar that the file or its name gives to lines without one; None if neither does."""
    in_path = date_in_path(file.key)
    if in_path and in_path in calendar and in_path not in pruned_days:
        return in_path
    known = index.of(file)
    return min(known.days_in(calendar).difference(pruned_days), default=None) if known else None


def learn_days(
    files: Sequence[LandingFile],
    days_of_files: Callable[[Collection[str]], Mapping[str, set[date | None]]],
    index: FileIndex,
    found_at: datetime,
) -> None:
    """Enter into the index what the files hold that it does not know yet, as found at this moment.

    `days_of_files` gives the days that the lines of some files name, by the keys of the files; None stands for lines
    that name none.
    """
    new = {file.key: file for file in files if index.of(file) is None}
    for key, found in days_of_files(new).items():
        index.record(new[key], {day for day in found if day is not None}, has_undated=None in found, found_at=found_at)

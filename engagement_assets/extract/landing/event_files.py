"""Files of an event log: which of them a window needs, and the days of lines that say none.

Belongs here: what is the same for all event logs that land as files. Not here: what a line holds
(each source's module), how what was found is remembered (`landing/index.py`).
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date

from engagement_assets.contracts.extraction import Calendar, DayWindow, UnreadPath
from engagement_assets.extract.landing.files import Landing, LandingFile, printable_key
from engagement_assets.extract.landing.index import FileIndex

# A window in which nothing happens: what is read for it are lines without a day.
NO_DAYS = DayWindow(date(1, 1, 1), date(1, 1, 2))

_DATE_IN_PATH = re.compile(r"(?<!\d)(\d{4})(-?)(\d{2})\2(\d{2})(?!\d)")


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
            unread.append(UnreadPath(key, f"its name ends with none of {', '.join(suffixes)}"))
        elif key != file.key:
            refused.append(replace(file, key=key, refused="the file name is not UTF-8"))
        elif file.refused:
            refused.append(file)
        else:
            readable.append(file)
    return readable, refused, unread


def files_of_days(
    files: Sequence[LandingFile],
    index: FileIndex,
    window: DayWindow,
    known_undated_days: Mapping[str, Collection[date]],
    calendar: Calendar,
) -> list[LandingFile]:
    """Those of `files` that may hold a record that counts on a day of the window.

    `known_undated_days`: file key → the days of the calendar on which the quarantine knows its lines.
    """
    days = window.days()

    def may_hold_a_day(file: LandingFile) -> bool:
        known = index.of(file)
        if known is None or not (known.days_in(calendar) | set(known_undated_days.get(file.key, ()))).isdisjoint(days):
            return True
        return known.needs_a_home(calendar) and _home(file, index, window, known_undated_days, calendar) in days

    return [file for file in files if may_hold_a_day(file)]


def homes_of(
    files: Sequence[LandingFile],
    index: FileIndex,
    window: DayWindow,
    known_undated_days: Mapping[str, Collection[date]],
    calendar: Calendar,
) -> list[date]:
    """Per file the day on which its lines without a day of the calendar count.

    It is the date in the file's path, else the earliest day in the file, else the day that is known of the file, else
    the window's first day: always one of the calendar, so that a run can load it.
    """
    return [_home(file, index, window, known_undated_days, calendar) for file in files]


def _home(
    file: LandingFile,
    index: FileIndex,
    window: DayWindow,
    known_undated_days: Mapping[str, Collection[date]],
    calendar: Calendar,
) -> date:
    return home_in_file(file, index, calendar) or min(known_undated_days.get(file.key, ()), default=window.start)


def home_in_file(file: LandingFile, index: FileIndex, calendar: Calendar) -> date | None:
    """The day of the calendar that the file or its name gives to lines without one; None where neither does."""
    in_path = date_in_path(file.key)
    if in_path and in_path in calendar:
        return in_path
    known = index.of(file)
    return min(known.days_in(calendar), default=None) if known else None


def learn_days(
    files: Sequence[LandingFile],
    days_of_files: Callable[[Collection[int]], Mapping[int, set[date | None]]],
    index: FileIndex,
) -> None:
    """Enter into the index what the files hold that it does not know yet.

    `days_of_files` gives the days that the lines of some files name, by their places in `files`; None for lines that
    name none.
    """
    new = {place: file for place, file in enumerate(files) if index.of(file) is None}
    for place, found in days_of_files(new).items():
        index.record(new[place], {day for day in found if day is not None}, has_undated=None in found)

"""Files of an event log: which of them a window needs, and the days of lines that say none.

Belongs here: what is the same for all event logs that land as files. Not here: what a line holds
(each source's module), how what was found is remembered (`file_index.py`).
"""

import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date

from engagement_assets.extract.extraction import DayWindow
from engagement_assets.extract.file_index import FileIndex
from engagement_assets.extract.landing import Landing, LandingFile

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
) -> tuple[list[LandingFile], list[LandingFile]]:
    """The files to read and those that must not be opened."""
    listed = [
        file
        if file.key.isascii() or (key := os.fsencode(file.key).decode("utf-8", "replace")) == file.key
        else replace(file, key=key, refused="the file name is not UTF-8")
        for file in landing.files(prefix, suffixes)
    ]
    return [file for file in listed if not file.refused], [file for file in listed if file.refused]


def files_of_days(
    files: Sequence[LandingFile], index: FileIndex, window: DayWindow, known_undated_days: Mapping[str, date]
) -> list[LandingFile]:
    """Those of `files` that may hold a record that counts on a day of the window.

    `known_undated_days`: file key → the day on which the quarantine knows its lines.
    """
    days = window.days()

    def may_hold_a_day(file: LandingFile) -> bool:
        known = index.of(file)
        if known is None or not known.days.isdisjoint(days):
            return True
        undated = known_undated_days.get(file.key, window.start if known.has_homeless else None)
        return undated in days

    return [file for file in files if may_hold_a_day(file)]


def homes_of(
    files: Sequence[LandingFile], index: FileIndex, window: DayWindow, known_undated_days: Mapping[str, date]
) -> list[date]:
    """Per file the day on which its lines without a day count.

    It is the date in the file's path, else the earliest day in the file, else the day that is known
    of the file, else the window's first day.
    """
    homes = []
    for file in files:
        known = index.of(file)
        home = date_in_path(file.key) or (min(known.days, default=None) if known else None)
        homes.append(home or known_undated_days.get(file.key, window.start))
    return homes


def learn_days(
    files: Sequence[LandingFile],
    days_of_files: Callable[[Collection[int]], Mapping[int, set[date | None]]],
    index: FileIndex,
) -> None:
    """Enter into the index what the files hold that it does not know yet.

    `days_of_files` gives the days of all lines of some files by their places in `files`; None for
    lines that have none.
    """
    new = {place: file for place, file in enumerate(files) if index.of(file) is None}
    for place, found in days_of_files(new).items():
        file = new[place]
        days = {day for day in found if day is not None}
        home = date_in_path(file.key) or min(days, default=None)
        if None in found and home is not None:
            days.add(home)
        index.record(file, days, has_homeless=None in found and home is None)

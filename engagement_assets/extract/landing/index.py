"""Which days the files of the landing zone hold, so that a day's run opens only what it needs.

Belongs here: remembering what was found in a file, and whether the file is still that file. Not here: finding it
(`extract/lines/`), where the index lies (the lake).

No table depends on the index: if it is lost or damaged, files are read again, the days that they hold are loaded once
more, and it is complete again.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from secrets import token_hex

import fsspec
from fsspec.implementations.local import LocalFileSystem

from engagement_assets.contracts.extraction import Calendar, DayWindow
from engagement_assets.extract.landing.files import LandingFile

_FORMAT = 2


@dataclass(frozen=True)
class FileDays:
    """What is known of one version of a file.

    `days` are all days that its records name, including those that no load covers. `has_undated` says whether some
    records name none. `earlier_days` are those that only earlier versions of the file have named. No load that began
    until `found_at` has read this version; None if an index of an older release does not say.
    """

    size: int
    version: str
    days: frozenset[date]
    has_undated: bool = False
    earlier_days: frozenset[date] = frozenset()
    found_at: datetime | None = None

    def days_in(self, calendar: Calendar) -> set[date]:
        """The days of the calendar that its records name."""
        return {day for day in self.days if day in calendar}

    def needs_a_home(self, calendar: Calendar) -> bool:
        """Whether some of its records have no day to count on: they name none, or one outside the calendar."""
        return self.has_undated or any(day not in calendar for day in self.days)


@dataclass
class FileIndex:
    """What is known of the landing files, by their keys."""

    files: dict[str, FileDays] = field(default_factory=dict)

    @classmethod
    def load(cls, uri: str) -> "FileIndex":
        """Read an index that `save` has written; an empty one if there is none that can be read."""
        filesystem, path = fsspec.core.url_to_fs(uri)
        try:
            with filesystem.open(path, "rt", encoding="utf-8") as stream:
                document = json.load(stream)
            if document["format"] != _FORMAT:
                return cls()
            return cls(
                {
                    key: FileDays(
                        size,
                        version,
                        frozenset(map(date.fromisoformat, days)),
                        has_undated,
                        frozenset(map(date.fromisoformat, earlier)),
                        datetime.fromisoformat(found_at[0]) if found_at and found_at[0] else None,
                    )
                    for key, (size, version, days, has_undated, earlier, *found_at) in document["files"].items()
                }
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def save(self, uri: str) -> None:
        """Write the index as a whole: a reader sees the old one or the new one."""
        document = {
            "format": _FORMAT,
            "files": {
                key: (
                    item.size,
                    item.version,
                    sorted(map(str, item.days)),
                    item.has_undated,
                    sorted(map(str, item.earlier_days)),
                    item.found_at and item.found_at.isoformat(),
                )
                for key, item in sorted(self.files.items())
            },
        }
        filesystem, path = fsspec.core.url_to_fs(uri)
        filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)
        # An object store makes an object visible when it is complete, a folder needs a rename.
        is_local = isinstance(filesystem, LocalFileSystem)
        staged = f"{path}.{token_hex(8)}" if is_local else path
        with filesystem.open(staged, "wt", encoding="utf-8") as stream:
            json.dump(document, stream)
        if is_local:
            Path(staged).replace(path)

    def of(self, file: LandingFile) -> FileDays | None:
        """What is known of this very version of a file."""
        known = self.files.get(file.key)
        is_same = known is not None and (known.size, known.version) == (file.size, file.version)
        return known if is_same else None

    def without_days(self, window: DayWindow, calendar: Calendar) -> frozenset[str]:
        """The files all of whose records count on days outside of the window."""
        days = window.days()
        return frozenset(
            key
            for key, item in self.files.items()
            if item.days_in(calendar).isdisjoint(days) and not item.needs_a_home(calendar)
        )

    def record(
        self, file: LandingFile, days: Collection[date], *, has_undated: bool, found_at: datetime | None = None
    ) -> None:
        """Remember what a file holds, when it was found, and the days of its earlier versions."""
        before = self.files.get(file.key)
        earlier = before.days | before.earlier_days if before else frozenset()
        self.files[file.key] = FileDays(
            file.size, file.version, frozenset(days), has_undated, earlier.difference(days), found_at
        )

    def look_again(self, keys: Iterable[str]) -> None:
        """Have files looked through again though they stay as they are; the days of their versions are remembered."""
        for key in keys:
            self.files[key] = replace(self.files[key], version="")

    def forget_others(self, prefix: str, files: Collection[LandingFile]) -> None:
        """Forget the files below `prefix` that are not among `files`: they have gone."""
        keys = {file.key for file in files}
        self.files = {key: item for key, item in self.files.items() if key in keys or not key.startswith(f"{prefix}/")}

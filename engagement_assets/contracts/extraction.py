"""What every extractor returns: queries for accepted rows, rejected records and counts.

Belongs here: the shape of one extraction. Not here: how a source is read (one module per source beside this one) or
how days are written (see `lake/`). Nothing in this folder imports Dagster or dbt.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta


@dataclass(frozen=True, order=True)
class DayWindow:
    """A half-open range of UTC days, `[start, end)`."""

    start: date
    end: date

    def __post_init__(self) -> None:
        """Refuse a window without days."""
        if self.end <= self.start:
            raise ValueError(f"the first day must not lie after the last, found the window [{self.start}, {self.end})")

    def days(self) -> list[date]:
        """Every day of the window, oldest first."""
        return [self.start + timedelta(days=offset) for offset in range((self.end - self.start).days)]


@dataclass(frozen=True)
class Calendar:
    """The UTC days that a record's own time may lie on, from `first` to `last` inclusive.

    It begins with the first partition. It ends where a clock that runs ahead is no longer believed. This may be later
    than the newest day that can be loaded now; a record of such a day waits for the day's load.
    """

    first: date
    last: date

    @classmethod
    def at(cls, now: datetime, first: date, days_ahead: int) -> "Calendar":
        """The calendar at an instant; it ends `days_ahead` days after the instant's UTC day."""
        return cls(first, now.astimezone(UTC).date() + timedelta(days=days_ahead))

    def __contains__(self, day: date) -> bool:
        """Whether a record of the day is counted on it."""
        return self.first <= day <= self.last

    def is_outside_sql(self, moment: str) -> str:
        """SQL for whether the SQL timestamp `moment` lies outside; NULL for NULL."""
        return f"({moment} < timestamp '{self.first}' or {moment} >= timestamp '{self.last}' + interval '1' day)"

    def __str__(self) -> str:
        """As messages name it."""
        return f"{self.first} to {self.last}"


# The reason code of a record whose time lies outside the calendar, so that no run loads its day.
OUTSIDE_CALENDAR = "outside_calendar"

# For records of which nothing else says when they were: any time that they can state is believed.
ALL_DAYS = Calendar(date.min, date.max)


@dataclass(frozen=True, order=True)
class UnreadPath:
    """A file or folder that no load reads: its path below the landing zone, and why."""

    key: str
    why: str


# A sender that puts data into names of fields sends any number of them, and each load's record keeps them all. Longer
# names are cut.
MAX_FIELD_NAMES = 1_000
MAX_NAME = 64
OTHER_FIELDS = "… and others"

NO_PLACEHOLDERS = (
    "select null::varchar as dataset, null::date as day, null::varchar as field, 0::bigint as records where false"
)


@dataclass(frozen=True)
class Extraction:
    """The outcome of reading one source for a window, as SQL queries over the load's DuckDB connection.

    `accepted` maps a dataset key to a query giving that dataset's columns (see `contracts/datasets.py`) and `day`, one
    row per identity: duplicates within the load are already removed. For a dataset without days, `day` is absent.
    `rejected` gives `dataset, day, source_path, position, raw_text, reason_code, message` (`position` is the line or
    the index in the document, from 1 for lines and from 0 for indices, NULL for a whole file), and where known also
    `header` (the line that names the values of a CSV row) and `record_hash` (the SHA-256 of the record's bytes, or what
    `part_digest` makes of that of its document). Messages quote no value but numbers and instants.
    `counts` gives `dataset, day, files, bytes, records_read, quarantined, duplicates`, one row per dataset and day of
    the window (zeros where nothing was found), so that `records_read = accepted + quarantined + duplicates`. Once
    records of erased persons are left out, `erased` counts them, and is part of the sum.
    `unknown_fields` gives `dataset, day, field, records`: fields that no contract names (schema drift).
    `placeholders` gives the same for values that a device writes for "none" and that became NULL.
    `copies` maps the key of a dataset in which two persons' records may have one identity to a query for the rows that
    lost to an accepted one, with its columns and their `place`, the best one first. It is run only if a person was
    erased, so it must stay valid as long as `accepted`.
    `files_read` are the files whose rejected records replace those of earlier loads. Of these, `files_not_opened` could
    not or must not be opened, so rows that earlier loads have from them stay.
    `rejects_stay` is an SQL condition on a quarantined record of an earlier load (the columns of the quarantine) if not
    all of the days was read: where it holds, the record was not reached and stays. Event logs go by `files_read`.
    `files_there` are all landing files that could be read, including those known to hold nothing of the window.
    `never_read` are files and folders of the source that no load reads, whatever its window.
    """

    accepted: Mapping[str, str]
    rejected: str
    counts: str
    unknown_fields: str
    files_read: tuple[str, ...] = field(default=())
    files_not_opened: tuple[str, ...] = field(default=())
    files_there: tuple[str, ...] = field(default=())
    rejects_stay: str | None = None
    placeholders: str = NO_PLACEHOLDERS
    never_read: tuple[UnreadPath, ...] = field(default=())
    copies: Mapping[str, str] = field(default_factory=dict)

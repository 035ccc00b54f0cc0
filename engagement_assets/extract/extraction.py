"""What every extractor hands over: queries for accepted rows, rejected records and counts.

Belongs here: the shape of one extraction. Not here: how a source is read (one module per source beside this one) or
how days are written (see `lake/`). Nothing in this folder imports Dagster or dbt.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta


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


NO_PLACEHOLDERS = (
    "select null::varchar as dataset, null::date as day, null::varchar as field, 0::bigint as records where false"
)


@dataclass(frozen=True)
class Extraction:
    """The outcome of reading one source for a window, as SQL queries over the load's DuckDB connection.

    `accepted` maps a dataset key to a query giving that dataset's columns (see `lake/datasets.py`) and `day`, one
    row per identity: duplicates within the load are already removed. For a dataset without days, `day` is absent.
    `rejected` gives `dataset, day, source_path, position, raw_text, reason_code, message` (`position` is the line or
    the index in the document, from 1 for lines and from 0 for indices, NULL for a whole file), and where they say
    something `header` (the line that names the values of a CSV row) and `has_pseudonyms` (personal ids in the raw text
    are pseudonyms).
    `counts` gives `dataset, day, files, bytes, records_read, quarantined, duplicates`, one row per dataset and day of
    the window (zeros where nothing was found), so that `records_read = accepted + quarantined + duplicates`.
    `unknown_fields` gives `dataset, day, field, records`: fields that no contract names (schema drift).
    `placeholders` gives the same of values that a device writes for "none" and that became NULL.
    """

    accepted: Mapping[str, str]
    rejected: str
    counts: str
    unknown_fields: str
    files_read: tuple[str, ...] = field(default=())
    placeholders: str = NO_PLACEHOLDERS

"""Mobile events of the scooter app, from CSV files.

Belongs here: what a row holds, which files a window needs, where a line without a day is counted.
Not here: reading lines (`line_files.py`), headers and rows (`csv_headers.py`, `csv_records.py`),
writing days (see `lake/`).

An event's identity is the md5 of its values as they land, instants in UTC: the same row is one event
in whatever files, orders of columns and spellings of a time it comes. The day is made from one of
these values, so an event is on one day only.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import duckdb

from engagement_assets.contracts.datasets import MOBILE_EVENTS
from engagement_assets.contracts.extraction import Calendar, DayWindow, Extraction
from engagement_assets.extract.landing.event_files import (
    NO_DAYS,
    files_of_days,
    homes_of,
    learn_days,
    list_landing_files,
)
from engagement_assets.extract.landing.files import Landing, LandingFile
from engagement_assets.extract.landing.index import FileIndex
from engagement_assets.extract.landing.unread_paths import unread_paths
from engagement_assets.extract.lines.csv_headers import cut_at_headers
from engagement_assets.extract.lines.csv_records import CsvColumn, CsvRecords
from engagement_assets.extract.lines.line_extraction import extraction_of
from engagement_assets.extract.lines.line_files import CSV_LINE, prepare_files

EVENTS_PREFIX = "mobile_events"
SUFFIXES = (".csv", ".csv.gz")
# An event has some two hundred bytes: what is a thousand times as long is none.
MAX_ROW_BYTES = 256 * 1024

# The order is that of the values in the md5: another one would give all events new ids.
COLUMNS = (
    CsvColumn("anonymous_id", "anonymous_id", required=True),
    CsvColumn("business_zoned", "business_zone"),
    CsvColumn("context_app_version", "app_version"),
    CsvColumn("context_device_id", "device_id", required=True),
    CsvColumn("context_os_name", "os_name"),
    CsvColumn("event_name", "event_name", required=True),
    CsvColumn("received_at", "received_at", is_instant=True),
    CsvColumn("created_at", "created_at", required=True, is_instant=True),
)


def extract_events(  # noqa: PLR0913 - the signature of every extractor, and what events need
    connection: duckdb.DuckDBPyConnection,
    landing: Landing,
    window: DayWindow,
    workdir: Path,
    *,
    index: FileIndex,
    extracted_at: datetime,
    known_undated_days: Mapping[str, Collection[date]],
    calendar: Calendar,
    progress: Callable[[str], None],
    max_line_bytes: int = MAX_ROW_BYTES,
) -> Extraction:
    """Read the events of the window's days: `mobile_events/**/*.csv[.gz]`.

    Of several copies of an event the one stays whose further columns, then whose path sort last. A
    line that says no day, or one outside of the calendar, counts on the date in its file's path, else
    on the earliest day in the file, else on the day that is known of the file, else on the window's
    first day.

    Args:
        connection: Holds the tables that the returned queries read, until it is closed or until
            its next extraction of events.
        landing: The landing zone.
        window: The UTC days to read.
        workdir: An existing folder for copies of files that cannot be read where they lie.
        index: What is known of files; what is found out is added to it.
        extracted_at: The time of the load.
        known_undated_days: File key → the days of the calendar on which the quarantine knows its lines.
        calendar: Records of other days are quarantined.
        progress: Told what is being done.
        max_line_bytes: Longer lines are quarantined.

    Raises:
        NotADirectoryError: The landing zone is not there.
        RuntimeError: A file changed while it was read; run again.
    """
    readable, refused, unread = list_landing_files(landing, EVENTS_PREFIX, SUFFIXES)
    index.forget_others(EVENTS_PREFIX, readable)
    days = window.days()
    files = files_of_days(readable, index, window, known_undated_days, calendar)
    progress(
        f"{MOBILE_EVENTS.key}: reading {len(files):,} of {len(readable):,} files "
        f"({sum(file.size for file in files):,} bytes) for {window.start} to {days[-1]}"
    )
    reader = replace(_reader(connection, landing, files, workdir, max_line_bytes), calendar=calendar)
    reader.read_lines(window)
    learn_days(files, reader.days_of_files, index)
    homes = homes_of(files, index, window, known_undated_days, calendar)
    extraction = extraction_of(
        reader,
        MOBILE_EVENTS,
        winner_order="records._extra desc nulls last, files.source_path desc",
        days=days,
        homes=[
            *(homes[origin] for origin in reader.parts.origins),
            *homes_of(refused, index, window, known_undated_days, calendar),
        ],
        refused=refused,
        pseudonym_key=None,
        extracted_at=extracted_at,
    )
    return replace(
        extraction,
        never_read=(*unread, *unread_paths(landing, EVENTS_PREFIX)),
        files_there=tuple(file.key for file in readable),
    )


def learn_event_days(
    connection: duckdb.DuckDBPyConnection,
    landing: Landing,
    files: Sequence[LandingFile],
    workdir: Path,
    index: FileIndex,
) -> None:
    """Look through event files for their days alone, and enter these into the index."""
    reader = _reader(connection, landing, files, workdir, MAX_ROW_BYTES)
    reader.read_lines(NO_DAYS)
    learn_days(files, reader.days_of_files, index)


def _reader(
    connection: duckdb.DuckDBPyConnection,
    landing: Landing,
    files: Sequence[LandingFile],
    workdir: Path,
    max_line_bytes: int,
) -> CsvRecords:
    folder = workdir / "mobile_events"
    folder.mkdir(exist_ok=True)
    sources = ((file.key, landing.local_path(file, folder)) for file in files)
    prepared = prepare_files(sources, folder, max_line_bytes, CSV_LINE)
    parts = cut_at_headers(prepared, [column.name for column in COLUMNS], folder)
    return CsvRecords(connection, "mobile_events", COLUMNS, "created_at", parts, "event_id")

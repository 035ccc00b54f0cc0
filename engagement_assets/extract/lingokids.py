"""Lingokids: app events by day, users and activities from full snapshots.

Belongs here: what the three JSONL datasets look like, which files a window needs, which of two
records wins, where a line without a day is counted, what is personal. Not here: reading lines
(`line_files.py`), judging them (`json_records.py`, `jsonl_records.py`), writing days (see `lake/`).

An event's identity is its id on its UTC day: what a day holds then depends on the files alone, not
on which other days are read with it, so days can be loaded in any order and grouping. The same id
on two days is two rows in the lake, of which the models of dbt count one.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import duckdb

from engagement_assets.contracts.datasets import (
    LINGOKIDS_ACTIVITIES,
    LINGOKIDS_EVENTS,
    LINGOKIDS_USERS,
    Dataset,
)
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
from engagement_assets.extract.lines.json_records import Field, Kind, RecordShape
from engagement_assets.extract.lines.jsonl_records import JsonlRecords
from engagement_assets.extract.lines.line_extraction import extraction_of
from engagement_assets.extract.lines.line_files import MAX_LINE_BYTES, PreparedFiles, prepare_files

EVENTS_PREFIX = "lingokids/events"
USERS_PREFIX = "lingokids/users"
ACTIVITIES_PREFIX = "lingokids/activities"
SUFFIXES = (".jsonl", ".jsonl.gz")

EVENT = RecordShape(
    fields=(
        Field("event_id", "event_id", required=True),
        Field("name", "event_name"),
        Field("occurred_at", "occurred_at", Kind.INSTANT, required=True),
        Field("user_id", "user_id", required=True),
        Field("child_id", "child_id"),
        Field("data.activity_id", "activity_id", required=True),
        Field("data.source", "source"),
        Field("data.duration", "duration_ms", Kind.SECONDS),
        Field("data.completed", "is_completed", Kind.FLAG),
        Field("data.collection_id", "collection_id"),
        Field("data.loading_time", "loading_time_ms", Kind.SECONDS),
        Field("context.device.device_id", "device_id"),
        Field("context.device.brand", "device_brand"),
        Field("context.device.model", "device_model"),
        Field("context.os.name", "os_name"),
        Field("context.os.version", "os_version"),
        Field("context.app.version", "app_version"),
        Field("context.app.build", "app_build"),
    ),
    moment="occurred_at",
)
USER = RecordShape(
    fields=(
        Field("user_id", "user_id", required=True),
        # The ids themselves stay where they are: no table needs a child.
        Field("children_ids", "children_count", Kind.LIST),
        Field("country_code", "country_code"),
        Field("registration_at", "registration_at", Kind.BOUND),
        Field("trial_start_at", "trial_start_at", Kind.BOUND),
        Field("trial_end_at", "trial_end_at", Kind.BOUND),
        Field("subscription_start_at", "subscription_start_at", Kind.BOUND),
        Field("subscription_expire_at", "subscription_expire_at", Kind.BOUND),
    )
)
ACTIVITY = RecordShape(
    fields=(
        Field("activity_id", "activity_id", required=True),
        Field("name", "activity_name"),
        Field("type", "activity_type"),
        Field("subtype", "activity_subtype"),
    )
)


def extract_events(  # noqa: PLR0913 - the signature of every extractor, and what events need
    connection: duckdb.DuckDBPyConnection,
    landing: Landing,
    window: DayWindow,
    workdir: Path,
    *,
    index: FileIndex,
    pseudonym_key: str | None,
    extracted_at: datetime,
    known_undated_days: Mapping[str, Collection[date]],
    calendar: Calendar,
    progress: Callable[[str], None],
    max_line_bytes: int = MAX_LINE_BYTES,
) -> Extraction:
    """Read the events of the window's days: `lingokids/events/**/*.jsonl[.gz]`.

    Of two records with one id on one day the one whose raw text sorts last wins. A line that says
    no day, or one outside of the calendar, counts on the date in its file's path, else on the
    earliest day in the file, else on the day that is known of the file, else on the window's first
    day.

    Args:
        connection: Holds the tables that the returned queries read, until it is closed or until
            its next extraction of events.
        landing: The landing zone.
        window: The UTC days to read.
        workdir: An existing folder for copies of files that cannot be read where they lie.
        index: What is known of files; what is found out is added to it.
        pseudonym_key: When given, ids of children and devices land as pseudonyms.
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
        f"{LINGOKIDS_EVENTS.key}: reading {len(files):,} of {len(readable):,} files "
        f"({sum(file.size for file in files):,} bytes) for {window.start} to {days[-1]}"
    )
    prepared = _prepare(landing, files, workdir / "events", max_line_bytes)
    reader = JsonlRecords(connection, "lingokids_events", EVENT, prepared, "event_id", calendar)
    reader.read_lines(window)
    learn_days(files, reader.days_of_files, index)
    extraction = extraction_of(
        reader,
        LINGOKIDS_EVENTS,
        winner_order="line desc, source_path desc",
        days=days,
        homes=homes_of([*files, *refused], index, window, known_undated_days, calendar),
        refused=refused,
        pseudonym_key=pseudonym_key,
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
    prepared = _prepare(landing, files, workdir / "events", MAX_LINE_BYTES)
    reader = JsonlRecords(connection, "lingokids_events", EVENT, prepared, "event_id")
    reader.read_lines(NO_DAYS)
    learn_days(files, reader.days_of_files, index)


def extract_users(  # noqa: PLR0913 - as extract_events
    connection: duckdb.DuckDBPyConnection,
    landing: Landing,
    workdir: Path,
    *,
    pseudonym_key: str | None,
    extracted_at: datetime,
    progress: Callable[[str], None],
    max_line_bytes: int = MAX_LINE_BYTES,
) -> Extraction:
    """Read all snapshots of users, `lingokids/users/**/*.jsonl[.gz]`; the last path wins per user.

    Arguments and errors are those of `extract_events`.
    """
    return _extract_snapshots(
        connection,
        landing,
        workdir,
        (LINGOKIDS_USERS, USER, USERS_PREFIX),
        pseudonym_key=pseudonym_key,
        extracted_at=extracted_at,
        progress=progress,
        max_line_bytes=max_line_bytes,
    )


def extract_activities(  # noqa: PLR0913 - as extract_events
    connection: duckdb.DuckDBPyConnection,
    landing: Landing,
    workdir: Path,
    *,
    pseudonym_key: str | None,
    extracted_at: datetime,
    progress: Callable[[str], None],
    max_line_bytes: int = MAX_LINE_BYTES,
) -> Extraction:
    """Read all snapshots of activities, `lingokids/activities/**/*.jsonl[.gz]`; the last path wins.

    Arguments and errors are those of `extract_events`.
    """
    return _extract_snapshots(
        connection,
        landing,
        workdir,
        (LINGOKIDS_ACTIVITIES, ACTIVITY, ACTIVITIES_PREFIX),
        pseudonym_key=pseudonym_key,
        extracted_at=extracted_at,
        progress=progress,
        max_line_bytes=max_line_bytes,
    )


def _extract_snapshots(  # noqa: PLR0913 - as extract_events
    connection: duckdb.DuckDBPyConnection,
    landing: Landing,
    workdir: Path,
    what: tuple[Dataset, RecordShape, str],
    *,
    pseudonym_key: str | None,
    extracted_at: datetime,
    progress: Callable[[str], None],
    max_line_bytes: int,
) -> Extraction:
    dataset, shape, prefix = what
    files, refused, unread = list_landing_files(landing, prefix, SUFFIXES)
    progress(f"{dataset.key}: reading {len(files):,} files")
    prepared = _prepare(landing, files, workdir / dataset.name, max_line_bytes)
    (identity,) = dataset.identity
    reader = JsonlRecords(connection, dataset.key.replace("/", "_"), shape, prepared, identity)
    reader.read_lines(None)
    extraction = extraction_of(
        reader,
        dataset,
        winner_order="source_path desc, line desc",
        days=[None],
        homes=[None] * (len(files) + len(refused)),
        refused=refused,
        pseudonym_key=pseudonym_key,
        extracted_at=extracted_at,
    )
    return replace(extraction, never_read=(*unread, *unread_paths(landing, prefix)))


def _prepare(landing: Landing, files: Sequence[LandingFile], folder: Path, max_line_bytes: int) -> PreparedFiles:
    folder.mkdir(parents=True, exist_ok=True)
    sources = ((file.key, landing.local_path(file, folder)) for file in files)
    return prepare_files(sources, folder, max_line_bytes)

"""Lingokids: app events by day, users and activities from full snapshots.

Belongs here: what the three JSONL datasets look like, which files a window needs, which of two
records wins, where a line without a day is counted, what is personal. Not here: reading lines
(`jsonl.py`), judging them (`json_records.py`, `jsonl_records.py`), writing days (see `lake/`).

An event's identity is its id on its UTC day: what a day holds then depends on the files alone, not
on which other days are read with it, so days can be loaded in any order and grouping. The same id
on two days is two rows in the lake, of which the models of dbt count one.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import duckdb

from engagement_assets.extract.extraction import DayWindow, Extraction
from engagement_assets.extract.file_index import FileIndex
from engagement_assets.extract.json_records import Field, Kind, RecordShape
from engagement_assets.extract.jsonl import MAX_LINE_BYTES, PreparedFiles, prepare_files
from engagement_assets.extract.jsonl_extraction import extraction_of
from engagement_assets.extract.jsonl_records import JsonlRecords
from engagement_assets.extract.landing import Landing, LandingFile
from engagement_assets.lake.datasets import (
    LINGOKIDS_ACTIVITIES,
    LINGOKIDS_EVENTS,
    LINGOKIDS_USERS,
    Dataset,
)

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
        Field("registration_at", "registration_at", Kind.INSTANT),
        Field("trial_start_at", "trial_start_at", Kind.INSTANT),
        Field("trial_end_at", "trial_end_at", Kind.INSTANT),
        Field("subscription_start_at", "subscription_start_at", Kind.INSTANT),
        Field("subscription_expire_at", "subscription_expire_at", Kind.INSTANT),
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
_DATE_IN_PATH = re.compile(r"(?<!\d)(\d{4})(-?)(\d{2})\2(\d{2})(?!\d)")


def extract_events(  # noqa: PLR0913 - the signature of every extractor, and what events need
    connection: duckdb.DuckDBPyConnection,
    landing: Landing,
    window: DayWindow,
    workdir: Path,
    *,
    index: FileIndex,
    pseudonym_key: str | None,
    extracted_at: datetime,
    known_undated_days: Mapping[str, date],
    progress: Callable[[str], None],
    max_line_bytes: int = MAX_LINE_BYTES,
) -> Extraction:
    """Read the events of the window's days: `lingokids/events/**/*.jsonl[.gz]`.

    Of two records with one id on one day the one whose raw text sorts last wins. A line that says
    no day counts on the date in its file's path, else on the earliest day in the file, else on the
    day that is known of the file, else on the window's first day.

    Args:
        connection: Holds the tables that the returned queries read, until it is closed or until
            its next extraction of events.
        landing: The landing zone.
        window: The UTC days to read.
        workdir: An existing folder for copies of files that cannot be read where they lie.
        index: What is known of files; what is found out is added to it.
        pseudonym_key: When given, ids of children and devices land as pseudonyms.
        extracted_at: The time of the load.
        known_undated_days: File key → the day on which the quarantine knows its lines.
        progress: Told what is being done.
        max_line_bytes: Longer lines are quarantined.

    Raises:
        NotADirectoryError: The landing zone is not there.
        RuntimeError: A file changed while it was read; run again.
    """
    readable, refused = _list_files(landing, EVENTS_PREFIX)
    index.forget_others(EVENTS_PREFIX, readable)
    days = window.days()

    def may_hold_a_day(file: LandingFile) -> bool:
        known = index.of(file)
        if known is None or not known.days.isdisjoint(days):
            return True
        undated = known_undated_days.get(file.key, window.start if known.has_homeless else None)
        return undated in days

    files = [file for file in readable if may_hold_a_day(file)]
    progress(
        f"{LINGOKIDS_EVENTS.key}: reading {len(files):,} of {len(readable):,} files "
        f"({sum(file.size for file in files):,} bytes) for {window.start} to {days[-1]}"
    )
    prepared = _prepare(landing, files, workdir / "events", max_line_bytes)
    reader = JsonlRecords(connection, "lingokids_events", EVENT, prepared, "event_id")
    reader.read_lines(window)
    _learn_days(reader, files, index)
    homes = []
    for file in [*files, *refused]:
        known = index.of(file)
        home = date_in_path(file.key) or (min(known.days, default=None) if known else None)
        homes.append(home or known_undated_days.get(file.key, window.start))
    return extraction_of(
        reader,
        LINGOKIDS_EVENTS,
        winner_order="line desc, source_path desc",
        days=days,
        homes=homes,
        refused=refused,
        pseudonym_key=pseudonym_key,
        extracted_at=extracted_at,
    )


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


def date_in_path(key: str) -> date | None:
    """The first date in a file's key, written `2021-01-31` or `20210131`; None without one."""
    for match in _DATE_IN_PATH.finditer(key):
        try:
            return date(int(match[1]), int(match[3]), int(match[4]))
        except ValueError:
            continue
    return None


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
    files, refused = _list_files(landing, prefix)
    progress(f"{dataset.key}: reading {len(files):,} files")
    prepared = _prepare(landing, files, workdir / dataset.name, max_line_bytes)
    (identity,) = dataset.identity
    reader = JsonlRecords(connection, dataset.key.replace("/", "_"), shape, prepared, identity)
    reader.read_lines(None)
    return extraction_of(
        reader,
        dataset,
        winner_order="source_path desc, line desc",
        days=[None],
        homes=[None] * (len(files) + len(refused)),
        refused=refused,
        pseudonym_key=pseudonym_key,
        extracted_at=extracted_at,
    )


def _list_files(landing: Landing, prefix: str) -> tuple[list[LandingFile], list[LandingFile]]:
    """The files to read and those that must not be opened."""
    listed = [
        file
        if file.key.isascii() or (key := os.fsencode(file.key).decode("utf-8", "replace")) == file.key
        else replace(file, key=key, refused="the file name is not UTF-8")
        for file in landing.files(prefix, SUFFIXES)
    ]
    return [file for file in listed if not file.refused], [file for file in listed if file.refused]


def _prepare(landing: Landing, files: Sequence[LandingFile], folder: Path, max_line_bytes: int) -> PreparedFiles:
    folder.mkdir(parents=True, exist_ok=True)
    sources = ((file.key, landing.local_path(file, folder)) for file in files)
    return prepare_files(sources, folder, max_line_bytes)


def _learn_days(reader: JsonlRecords, files: Sequence[LandingFile], index: FileIndex) -> None:
    """Enter into the index what the files hold that it does not know yet."""
    new = {file_id: file for file_id, file in enumerate(files) if index.of(file) is None}
    for file_id, found in reader.days_of_files(new).items():
        file = new[file_id]
        days = {day for day in found if day is not None}
        home = date_in_path(file.key) or min(days, default=None)
        if None in found and home is not None:
            days.add(home)
        index.record(file, days, has_homeless=None in found and home is None)

"""Erasing the content of activities that Strava no longer has, once their grace period has ended.

Belongs here: which activities these are, and taking them out of the lake. Not here: when that is done
(`orchestration/retention.py`), tables and copies (`commands/erased_tables.py`), or how a load marks what is gone
(`extract/strava/extraction.py`).

No tombstone keeps such an activity out: if Strava lists it again, it is a new one. A lake from a backup has the marks
of that time, so the next use finds again what had been erased.
"""

import tempfile
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from engagement_assets.extract.strava.source import ID_OF_REJECTED, STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS
from engagement_assets.lake.columns_of_files import make_files_alike
from engagement_assets.lake.commit import FileChange, commit, exclusive
from engagement_assets.lake.day_files import rows_of
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.record_columns import QUARANTINE_COLUMNS
from engagement_assets.lake.retention import Pruned, pruned
from engagement_assets.lake.rewrite import Rewrite, remove_pages
from engagement_assets.lake.tombstones import (
    APPLIED,
    ERASURES_LOCK,
    Request,
    request_key,
    requests,
    requests_beside,
    write_tombstones,
)

_LOAD = STRAVA_ACTIVITIES.load_name
_DATASETS = (STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS)
_MEMORY = "512MB"
_IDS = "(select activity_id from deleted_activities)"


def erase_deleted_activities(
    lake: Lake, before: datetime, in_tables: Collection[int], *, now: datetime, dry_run: bool
) -> Pruned:
    """Take the activities out of the lake whose newest state is a deletion that was first seen before `before` (UTC).

    The request that records it commits with the files. It has no persons, and is done when the tables have followed.
    `in_tables` are the ids of such activities in the tables: one of which the lake has nothing, since retention has
    removed its day, is counted too, and leads to a request if none is unfinished. A dry run only counts.

    Raises:
        LakeBusyError: a load or an erasure is at work for longer than ten minutes.
    """
    make_files_alike(lake)
    with ExitStack() as stack:
        if dry_run:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        else:
            stack.enter_context(exclusive(lake, ERASURES_LOCK))
            folder = stack.enter_context(exclusive(lake, _LOAD))
        connection = stack.enter_context(lake.connect(_MEMORY, folder / "spill"))
        deleted, known = _find(lake, connection, before)
        only_in_tables = set(in_tables) - known
        earlier = requests(connection, lake)
        number = max({*earlier, *requests_beside(connection, lake)}, default=0) + 1
        moment = now.astimezone(UTC).replace(tzinfo=None)
        request = Request(number, STRAVA_ACTIVITIES.source, (), moment, APPLIED)
        rewrite = Rewrite(lake, connection, _LOAD, _DATASETS, request.name, folder)
        for dataset in _DATASETS if deleted else ():
            rewrite.rewrite_days(dataset, f"activity_id in {_IDS}")
            rewrite.rewrite_quarantine(dataset, f"coalesce({ID_OF_REJECTED} in {_IDS}, false)")
        changes = rewrite.finished()
        own = ("records/loads/", "records/held/")
        sizes = {change.key: lake.size(change.key) for change in changes if not change.key.startswith(own)}
        is_waiting = any(request.is_of_deleted_activities and request.state == APPLIED for request in earlier.values())
        if not dry_run and (changes or (only_in_tables and not is_waiting)):
            path = folder / "tombstones.parquet"
            write_tombstones(connection, replace(request, records_erased=rewrite.gone), path)
            commit(lake, _LOAD, [FileChange(request_key(request), path), *changes])
            remove_pages(lake, _LOAD)
        return replace(pruned("activities that Strava no longer has", sizes), count=len(deleted | only_in_tables))


def activity_ids(lake: Lake) -> set[int]:
    """The ids of all activities of which the lake has something."""
    make_files_alike(lake)
    with tempfile.TemporaryDirectory() as folder, lake.connect(_MEMORY, Path(folder)) as connection:
        return _find(lake, connection, datetime.now(UTC))[1]


def _find(lake: Lake, connection: duckdb.DuckDBPyConnection, before: datetime) -> tuple[set[int], set[int]]:
    """Make the table `deleted_activities`; returns its ids, and those of all activities of the lake.

    The newest state counts, as in `int_strava_activities_latest`. A rejected record, and one that is held, shows that
    Strava has the activity; what a held day misses is not believed yet.
    """
    keys = lake.all_day_keys(STRAVA_ACTIVITIES)
    held = [key for key in keys if key.startswith("held/")]

    def rows(chosen: Collection[str]) -> str:
        return rows_of([lake.location(key) for key in chosen], STRAVA_ACTIVITIES.columns)

    rejected = [lake.location(key) for key in lake.all_quarantine_keys(STRAVA_ACTIVITIES)]
    connection.execute(
        f"""
        create or replace temp table activity_states as
        select activity_id, deleted_at, extracted_at, day from {rows([key for key in keys if key not in held])}
        union all
        select activity_id, deleted_at, extracted_at, day from {rows(held)} where deleted_at is null
        union all
        select {ID_OF_REJECTED} as activity_id, null, quarantined_at, day from {rows_of(rejected, QUARANTINE_COLUMNS)}
        where activity_id is not null
        """
    )
    connection.execute(
        """
        create or replace temp table deleted_activities as
        select activity_id from (
            select activity_id, deleted_at from activity_states
            qualify row_number() over (
                partition by activity_id
                order by greatest(extracted_at, deleted_at) desc, deleted_at is not null, day desc
            ) = 1
        )
        where deleted_at < $before
        """,
        {"before": before.replace(tzinfo=None)},
    )
    deleted, known = (
        {found for (found,) in connection.execute(f"select distinct activity_id from {table}").fetchall()}
        for table in ("deleted_activities", "activity_states")
    )
    return deleted, known

"""Strava: the athlete's activities of a window of days, what became of those known before, and kudos observations.

Belongs here: what must not be kept of a page, which day an activity is of, which known activities are gone. Not here:
what an activity's fields mean (`activity.py`), how pages are asked for (`strava/api.py`), how rows reach the
lake (`services/extraction.py`, `lake/`).
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb

from engagement_assets.contracts.datasets import STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS
from engagement_assets.contracts.extraction import DayWindow, Extraction
from engagement_assets.extract.services.client import ApiLimitReachedError
from engagement_assets.extract.services.extraction import ApiRows
from engagement_assets.extract.services.pages import Page, PageStore
from engagement_assets.extract.services.records import BadValueError, ReadRecord, instant
from engagement_assets.extract.strava.activity import ACTIVITY, activity_id
from engagement_assets.extract.strava.api import StravaApi

_MAX_DEGREES = 180
# No document of the service is nearly as deep; what lies deeper is left out, since nobody has looked for places there.
_DEEPEST = 50

_PLACE_KEY = re.compile(r"(^|_)(lat|lng|lon)s?(_|$)|lat_?l(ng|on)|latitude|longitude|coordinate", re.IGNORECASE)
_ROUTE_KEY = re.compile(r"polyline|^map$", re.IGNORECASE)


@dataclass(frozen=True)
class StravaReading:
    """What a load of Strava found, in the part of the window that was read.

    Every activity that began before `complete_until` and is missing has gone, unless a record's id cannot be read.
    `stopped` says why the list was not read to its end. `missing` has, per day, how many activities of the complete
    part were known, and how many of them have surely gone: each record without an id may be one of those missing.
    """

    extraction: Extraction
    window: DayWindow
    complete_until: datetime
    stopped: ApiLimitReachedError | None
    missing: Mapping[date, tuple[int, int]]


def read_pages(api: StravaApi, pages: PageStore, window: DayWindow, place_decimals: int) -> Iterator[Page]:
    """The pages of a window, those that an earlier try of this run has kept first; the last one is empty.

    Coordinates are rounded before a page is kept, and routes are left out: no file and no record holds where somebody
    lives.

    Raises:
        ApiLimitReachedError: the daily limit is used up; the pages before are complete.
        ApiError: the service refuses or does not answer.
    """
    page = 1
    while (kept := pages.find(_page_name(window, page))) is not None:
        yield kept
        if not kept.records:
            return
        page += 1
    after = datetime.combine(window.start, time(), UTC) - timedelta(seconds=1)
    before = datetime.combine(window.end, time(), UTC)
    for activities in api.activity_pages(after, before, first_page=page):
        coarse = [without_exact_places(activity, place_decimals) for activity in activities]
        yield pages.keep(_page_name(window, page), coarse)
        page += 1


def extract(  # noqa: PLR0913 - the signature of every extractor, and what is known
    connection: duckdb.DuckDBPyConnection,
    pages: Iterable[Page],
    window: DayWindow,
    workdir: Path,
    *,
    published: str,
    extracted_at: datetime,
    progress: Callable[[str], None],
) -> StravaReading:
    """Turn the pages of a window into activities and kudos observations.

    An activity that was published, began in the part that was read completely and is on no page gets `deleted_at`; in
    the part that was not, or where its record cannot be used, it stays as it is. A record whose id cannot be read may
    be any activity: with one of them none is marked. Of two records with one id the one read later wins.

    Args:
        connection: Holds the tables that the returned queries read.
        pages: Oldest activities first, an empty page last (see `read_pages`).
        window: The days that the pages are of.
        workdir: An existing folder for rows.
        published: The activities that the lake holds of the window and of the days before and after it, as SQL for a
            table: an activity that was moved over midnight has not gone.
        extracted_at: The time of the load.
        progress: Told what was read.

    Raises:
        ApiLimitReachedError: the daily limit is used up, and no page could be read before.
    """
    rows = ApiRows(connection, STRAVA_ACTIVITIES, workdir, extracted_at)
    begun_last = window_start = datetime.combine(window.start, time())
    in_order = True
    seen: set[int] = set()
    without_id = 0
    stopped = None
    try:
        for page in pages:
            begun = _take_page(rows, page, window)
            in_order &= [begun_last, *begun] == sorted([begun_last, *begun])
            begun_last = max([begun_last, *begun])
            ids = [_id_of(record) for record in page.records]
            seen.update(found for found in ids if found is not None)
            without_id += ids.count(None)
            rows.end_page(page.name, sorted({started.date() for started in begun}) or [window.start], page.size)
    except ApiLimitReachedError as limit:
        if not rows.days_read:
            raise
        stopped = limit
    complete_until, read = datetime.combine(window.end, time()), window
    if stopped:
        # Of a list in any other order nothing is complete before its end.
        complete_until = begun_last if in_order else window_start
        read = DayWindow(window.start, max(rows.days_read) + timedelta(days=1))
    progress(f"{STRAVA_ACTIVITIES.key}: {len(seen):,} activities from {read.start} to {read.days()[-1]}")
    rows.finish(read.days(), "source_path desc, position desc", unique_within_day=False)
    missing = _mark_missing(rows, published, read, complete_until, seen, is_certain=not without_id)
    on_no_page = sum(found for _, found in missing.values())
    if without_id and on_no_page:
        progress(
            f"{STRAVA_ACTIVITIES.key}: the ids of {without_id:,} records cannot be read, and each may be any of the "
            f"{on_no_page:,} known activities that are on no page: none is marked as deleted by this load"
        )
    missing = _surely_missing(missing, without_id)
    return StravaReading(_extraction(rows), read, complete_until, stopped, missing)


def without_exact_places(node: Any, decimals: int, *, is_place: bool = False, levels: int = _DEEPEST) -> Any:
    """The same JSON value with coordinates rounded to `decimals` and routes left out, at any depth.

    `is_place` says that a key above names a place; containers below `levels` more are left out.
    """
    match node:
        case dict() | list() if levels == 0:
            return None
        case dict():
            return {
                key: without_exact_places(
                    value, decimals, is_place=is_place or bool(_PLACE_KEY.search(key)), levels=levels - 1
                )
                for key, value in node.items()
                if not _ROUTE_KEY.search(key)
            }
        case list():
            return [without_exact_places(value, decimals, is_place=is_place, levels=levels - 1) for value in node]
    return _rounded(node, decimals) if is_place else node


def _rounded(value: Any, decimals: int) -> Any:
    """A coordinate; nothing in place of one in words, or in millionths of a degree: these are as exact."""
    if isinstance(value, str) or (isinstance(value, int | float) and abs(value) > _MAX_DEGREES):
        return None
    return round(value, decimals) if isinstance(value, float) else value


def _page_name(window: DayWindow, page: int) -> str:
    return f"activities-{window.start}-to-{window.days()[-1]}-page-{page:05d}"


def _id_of(record: Any) -> int | None:
    """Which activity this is, also where the rest cannot be used."""
    try:
        return activity_id(record["id"])
    except (BadValueError, KeyError, TypeError):
        return None


def _take_page(rows: ApiRows, page: Page, window: DayWindow) -> list[datetime]:
    """Accept or reject the records of a page; returns when its activities began."""
    begun = []
    for position, record in enumerate(page.records):
        try:
            started, activity = _read_activity(record, window)
        except BadValueError as error:
            rows.reject(page.name, position, _day_of_rejected(record, window), record, error)
            continue
        begun.append(started)
        rows.accept(page.name, position, started.date(), activity)
    return begun


def _read_activity(record: Any, window: DayWindow) -> tuple[datetime, ReadRecord]:
    activity = ACTIVITY.read(record)
    started = activity.columns["started_at"]
    if not (isinstance(started, datetime) and window.start <= started.date() < window.end):
        raise BadValueError("outside_window", f"a start from {window.start} to before {window.end}", started)
    return started, activity


def _day_of_rejected(record: Any, window: DayWindow) -> date:
    """The day on which a rejected record counts: its own if it says one of the window, else the first."""
    try:
        day = instant(record["start_date"]).date()
    except (BadValueError, KeyError, TypeError):
        return window.start
    return day if window.start <= day < window.end else window.start


def _mark_missing(  # noqa: PLR0913 - what is known, and what was seen
    rows: ApiRows,
    published: str,
    window: DayWindow,
    complete_until: datetime,
    seen: Collection[int],
    *,
    is_certain: bool,
) -> dict[date, tuple[int, int]]:
    """Make `<name>_kept`: the published activities without a new record, marked as deleted where they have gone.

    Missing is what began in the complete part and is on no page; a record that was rejected is on one. Only where this
    `is_certain` it has gone.

    Returns:
        Day → how many activities of the complete part were there before, and how many of them are missing.
    """
    columns = ", ".join([*STRAVA_ACTIVITIES.columns, "day"])
    is_in_window = f"day >= date '{window.start}' and day < date '{window.end}'"
    rows.connection.execute(
        f"""
        create or replace temp table {rows.name}_published as
        select
            {columns},
            deleted_at is null and started_at < timestamp '{complete_until}' as is_known,
            activity_id not in (select unnest($seen::bigint[])) as is_missing,
            activity_id not in (select activity_id from {rows.name}_accepted) as is_kept
        from {published}
        where
            {is_in_window}
            -- What another day holds has moved there.
            and activity_id not in (
                select activity_id from {published} where not ({is_in_window}) and deleted_at is null
            )
        """,
        {"seen": list(seen)},
    )
    rows.connection.execute(
        f"""
        create or replace temp table {rows.name}_kept as
        select
            * replace (
                case
                    when {is_certain} and is_known and is_missing then timestamp '{rows.now}'
                    else deleted_at
                end as deleted_at
            )
        from {rows.name}_published
        where is_kept
        """
    )
    by_day = rows.connection.execute(
        f"""
        select day, count(*), count(*) filter (where is_missing)
        from {rows.name}_published
        where is_known
        group by day
        """
    ).fetchall()
    return {day: (known, missing) for day, known, missing in by_day}


def _surely_missing(missing: Mapping[date, tuple[int, int]], without_id: int) -> dict[date, tuple[int, int]]:
    """The same without as many of those missing as there are records that may be them, oldest days first."""
    surely = {}
    for day, (known, found) in sorted(missing.items()):
        spared = min(found, without_id)
        without_id -= spared
        surely[day] = (known, found - spared)
    return surely


def _extraction(rows: ApiRows) -> Extraction:
    """Activities, with those that are kept, and how many kudos each has today."""
    activities = rows.extraction()
    columns = ", ".join([*STRAVA_ACTIVITIES.columns, "day"])
    key, name = STRAVA_ACTIVITY_KUDOS.key, rows.name
    observations = f"{name}_accepted where kudos_count is not null"
    return replace(
        activities,
        accepted={
            STRAVA_ACTIVITIES.key: (
                f"{activities.accepted[STRAVA_ACTIVITIES.key]} union all select {columns} from {name}_kept"
            ),
            key: (
                "select activity_id, cast(extracted_at as date) as observed_on, kudos_count, source_path, "
                f"extracted_at, day from {observations}"
            ),
        },
        counts=(
            f"{activities.counts} union all "
            f"select '{key}' as dataset, days.day, days.files, 0 as bytes, count(seen.day) as records_read, "
            f"0 as quarantined, 0 as duplicates from {name}_counts as days "
            f"left join (select day from {observations}) as seen on days.day = seen.day group by all"
        ),
    )

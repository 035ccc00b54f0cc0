"""Strava: the athlete's activities of a window of days, what became of those known before, and kudos observations.

Belongs here: which day an activity is of, which known activities are gone. Not here: an activity's fields
(`source.py`), what is kept of places (`places.py`), how its pages are read (`listing.py`), how rows reach the lake
(`services/extraction.py`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from engagement_assets.contracts.extraction import DayWindow, Extraction
from engagement_assets.extract.services.client import ApiLimitReachedError
from engagement_assets.extract.services.extraction import ApiRows, ServiceReading
from engagement_assets.extract.services.pages import Page
from engagement_assets.extract.services.records import BadValueError, ReadRecord, instant
from engagement_assets.extract.strava.listing import Listing, starts_of
from engagement_assets.extract.strava.places import SeasonPlaces
from engagement_assets.extract.strava.source import (
    ACTIVITY,
    ID_OF_REJECTED,
    STRAVA_ACTIVITIES,
    STRAVA_ACTIVITY_KUDOS,
    id_of,
)

# How the temporary tables of `ApiRows` begin.
_NAME = STRAVA_ACTIVITIES.key.replace("/", "_")
_COLUMNS = ", ".join([*STRAVA_ACTIVITIES.columns, "day"])
# Of an observation, what is not simply a column of the activity. The name itself may say anything, so only its length
# is observed.
_OBSERVED = {
    "observed_on": "cast(extracted_at as date)",
    "name_word_count": r"coalesce(len(string_split_regex(trim(activity_name), '\s+')), 0)",
}


@dataclass(frozen=True)
class StravaOutcome:
    """What a load of Strava found in the part of the window that was read, complete for starts before `complete_until`.

    `stopped` says why the list was not read to its end. `missing` has, by day, how many activities of the complete part
    were known, and how many of them are certainly gone: each record without an id may be one of the missing ones.
    """

    extraction: Extraction
    window: DayWindow
    complete_until: datetime
    stopped: ApiLimitReachedError | None
    missing: Mapping[date, tuple[int, int]]


@dataclass
class _Listed:
    """What the pages have listed so far."""

    begun_last: datetime
    in_order: bool = True
    ids: set[int] = field(default_factory=set)
    without_id: int = 0


def extract(
    reading: ServiceReading,
    listing: Listing,
    published: str,
    places: SeasonPlaces,
    other_days: Callable[[], str] | None = None,
) -> StravaOutcome:
    """Turn the pages of a window into activities and kudos observations.

    A published activity that began in the completely read part and is on no page gets `deleted_at`. It stays as it is
    if it began later, or if its record cannot be used. A record whose id cannot be read may be any activity: with such
    a record none is marked. Of two records with one id the one read later wins.

    Args:
        reading: Its window has the days that were requested.
        listing: What Strava lists of the window.
        published: A table expression: the activities that the lake holds of the window and of the days before and after
            it, because an activity that moved over midnight is not gone.
        other_days: Gives a table expression of what the lake holds of all days. It is asked only if an activity is
            missing, which is not gone if its start was moved by more than a day.
        places: What is kept of places. Pages may have any, since quarantined records of older versions do.

    Raises:
        ApiLimitReachedError: the daily limit is used up, and no page was read before.
    """
    window, key = reading.window, STRAVA_ACTIVITIES.key
    rows = ApiRows(reading, STRAVA_ACTIVITIES)
    listed = _Listed(begun_last=datetime.combine(window.start, time()))
    stopped = None
    try:
        for page in listing.pages:
            slipped: Iterable[Page] = ()
            # Nothing comes before the first page.
            if listing.between and rows.days_read:
                slipped = _read_slipped(reading, page, listed, published, listing.between)
            for found in (*slipped, page):
                _take_page(rows, replace(found, records=places.clean(found.records)), listed)
    except ApiLimitReachedError as limit:
        if not rows.days_read:
            raise
        stopped = limit
    complete_until, read = datetime.combine(window.end, time()), window
    if stopped:
        # If the list is not in order, nothing is complete before its end.
        complete_until = listed.begun_last if listed.in_order else datetime.combine(window.start, time())
        read = DayWindow(window.start, max(rows.days_read) + timedelta(days=1))
    reading.progress(f"{key}: {len(listed.ids):,} activities from {read.start} to {read.days()[-1]}")
    # Later pages and positions were read later.
    activities = rows.finish(read.days(), "source_path desc, position desc", unique_within_day=False)
    if stopped:
        # A record that was not reached is as it was, whatever day it counts on.
        not_reached = f"coalesce({ID_OF_REJECTED} not in (select unnest({sorted(listed.ids)}::bigint[])), true)"
        activities = replace(activities, rejects_stay=not_reached)
    _keep_published(reading, places.only_cells(published), read, complete_until, listed)
    if other_days:
        _leave_out_moved(reading, read, other_days)
    missing = _mark_missing(reading, listed)
    on_no_page = sum(found for _, found in missing.values())
    if listed.without_id and on_no_page:
        reading.progress(
            f"{key}: the ids of {listed.without_id:,} records cannot be read, and each may be any of the "
            f"{on_no_page:,} known activities that are on no page: none is marked as deleted by this load"
        )
    missing = _certainly_missing(missing, listed.without_id)
    return StravaOutcome(_with_kudos(activities), read, complete_until, stopped, missing)


def _take_page(rows: ApiRows, page: Page, listed: _Listed) -> None:
    """Accept or reject the records of a page."""
    window, begun = rows.reading.window, [listed.begun_last]
    for position, record in enumerate(page.records):
        if (found := id_of(record)) is None:
            listed.without_id += 1
        else:
            listed.ids.add(found)
        try:
            started, activity = _read_activity(record, window)
        except BadValueError as error:
            rows.reject(page.name, position, _day_of_rejected(record, window), record, error)
            continue
        begun.append(started)
        rows.accept(page.name, position, started.date(), activity)
    listed.in_order &= begun == sorted(begun)
    listed.begun_last = max(begun)
    rows.end_page(page.name, sorted({started.date() for started in begun[1:]}) or [window.start], page.size)


def _read_activity(record: Any, window: DayWindow) -> tuple[datetime, ReadRecord]:
    activity = ACTIVITY.read(record)
    started = activity.columns["started_at"]
    if not (isinstance(started, datetime) and window.start <= started.date() < window.end):
        raise BadValueError("outside_window", f"a start from {window.start} to before {window.end}", started)
    return started, activity


def _day_of_rejected(record: Any, window: DayWindow) -> date:
    """The day on which a rejected record counts: its own if that is in the window, else the first."""
    started = _start_in(window, record)
    return started.date() if started else window.start


def _start_in(window: DayWindow, record: Any) -> datetime | None:
    """When a record began, even if the rest cannot be used; None outside the window."""
    try:
        started = instant(record["start_date"])
    except (BadValueError, KeyError, TypeError):
        return None
    return started if window.start <= started.date() < window.end else None


def _read_slipped(
    reading: ServiceReading,
    page: Page,
    listed: _Listed,
    published: str,
    between: Callable[[datetime, datetime], Iterable[Page]],
) -> Iterable[Page]:
    """What lies between the pages before and this one, if a published activity should be there and is on none of them.

    A deletion on an earlier page moves the list up while it is read: what would have come first on this page is then on
    the page before, which has been read. Only there can it be, so nothing is asked for what is missing within a page.
    """
    starts = (_start_in(reading.window, record) for record in page.records)
    first, last = listed.begun_last, next(filter(None, starts), starts_of(reading.window)[1])
    seen = listed.ids.union(filter(None, map(id_of, page.records)))
    missing = reading.connection.execute(
        f"""
        select 1 from {published}
        where
            day between cast($first as date) and cast($last as date)
            and started_at between $first and $last
            and deleted_at is null
            and activity_id not in (select unnest($seen::bigint[]))
        limit 1
        """,
        {"first": first, "last": last, "seen": list(seen)},
    ).fetchone()
    return between(first, last) if missing else ()


def _is_read(read: DayWindow) -> str:
    return f"day >= date '{read.start}' and day < date '{read.end}'"


def _keep_published(
    reading: ServiceReading, published: str, read: DayWindow, complete_until: datetime, listed: _Listed
) -> None:
    """Make `<name>_published`: the published activities of the days read.

    Missing is what began in the complete part and is on no page; a rejected record is on one.
    """
    is_read = _is_read(read)
    reading.connection.execute(
        f"""
        create or replace temp table {_NAME}_published as
        select
            {_COLUMNS},
            deleted_at is null and started_at < timestamp '{complete_until}' as is_known,
            activity_id not in (select unnest($seen::bigint[])) as is_missing,
            activity_id not in (select activity_id from {_NAME}_accepted) as is_kept
        from {published}
        -- What another day holds has moved there.
        where {is_read}
            and activity_id not in (select activity_id from {published} where not ({is_read}) and deleted_at is null)
        """,
        {"seen": list(listed.ids)},
    )


def _leave_out_moved(reading: ServiceReading, read: DayWindow, other_days: Callable[[], str]) -> None:
    """Leave out missing activities that a load has found on any other day since."""
    if reading.connection.execute(f"from {_NAME}_published where is_known and is_missing limit 1").fetchone():
        reading.connection.execute(
            f"""
            delete from {_NAME}_published as known
            where is_known and is_missing and exists (
                select 1 from {other_days()} as other
                where
                    not ({_is_read(read)})
                    and other.activity_id = known.activity_id
                    and other.extracted_at > known.extracted_at
                    and other.deleted_at is null
            )
            """
        )


def _mark_missing(reading: ServiceReading, listed: _Listed) -> dict[date, tuple[int, int]]:
    """Make `<name>_kept`: the published activities without a new record, marked as deleted where they are gone.

    A missing one is gone only if the ids of all records could be read.

    Returns:
        Day → how many activities of the complete part were known, and how many of them are missing.
    """
    reading.connection.execute(
        f"""
        create or replace temp table {_NAME}_kept as
        select
            * replace (
                if({not listed.without_id} and is_known and is_missing, timestamp '{reading.now}', deleted_at)
                as deleted_at
            )
        from {_NAME}_published where is_kept
        """
    )
    by_day = reading.connection.execute(
        f"select day, count(*), count(*) filter (where is_missing) from {_NAME}_published where is_known group by day"
    ).fetchall()
    return {day: (known, missing) for day, known, missing in by_day}


def _certainly_missing(missing: Mapping[date, tuple[int, int]], without_id: int) -> dict[date, tuple[int, int]]:
    """The same without one missing activity for each record that may be it, oldest days first."""
    certain = {}
    for day, (known, found) in sorted(missing.items()):
        spared = min(found, without_id)
        without_id -= spared
        certain[day] = (known, found - spared)
    return certain


def _with_kudos(activities: Extraction) -> Extraction:
    """The new activities with those that are kept; and of each new one how many kudos it has today, and what it is."""
    columns = ", ".join(f"{_OBSERVED.get(name, name)} as {name}" for name in STRAVA_ACTIVITY_KUDOS.columns)
    key, kudos_key = STRAVA_ACTIVITIES.key, STRAVA_ACTIVITY_KUDOS.key
    observations = f"{_NAME}_accepted where kudos_count is not null"
    return replace(
        activities,
        accepted={
            key: f"{activities.accepted[key]} union all select {_COLUMNS} from {_NAME}_kept",
            kudos_key: f"select {columns}, day from {observations}",
        },
        counts=(
            f"{activities.counts} union all "
            f"select '{kudos_key}' as dataset, days.day, days.files, 0 as bytes, count(seen.day) as records_read, "
            f"0 as quarantined, 0 as duplicates from {_NAME}_counts as days "
            f"left join (select day from {observations}) as seen on days.day = seen.day group by all"
        ),
    )

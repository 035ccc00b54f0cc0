"""What the lake has of the days that a load is about to replace, and which of these records would be gone.

Belongs here: comparing published days with staged ones. Not here: how days are staged (`lake/load.py`), or whether a
loss holds a day (`checks/standard.py`).
"""

from collections.abc import Collection, Iterable
from datetime import date

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import Calendar, DayWindow
from engagement_assets.lake.day_files import rows_of
from engagement_assets.lake.event_log_days import same_record
from engagement_assets.lake.load import Load
from engagement_assets.lake.record_columns import QUARANTINE_COLUMNS


def published_rows(load: Load, dataset: Dataset, window: DayWindow) -> str:
    """The published rows of the window's days, as SQL for a table."""
    return _published(load, dataset, window.days())


def quarantined_days(load: Load, dataset: Dataset, calendar: Calendar) -> dict[str, set[date]]:
    """Landing file → the days of the calendar on which the quarantine, also of held days, has a record of it."""
    lake = load.lake
    held = (lake.held_key(lake.quarantine_key(dataset, day)) for day in lake.held_days(load.name))
    files = [*map(lake.location, lake.quarantine_keys(dataset)), *lake.present(held)]
    rows = load.connection.execute(
        f"""
        select source_path, list(distinct day) from {rows_of(files, QUARANTINE_COLUMNS)}
        where day between date '{calendar.first}' and date '{calendar.last}'
        group by all
        """
    ).fetchall()
    return {source_path: set(days) for source_path, days in rows}


def records_whose_files_are_gone(
    load: Load, dataset: Dataset, files_read: Collection[str]
) -> dict[date, tuple[int, str]]:
    """Per day: how many published or held records are not staged and have no file any more, and the first file."""
    days = [load.lake.day_key(dataset, day) for day in load.days]
    known = rows_of(load.lake.present([*days, *map(load.lake.held_key, days)]), dataset.columns)
    rows = load.connection.execute(
        f"""
        select day, count(distinct (source_path, {", ".join(dataset.identity)})), min(source_path)
        from {known} as known
        where
            source_path not in (select unnest($files::varchar[]))
            and not exists (
                select 1 from {load.staged_rows(dataset)} as staged
                where {same_record(dataset, "staged", "known")}
            )
        group by day
        """,
        {"files": list(files_read)},
    ).fetchall()
    return {day: (records, example) for day, records, example in rows}


def records_not_in_their_files(
    load: Load, dataset: Dataset, files_there: Collection[str]
) -> dict[date, dict[str, int]]:
    """Per day and landing file: the staged records that stay from earlier loads although their file still exists.

    A load reads all records of its days; a file that it did not open is known to have none of them.
    """
    rows = load.connection.execute(
        f"""
        select day, source_path, count(*)
        from {load.staged_rows(dataset)} as staged
        where extracted_at <> {load.now} and source_path in (select unnest($files::varchar[]))
        group by all
        order by day, count(*) desc, source_path
        """,
        {"files": list(files_there)},
    ).fetchall()
    counts: dict[date, dict[str, int]] = {}
    for day, file, records in rows:
        counts.setdefault(day, {})[file] = records
    return counts


def records_missing(load: Load, dataset: Dataset) -> dict[date, tuple[int, int]]:
    """Per day with published records: how many, and how many of them are not staged."""
    published = _published(load, dataset, load.days)
    rows = load.connection.execute(
        f"""
        select
            day,
            count(*),
            count(*) filter (where not exists (
                select 1 from {load.staged_rows(dataset)} as staged
                where {same_record(dataset, "staged", "published")}
            ))
        from {published} as published
        group by day
        """
    ).fetchall()
    return {day: (known, missing) for day, known, missing in rows}


def _published(load: Load, dataset: Dataset, days: Iterable[date]) -> str:
    return rows_of(load.lake.present(load.lake.day_key(dataset, day) for day in days), dataset.columns)

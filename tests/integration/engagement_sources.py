"""A lake of all five sources that tests change, and the engagement tables worked out again in plain Python.

Belongs here: rows of each source with a user and a date, the record of their loads, the rules over the facts. Not here:
what a test expects.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import duckdb

from engagement_assets.contracts.datasets import (
    LINGOKIDS_EVENTS,
    MOBILE_EVENTS,
    RUNNA_ACTIVITIES,
    RUNNA_ACTIVITY_LAPS,
    STRAVA_ACTIVITIES,
    USER_EVENTS,
    Dataset,
)
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.record_columns import LOAD_COLUMNS
from tests.integration.warehouse_builder import Row, WarehouseBuilder

ENGAGEMENT = "+path:models/marts/engagement"
MARTS = ("weekly_engagement", "weekly_retention")
SOURCES = ("runna", "strava", "user_events", "mobile", "lingokids")
LOADS = Dataset("records/loads", "What every load writes down.", LOAD_COLUMNS, (), append_only=False)
FIRST_LOAD = datetime(2024, 3, 1, 6)
DAY, WEEK = timedelta(days=1), timedelta(days=7)
HOUR_MS = 3_600_000


class EngagementLake:
    """Days of the five sources as a test wants them, each written with the record of a load."""

    def __init__(self, warehouse: WarehouseBuilder, first_load: datetime = FIRST_LOAD) -> None:
        """Go on after the loads that are in the lake already."""
        self._warehouse = warehouse
        self._first_load = first_load
        self._loads: dict[date, list[Row]] = defaultdict(list)
        if (warehouse.lake_folder / LOADS.key).exists():
            files = f"{warehouse.lake_folder}/{LOADS.key}/*/*.parquet"
            for day, *values in duckdb.execute(f"select day, {', '.join(LOAD_COLUMNS)} from '{files}'").fetchall():
                self._loads[day].append(dict(zip(LOAD_COLUMNS, values, strict=True)))
        self._count = sum(map(len, self._loads.values()))

    def write(self, source: str, day: date, uses: Sequence[Mapping[str, Any]], status: str = "published") -> None:
        """Replace a day of a source by `uses`: `id`, `user`, `ms`, for Runna `on` (None: undated), `deleted`."""
        dataset = _write_day(self._warehouse, source, day, uses)
        self._count += 1
        loaded_at = self._first_load + timedelta(hours=9 * self._count)
        recorded_on = Lake(str(self._warehouse.lake_folder)).day_of_load_records(loaded_at.date())
        loads = self._loads[recorded_on]
        loads.append(
            {
                "load_id": str(self._count),
                "source": dataset.source,
                "dataset": dataset.name,
                "partition_date": day,
                "status": status,
                "rows_in_day": len(uses),
                "loaded_at": loaded_at,
            }
        )
        self._warehouse.write_day(LOADS, recorded_on, loads)

    def move_clock(self, by: timedelta) -> None:
        """What is written from now on is loaded so much later or earlier."""
        self._first_load += by


def _write_day(warehouse: WarehouseBuilder, source: str, day: date, uses: Sequence[Mapping[str, Any]]) -> Dataset:
    noon = datetime.combine(day, time(12))
    match source:
        case "runna":
            activities, laps = [], []
            for use in uses:
                on = use.get("on", day)
                created_on = datetime.combine(on, time(8)) if on else None
                activities.append({"activity_id": use["id"], "user_id": use["user"], "created_on": created_on})
                laps.append({"activity_id": use["id"], "lap_index": 0, "moving_time_ms": use["ms"]})
            warehouse.write_day(RUNNA_ACTIVITIES, day, activities)
            warehouse.write_day(RUNNA_ACTIVITY_LAPS, day, laps)
            return RUNNA_ACTIVITIES
        case "strava":
            dataset = STRAVA_ACTIVITIES
            rows = [
                {
                    "activity_id": int(use["id"]),
                    "sport_type": "Run",
                    "started_at": noon,
                    "moving_time_s": use["ms"] and use["ms"] // 1000,
                    "deleted_at": noon if use.get("deleted") else None,
                    "extracted_at": noon,
                }
                for use in uses
            ]
        case "user_events":
            dataset = USER_EVENTS
            rows = [
                {"event_id": use["id"], "user_id": use["user"], "event_time": noon, "server_upload_time": noon}
                for use in uses
            ]
        case "mobile":
            # A session of two events; another user or day is another session.
            dataset = MOBILE_EVENTS
            rows = [
                {
                    "event_id": f"{use['id']}-{day}-{position}",
                    "anonymous_id": use["user"],
                    "device_id": use["id"],
                    "event_name": "Application Opened",
                    "created_at": noon + timedelta(milliseconds=position * (use["ms"] or 0) % 900_000),
                    "received_at": noon,
                }
                for use in uses
                for position in (0, 1)
            ]
        case _:
            dataset = LINGOKIDS_EVENTS
            rows = [
                {"event_id": use["id"], "user_id": use["user"], "occurred_at": noon, "duration_ms": use["ms"]}
                for use in uses
            ]
    warehouse.write_day(dataset, day, rows)
    return dataset


FACTS = """
select 'runna', user_id, activity_date, moving_time_ms from training.fct__activities
union all
select 'strava', 'athlete', activity_date, moving_time_s * 1000 from strava.fct__strava_activities where not is_deleted
union all
select 'user_events', user_id, event_date, null from product.fct__user_events
union all
select 'mobile', anonymous_id, session_date, duration_ms from mobility.fct__mobile_sessions
union all
select 'lingokids', user_id, event_date, played_ms from learning.fct__activity_exits
"""
OBSERVED = """
select source, partition_date, max(loaded_at) from audit.ingestion_loads
where status = 'published' and dataset in ('activities', 'events') group by all
"""


def expected_tables(warehouse: WarehouseBuilder) -> dict[str, list[tuple[Any, ...]]]:
    """Both tables by the rules of the contract, user by user, from the facts and the record of loads; sorted.

    Both growth identities are asserted on the way.
    """
    facts: list[Any] = warehouse.query(FACTS)
    observed: list[Any] = warehouse.query(OBSERVED)
    newest_week = max((monday(day) for _, day, _ in observed), default=None)
    engagement: list[tuple[Any, ...]] = []
    retention: list[tuple[Any, ...]] = []
    for source in SOURCES:
        days = {day: loaded_at for name, day, loaded_at in observed if name == source}
        computed_at = max(days.values(), default=None)
        uses = [(user, day, ms) for name, user, day, ms in facts if name == source]
        undated = sum(day is None for _, day, _ in uses)
        uses = [use for use in uses if use[1] and (not computed_at or monday(use[1]) <= computed_at.date())]
        weeks_seen = {monday(day) for _, day, _ in uses} | {monday(day) for day in days}
        if not weeks_seen:
            continue
        last = max(weeks_seen | ({newest_week} if newest_week else set()))
        weeks = [min(weeks_seen) + number * WEEK for number in range((last - min(weeks_seen)).days // 7 + 1)]
        active = {week: {user for user, day, _ in uses if monday(day) == week and user} for week in weeks}
        seen: set[str] = set()
        before: set[str] = set()
        complete = {}
        for week in weeks:
            now = active[week]
            new, returning, resurrected = now - seen, now & before, (now & seen) - before
            churned = before - now
            assert len(now) == len(returning) + len(new) + len(resurrected)
            assert len(before) == len(returning) + len(churned)
            loads = [loaded_at for day, loaded_at in days.items() if monday(day) == week]
            whole = [day for day, loaded_at in days.items() if loaded_at >= datetime.combine(day, time()) + DAY]
            complete[week] = sum(monday(day) == week for day in whole) == 7
            times = [ms or 0 for _, day, ms in uses if monday(day) == week]
            ms = None if source == "user_events" else sum(times)
            counts = (len(now), len(new), len(returning), len(resurrected), len(churned), len(times), undated, ms)
            state = (len(loads), complete[week], max(loads, default=None), computed_at)
            engagement.append((source, week, *counts, *state, None if ms is None else ms / HOUR_MS))
            before, seen = now, seen | now
        first = {user: min(week for week in weeks if user in active[week]) for user in seen}
        for cohort in sorted(set(first.values())):
            users = {user for user, week in first.items() if week == cohort}
            for since, week in enumerate(week for week in weeks if week >= cohort):
                back = len(users & active[week])
                row = (source, cohort, since, week, len(users), back, complete[week], back / len(users))
                retention.append(row)
    return {"weekly_engagement": sorted(engagement, key=str), "weekly_retention": sorted(retention, key=str)}


def found_tables(warehouse: WarehouseBuilder) -> dict[str, list[tuple[Any, ...]]]:
    """Both tables as they were built; sorted."""
    return {name: sorted(warehouse.query(f"from engagement.{name}"), key=str) for name in MARTS}


def monday(day: date) -> date:
    """The first day of the ISO week."""
    return day - timedelta(days=day.weekday())

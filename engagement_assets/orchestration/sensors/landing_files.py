"""New, changed and late files in the landing zone: exactly the days that they touch are requested.

Belongs here: the requests. Not here: which sources land as files (`sources.py`), how files and days are compared
(`extract/landing/touched_days.py`).

The lake knows what has been loaded, so a tick needs no memory of its own. Files that arrive while nothing runs, days
that somebody loaded by hand and a lost Dagster instance all come out right. The cursor only says where the next tick
goes on if there are more folders than one tick can list. A run that failed before it had loaded its days is requested
again by the rules of `catch_up`, which does not miss a day that was loaded once.
"""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.source import Source
from engagement_assets.extract.landing.batch_folder import BatchFolder
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.landing.index import FileIndex
from engagement_assets.extract.landing.touched_days import Look, TouchedDays
from engagement_assets.extract.lines.readers import EventLog
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load_times import loaded_at
from engagement_assets.orchestration.jobs import SourceSet
from engagement_assets.orchestration.sensors.runs import Tick, removed_days, sensor_status
from engagement_assets.settings import Settings
from engagement_assets.shown_text import shown
from engagement_assets.sources import source_named

LANDING_FILES = "landing_files"
INTERVAL_S = 30
# Days far apart need a run each; the rest waits for the next tick.
MAX_REQUESTS = 10


def landing_sensor(settings: Settings, sets: Sequence[SourceSet]) -> dg.SensorDefinition:
    """Requests the days that files touch which arrived after these days were loaded."""

    @dg.sensor(
        name=LANDING_FILES,
        jobs=[source_set.job for source_set in sets],
        minimum_interval_seconds=INTERVAL_S,
        default_status=sensor_status(settings),
        description=(
            "Requests exactly the days that new, changed and late files touch, once they have rested for "
            f"{settings.landing_settle_s} s. Days that were never loaded count as touched, too."
        ),
    )
    def landing_files(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        tick = Tick.of(LANDING_FILES, context, settings)
        lake = Lake(settings.lake_uri)
        zone = _LandingZone(settings, lake, tick.now, json.loads(context.cursor or "{}"))
        requests: list[dg.RunRequest] = []
        remarks: list[str] = []
        for item in sets:
            source = source_named(item.name)
            if not source.readers:
                continue
            if run_id := tick.run_in_progress_on(item.own):
                remarks.append(f"{item.name} waits for run {run_id}")
                continue
            try:
                arrivals = zone.at(source)
            except NotADirectoryError as error:
                return dg.SensorResult(skip_reason=dg.SkipReason(shown(str(error))), cursor=context.cursor)
            except OSError as error:
                # Such as a file that has gone, or a folder that must not be read; the next tick looks again.
                remarks.append(f"{item.name}: its files cannot be looked through: {shown(str(error))}")
                context.log.warning(remarks[-1])
                continue
            days = {day for day in arrivals if settings.start_date <= day <= settings.last_day_at(tick.now)}
            if removed := removed_days(lake, source, days):
                days -= removed
                remarks.append(f"{item.name}: {len(removed)} touched days were removed by RAW_RETENTION_DAYS")
            touched = {day: _microseconds(arrivals[day]) for day in days}
            plan = tick.plan(item, touched, max_requests=MAX_REQUESTS)
            requests += plan.requests
            remarks += plan.remarks
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else dg.SkipReason("; ".join(remarks) or "no day is touched"),
            cursor=json.dumps(zone.cursor),
        )

    return landing_files


def _microseconds(moment: datetime) -> int:
    """Since 1970; a greater number is a later arrival."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


class _LandingZone:
    """The landing zone at a tick; `cursor` says where the listing of a source's folders goes on."""

    def __init__(self, settings: Settings, lake: Lake, now: datetime, cursor: dict[str, str]) -> None:
        self._landing = Landing(settings.landing_uri)
        self._lake = lake
        self._settled_before = now - timedelta(seconds=settings.landing_settle_s)
        self._calendar = settings.calendar_at(now)
        self.cursor = cursor

    def at(self, source: Source) -> dict[date, datetime]:
        """Day → arrival of the newest file that touches it. Days with a file that is too fresh are left out.

        Raises:
            NotADirectoryError: the landing zone is not there.
        """
        arrivals: dict[date, datetime] = {}
        for reader in source.readers:
            match reader:
                case BatchFolder():
                    touched = self._batches(source.name, reader)
                case EventLog():
                    touched = self._event_files(reader)
                case _:
                    # Snapshots have no days: each run loads them.
                    continue
            for day, arrived_at in touched.settled().items():
                arrivals[day] = max(arrived_at, arrivals.get(day, arrived_at))
        return arrivals

    def _batches(self, source: str, folder: BatchFolder) -> TouchedDays:
        touched, resume_after = folder.touched_days(self._look(folder.dataset), self.cursor.pop(source, None))
        if resume_after:
            self.cursor[source] = resume_after
        return touched

    def _event_files(self, log: EventLog) -> TouchedDays:
        index_uri = self._lake.location(f"index/{log.dataset.load_name}.json")
        index = FileIndex.load(index_uri)
        known = dict(index.files)
        touched = log.touched_days(self._look(log.dataset), index)
        if index.files != known:
            index.save(index_uri)
        return touched

    def _look(self, dataset: Dataset) -> Look:
        loaded = loaded_at(self._lake, dataset.load_name, dataset)
        return Look(
            landing=self._landing, loaded_at=loaded, settled_before=self._settled_before, calendar=self._calendar
        )

"""Schedules: every day the UTC day that has ended; every hour, whether a source has stopped.

Belongs here: which UTC day is due when, and what a tick requests. Not here: days that no tick has loaded
(`orchestration/sensors/catch_up.py`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from engagement_assets.orchestration.jobs import DAILY_ENGAGEMENT, FRESHNESS, WEEKLY_ENGAGEMENT_METRICS, SourceSet
from engagement_assets.settings import Settings

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Timetable:
    """One tick a day, at `hour` in `time_zone`."""

    hour: int
    time_zone: str

    @classmethod
    def of(cls, settings: Settings) -> "Timetable":
        """The timetable of the settings."""
        return cls(settings.schedule_hour, settings.schedule_time_zone)

    def days_of_tick(self, tick: datetime) -> list[date]:
        """The UTC days that have ended since the last tick.

        This is one day, except in nights in which clocks change. A tick at midnight in London falls on 23:00 UTC in
        summer, so one tick in autumn has two days and one in spring has none.
        """
        first = self._tick_before(tick).astimezone(UTC).date()
        return [first + _DAY * number for number in range((tick.astimezone(UTC).date() - first).days)]

    def newest_due_day(self, now: datetime) -> date:
        """The UTC day of the last tick up to `now`."""
        tick = self._on(self._local_date(now))
        return (tick if tick <= now else self._tick_before(tick)).astimezone(UTC).date() - _DAY

    def _tick_before(self, tick: datetime) -> datetime:
        return self._on(self._local_date(tick) - _DAY)

    def _local_date(self, instant: datetime) -> date:
        return instant.astimezone(ZoneInfo(self.time_zone)).date()

    def _on(self, day: date) -> datetime:
        return datetime.combine(day, time(self.hour), ZoneInfo(self.time_zone)).astimezone(UTC)


def schedules(settings: Settings, sets: Sequence[SourceSet], *, checks_freshness: bool) -> list[dg.ScheduleDefinition]:
    """One for all sources, one per source, the weekly one, and the one for freshness, if there is such a job.

    The schedule of a single source is never on from the start: `daily_engagement` loads its days already. Nor is any on
    sample data, of which no day is current.
    """
    stopped = dg.DefaultScheduleStatus.STOPPED
    on = settings.schedules_on and not settings.runs_on_sample_data
    from_the_start = dg.DefaultScheduleStatus.RUNNING if on else stopped
    items = [
        _daily(DAILY_ENGAGEMENT, settings, from_the_start),
        *(_daily(source_set.job_name, settings, stopped) for source_set in sets),
        dg.ScheduleDefinition(
            name=f"{WEEKLY_ENGAGEMENT_METRICS}_schedule",
            job_name=WEEKLY_ENGAGEMENT_METRICS,
            # Sunday's data is loaded from the same hour on; when that ends, the sensor `cross_source_tables` follows.
            cron_schedule=f"0 {settings.schedule_hour} * * 1",
            execution_timezone=settings.schedule_time_zone,
            default_status=from_the_start,
            description="On Mondays: the weekly tables over all sources, even if no source has sent anything new.",
        ),
    ]
    if checks_freshness:
        items.append(
            dg.ScheduleDefinition(
                name=f"{FRESHNESS}_schedule",
                job_name=FRESHNESS,
                # Deadlines are whole hours after the end of a UTC day, so a source that misses one is reported within
                # minutes. No other schedule ticks at this minute.
                cron_schedule="5 * * * *",
                execution_timezone="UTC",
                default_status=from_the_start,
                description="Every hour: whether a source has stopped, so that its newest day misses its deadline.",
            )
        )
    return items


def _daily(job_name: str, settings: Settings, default_status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    timetable = Timetable.of(settings)

    @dg.schedule(
        name=f"{job_name}_schedule",
        job_name=job_name,
        cron_schedule=f"0 {settings.schedule_hour} * * *",
        execution_timezone=settings.schedule_time_zone,
        default_status=default_status,
        description=(
            "Every day: the UTC day that has ended. If ticks were missed, Dagster runs the newest one; the sensor "
            "`catch_up` requests the days of the others."
        ),
    )
    def daily(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        tick = context.scheduled_execution_time
        first, last = settings.start_date, settings.last_day_at(tick)
        days = [day for day in timetable.days_of_tick(tick) if first <= day <= last]
        if not days:
            yield dg.SkipReason(f"no UTC day from {first} to {last} has ended since the last tick")
        for day in days:
            yield dg.RunRequest(run_key=day.isoformat(), partition_key=day.isoformat())

    return daily

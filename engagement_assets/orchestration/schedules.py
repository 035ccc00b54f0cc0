"""Schedules: the day that has ended, every day at one hour; and every hour, whether a source has stopped.

Belongs here: what a tick requests. Not here: days that no tick has loaded (`orchestration/sensors/catch_up.py`), or
when days are due (`orchestration/timetable.py`).
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from engagement_assets.orchestration.jobs import DAILY_ENGAGEMENT, FRESHNESS, WEEKLY_ENGAGEMENT_METRICS, SourceSet
from engagement_assets.orchestration.timetable import Timetable
from engagement_assets.settings import Settings


def schedules(
    settings: Settings, sets: Sequence[SourceSet], *, sources_are_waited_for: bool
) -> list[dg.ScheduleDefinition]:
    """One for all sources, one per source for those who want it, the weekly one, and the one that asks for freshness.

    A schedule per source is never on from the start: its days are those of `daily_engagement`. Where nobody waits for a
    source there is no job `freshness`, and nothing to schedule.
    """
    from_the_start = dg.DefaultScheduleStatus.RUNNING if settings.schedules_on else dg.DefaultScheduleStatus.STOPPED
    return [
        _daily(DAILY_ENGAGEMENT, settings, from_the_start),
        *(_daily(item.job_name, settings, dg.DefaultScheduleStatus.STOPPED) for item in sets),
        dg.ScheduleDefinition(
            name=f"{WEEKLY_ENGAGEMENT_METRICS}_schedule",
            job_name=WEEKLY_ENGAGEMENT_METRICS,
            # The run of Sunday's data begins at the same hour; the sensor `cross_source_tables` follows when it ends.
            cron_schedule=f"0 {settings.schedule_hour} * * 1",
            execution_timezone=settings.schedule_time_zone,
            default_status=from_the_start,
            description="On Mondays: the weekly tables over all sources, also when no source has sent anything new.",
        ),
        *([_freshness(from_the_start)] if sources_are_waited_for else []),
    ]


def _freshness(default_status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=f"{FRESHNESS}_schedule",
        job_name=FRESHNESS,
        # Deadlines are whole hours after the end of a UTC day, so that a source that misses one is told of within
        # minutes. At this minute no other schedule asks for anything.
        cron_schedule="5 * * * *",
        execution_timezone="UTC",
        default_status=default_status,
        description="Every hour: whether a source has stopped, that is, its newest day is not there at its deadline.",
    )


def _daily(job_name: str, settings: Settings, default_status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    timetable = Timetable.of(settings)

    @dg.schedule(
        name=f"{job_name}_schedule",
        job_name=job_name,
        cron_schedule=f"0 {settings.schedule_hour} * * *",
        execution_timezone=settings.schedule_time_zone,
        default_status=default_status,
        description=(
            "Every day: the UTC day that has ended. Of ticks that were missed Dagster runs the newest; the days of the "
            "others are left to the sensor `catch_up`."
        ),
    )
    def daily(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        days = [day for day in timetable.days_of_tick(context.scheduled_execution_time) if day >= settings.start_date]
        if not days:
            yield dg.SkipReason(f"no UTC day from {settings.start_date} on has ended since the tick before")
        for day in days:
            yield dg.RunRequest(run_key=day.isoformat(), partition_key=day.isoformat())

    return daily

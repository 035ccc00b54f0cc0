"""When each UTC day is due, on a timetable of one local hour a day.

Belongs here: arithmetic of days, hours and time zones. Not here: what is requested for a day
(`orchestration/schedules.py`, `sensors/`).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

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
        days, day = [], self._tick_before(tick).astimezone(UTC).date()
        while day < tick.astimezone(UTC).date():
            days.append(day)
            day += _DAY
        return days

    def newest_due_day(self, now: datetime) -> date:
        """The UTC day of the last tick up to `now`."""
        local = self._local(now)
        tick = self._on(local.date())
        return (tick if tick <= now else self._tick_before(tick)).astimezone(UTC).date() - _DAY

    def _tick_before(self, tick: datetime) -> datetime:
        return self._on(self._local(tick).date() - _DAY)

    def _local(self, instant: datetime) -> datetime:
        return instant.astimezone(ZoneInfo(self.time_zone))

    def _on(self, day: date) -> datetime:
        return datetime.combine(day, time(self.hour), ZoneInfo(self.time_zone)).astimezone(UTC)

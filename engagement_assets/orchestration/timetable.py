"""Which UTC days are due when, on a timetable of one local hour a day.

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
        """The timetable that the settings name."""
        return cls(settings.schedule_hour, settings.schedule_time_zone)

    def days_of_tick(self, tick: datetime) -> list[date]:
        """The UTC days that have ended since the tick before.

        It is one, but for the nights in which clocks are set: a tick at midnight in London falls on 23:00 UTC in
        summer, so in autumn a tick has two days and in spring one has none.
        """
        days, day = [], self._tick_before(tick).astimezone(UTC).date()
        while day < tick.astimezone(UTC).date():
            days.append(day)
            day += _DAY
        return days

    def newest_due_day(self, now: datetime) -> date:
        """The last UTC day that a tick up to `now` was about."""
        local = self._local(now)
        tick = self._on(local.date())
        return (tick if tick <= now else self._tick_before(tick)).astimezone(UTC).date() - _DAY

    def _tick_before(self, tick: datetime) -> datetime:
        return self._on(self._local(tick).date() - _DAY)

    def _local(self, instant: datetime) -> datetime:
        return instant.astimezone(ZoneInfo(self.time_zone))

    def _on(self, day: date) -> datetime:
        return datetime.combine(day, time(self.hour), ZoneInfo(self.time_zone)).astimezone(UTC)

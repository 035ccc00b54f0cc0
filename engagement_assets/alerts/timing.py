"""When a message may go out: quiet hours, and the one digest a day for warnings.

Belongs here: clock times of a day and what they mean. Not here: who sends (`delivery.py`).

Errors go out at any hour. Warnings, and that they are over, wait: for the end of the quiet hours, or for the digest.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Self
from zoneinfo import ZoneInfo

from engagement_assets.settings import Settings


@dataclass(frozen=True)
class Timing:
    """The hours of one deployment, in its time zone."""

    time_zone: tzinfo = UTC
    quiet_from: time | None = None
    quiet_until: time | None = None
    digest_at: time | None = None
    repeat_after: timedelta = timedelta(hours=24)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The hours that the settings name."""
        start, _, end = settings.alert_quiet_hours.partition("-")
        digest = settings.alert_warning_digest_at
        return cls(
            time_zone=ZoneInfo(settings.alert_time_zone),
            quiet_from=time.fromisoformat(start) if start else None,
            quiet_until=time.fromisoformat(end) if end else None,
            digest_at=time.fromisoformat(digest) if digest else None,
            repeat_after=timedelta(hours=settings.alert_repeat_hours),
        )

    def warnings_go_at(self, now: datetime) -> datetime:
        """When a warning that is told now goes out: at once, or at the end of the quiet hours."""
        if self.quiet_from is None or self.quiet_until is None:
            return now
        local = now.astimezone(self.time_zone)
        clock, start, end = local.time(), self.quiet_from, self.quiet_until
        quiet = start <= clock < end if start <= end else clock >= start or clock < end
        return self._next(end, local).astimezone(now.tzinfo) if quiet else now

    def last_digest(self, now: datetime) -> datetime | None:
        """The newest moment at which a digest was due; None when warnings go out by themselves."""
        if self.digest_at is None:
            return None
        local = now.astimezone(self.time_zone)
        today = datetime.combine(local.date(), self.digest_at, self.time_zone)
        due = (
            today
            if today <= local
            else datetime.combine(local.date() - timedelta(days=1), self.digest_at, self.time_zone)
        )
        return due.astimezone(now.tzinfo)

    def _next(self, clock: time, local: datetime) -> datetime:
        today = datetime.combine(local.date(), clock, self.time_zone)
        if today > local:
            return today
        return datetime.combine(local.date() + timedelta(days=1), clock, self.time_zone)

"""Timelines of independent users of the scooter app, cut from a run of bytes.

Belongs here: what happens to one user, when each event arrives and when it goes. Not here: what the tables must hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from tests.integration.warehouse_builder import Row

# Pauses around the gap of 15 minutes, over midnight and over days; most are short: sessions have several events.
PAUSES = (
    *(timedelta(0), timedelta(microseconds=1), timedelta(seconds=1), timedelta(minutes=5), timedelta(minutes=10)),
    *(timedelta(minutes=14, seconds=59), timedelta(minutes=14, seconds=59, microseconds=999_999)),
    *(timedelta(minutes=15), timedelta(minutes=15, microseconds=1), timedelta(minutes=15, seconds=1)),
    *(timedelta(minutes=7, seconds=30), timedelta(hours=1), timedelta(hours=8), timedelta(hours=23, minutes=45)),
    *(timedelta(minutes=14), timedelta(days=2)),
)
EVENT_NAMES = (
    *("Application Opened", "Scooter Selected - User", "List Of Payment Shown", "Ride Started - Successful"),
    *("Ride Done - Successful", "Rating Screen Shown", "Out-Of-Business Zone Shown", "Application Opened"),
)
BYTES_AN_EVENT = 3
EVENTS_A_USER = 8


@dataclass(frozen=True)
class TimedEvent:
    """An event of the app, in the lake from one step on, and until another one (or for good)."""

    row: Row
    arrives_in_step: int
    leaves_in_step: int | None

    @property
    def day(self) -> date:
        """The day of the lake."""
        created_at = self.row["created_at"]
        assert isinstance(created_at, datetime)
        return created_at.date()

    def is_there_in(self, step: int) -> bool:
        """Whether the lake has it in a step."""
        return self.arrives_in_step <= step and (self.leaves_in_step is None or step < self.leaves_in_step)


def timelines(content: bytes, first_day: date, days: int, day_of_step: Sequence[date]) -> list[TimedEvent]:
    """The events of `len(content) / 24` users; every byte decides something, and no user knows of another.

    What comes late or goes does so in a step that changes its day: a step changes one day and not its neighbours.
    """
    size = BYTES_AN_EVENT * EVENTS_A_USER
    found = []
    for user in range(len(content) // size):
        own = content[user * size : (user + 1) * size]
        # Users begin all over the days, many of them just before a midnight.
        at = datetime.combine(first_day, time(23, 40)) + timedelta(days=user % (days - 1), minutes=user * 7 % 60)
        for index in range(EVENTS_A_USER):
            pause, kind, fate = (
                # The position turns the byte, so that content of equal bytes has different events, too.
                (byte + 37 * (user * EVENTS_A_USER + index)) % 256
                for byte in own[index * BYTES_AN_EVENT : (index + 1) * BYTES_AN_EVENT]
            )
            at += PAUSES[pause % len(PAUSES)]
            if at.date() >= first_day + timedelta(days=days):
                break
            name = f"User-{user:04}"
            row = {
                "event_id": f"{name}/{index}",
                "anonymous_id": name.upper() if pause & 16 else name.lower(),
                # Most events are of one device.
                "device_id": "Tablet" if kind & 0b1110_0000 == 0 else "phone" if pause & 32 else "PHONE",
                "event_name": EVENT_NAMES[kind % 8],
                "business_zone": f"zone {user % 5}" if kind & 8 else None,
                "os_name": "android" if kind & 16 else None,
                "app_version": f"1.{index}" if fate & 128 else None,
                "created_at": at,
                "received_at": at + timedelta(seconds=1) if pause & 64 else None,
            }
            steps = [step for step, day in enumerate(day_of_step) if step and day == at.date()]
            arrives = steps.pop(0) if steps and fate & 1 else 0
            leaves = steps.pop() if steps and fate & 6 == 0 else None
            found.append(TimedEvent(row, arrives, leaves))
    return found

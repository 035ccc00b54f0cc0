"""Sessions of the scooter app in the sample: who used it when, from opening it to rating the ride.

Belongs here: users, sessions and their events. Not here: the files, and what is wrong with some of them
(`mobile_sample.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from random import Random

from engagement_assets.sandbox.sample_draws import SampleParameters, due, happens

USER_COUNT = 250
SECOND_DEVICE_EVERY = 10  # users
ZONES = ("Centro", "Norte", "Sur", "Poblenou; Besòs", "")
ZONE_WEIGHTS = (40, 25, 20, 10, 5)
# Rates in 100,000 events.
MIDNIGHT_RATE = 500
BORDER_GAP_RATE = 1_500
LATE_RATE = 1_500
PERCENT_BY_WEEKDAY = (96, 97, 98, 100, 112, 115, 92)
LATEST_DAYS = 4
MS = timedelta(milliseconds=1)
MS_PER_MINUTE = 60_000
MS_PER_HOUR = 3_600_000
# Gaps around 15 minutes, where a session ends; clocks are exact to the millisecond.
BORDER_GAPS_MS = (899_000, 900_000, 901_000, 899_999)
# Each step, the share of sessions that reach it from the step before, and the least and most seconds that it takes.
FUNNEL = (
    ("Application Opened", 1.0, 0, 1),
    ("Location Services Enabled", 0.9, 1, 20),
    ("Scooter Selected - User", 0.75, 4, 200),
    ("List Of Payment Shown", 0.75, 2, 40),
    ("Qr Scanner - Scanned Succeeded", 0.85, 5, 240),
    ("Ride Started - Successful", 0.9, 1, 15),
    ("Ride Done - Successful", 0.97, 180, 1_500),
    ("Rating Screen - Shown", 0.8, 0, 3),
    ("Rating Screen - Submitted", 0.5, 2, 30),
)


@dataclass(frozen=True)
class AppUser:
    """A user with one or two devices."""

    anonymous_id: str
    devices: tuple[tuple[str, str], ...]  # Device id and system.
    zone: str
    app_version: str


@dataclass(frozen=True)
class MobileEvent:
    """One event of the app; `received_at` is None if the service lost it."""

    user: AppUser
    device: tuple[str, str]
    name: str
    received_at: datetime | None
    created_at: datetime


class SessionLog:
    """Events of the app's users, the sessions of each day drawn on their own."""

    def __init__(self, parameters: SampleParameters) -> None:
        """Draw the users."""
        self._parameters = parameters
        self._users = list(_users(parameters))

    def created_on(self, index: int) -> list[MobileEvent]:
        """The events created on a day, oldest first, with those of sessions that began the night before."""
        day = self._parameters.day(index)
        nights = (index - 1, index) if index else (index,)
        events = [event for start in nights for event in self._started_on(start) if event.created_at.date() == day]
        return sorted(events, key=lambda event: event.created_at)

    def late(self, index: int) -> list[MobileEvent]:
        """Events created on earlier days and sent on this one, when a device was back online."""
        parameters = self._parameters
        events: list[MobileEvent] = []
        for serial in due(index, parameters.mobile_events_per_day, LATE_RATE) if index else ():
            draw = parameters.stream("mobile", "late", str(serial))
            days = draw.randrange(1, min(index, LATEST_DAYS) + 1)
            midnight = datetime.combine(parameters.day(index - days), time())
            session = self._session(draw, midnight + draw.randrange(8 * MS_PER_HOUR, 20 * MS_PER_HOUR) * MS)
            received_at = midnight + timedelta(days=days, hours=7) + draw.randrange(MS_PER_HOUR) * MS
            events += [
                MobileEvent(event.user, event.device, event.name, received_at, event.created_at)
                for event in session[: draw.randrange(1, 4)]
            ]
        return events

    def one(self, index: int, serial: int) -> MobileEvent:
        """One more event of a day, to be damaged."""
        draw = self._parameters.stream("mobile", "broken", str(serial))
        midnight = datetime.combine(self._parameters.day(index), time())
        return self._session(draw, midnight + draw.randrange(8 * MS_PER_HOUR, 20 * MS_PER_HOUR) * MS)[0]

    def _started_on(self, index: int) -> list[MobileEvent]:
        """The sessions that began on a day, with their events after midnight."""
        day, per_day = self._parameters.day(index), self._parameters.mobile_events_per_day
        draw = self._parameters.stream("mobile", "sessions", str(index))
        midnight = datetime.combine(day, time())
        count = max(1, per_day * (PERCENT_BY_WEEKDAY[day.weekday()] + draw.randrange(-4, 5)) // 100)
        events: list[MobileEvent] = []
        for serial in due(index, per_day, MIDNIGHT_RATE):
            start = midnight + timedelta(hours=23, minutes=54) + (serial * 37_129 % (5 * MS_PER_MINUTE)) * MS
            events += self._session(draw, start, all_steps=True)
        borders = [BORDER_GAPS_MS[serial % len(BORDER_GAPS_MS)] for serial in due(index, per_day, BORDER_GAP_RATE)]
        while len(events) < count:
            start = midnight + draw.randrange(6 * MS_PER_HOUR, 23 * MS_PER_HOUR) * MS
            session = self._session(draw, start)
            if borders:
                # The app is opened again this long after the last event.
                again = session[-1].created_at + borders.pop() * MS
                last = session[-1]
                session.append(MobileEvent(last.user, last.device, FUNNEL[0][0], again + 800 * MS, again))
            events += session
        return events

    def _session(self, draw: Random, start: datetime, *, all_steps: bool = False) -> list[MobileEvent]:
        """One user's way through the app, as far as they went."""
        user = draw.choice(self._users)
        device = draw.choice(user.devices)
        clock = start
        events: list[MobileEvent] = []
        for step, share, least_s, most_s in FUNNEL:
            if not (all_steps or happens(draw, share)):
                break
            # Some apps write whole seconds, so two events may have the same time.
            pause_ms = draw.randrange(least_s * 1000, most_s * 1000 + 1)
            clock += (pause_ms // 1000 * 1000 if device[1] == "Android" else pause_ms) * MS
            name = step
            if step.startswith("Scooter Selected") and happens(draw, 0.3):
                name = "Scooter Selected - Auto"
            received_at = None if happens(draw, 0.005) else clock + draw.randrange(200, 5_000) * MS
            events.append(MobileEvent(user, device, name, received_at, clock))
            if step.startswith("Ride Started") and happens(draw, 0.1):
                events.append(MobileEvent(user, device, "Out-Of-Business Zone Entered", clock + 900 * MS, clock))
        return events


def _users(parameters: SampleParameters) -> Iterator[AppUser]:
    for number in range(USER_COUNT):
        draw = parameters.stream("mobile", "user", str(number))
        system = "Android" if happens(draw, 0.6) else "iOS"
        devices = [(_drawn_id(draw), system)]
        if number % SECOND_DEVICE_EVERY == 0:
            devices.append((_drawn_id(draw), "iOS"))
        yield AppUser(
            _drawn_id(draw),
            tuple(devices),
            draw.choices(ZONES, ZONE_WEIGHTS)[0],
            f"3.{draw.randrange(4)}.{draw.randrange(3)}",
        )


def _drawn_id(draw: Random) -> str:
    text = f"{draw.getrandbits(128):032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))

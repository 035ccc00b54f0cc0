"""Activities of the sandbox's athlete: what was recorded, and how it changes later.

Belongs here: the history from a seed, and each activity's document at an instant. Not here: the service that returns it
(`strava_service.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import inf
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from engagement_assets.sandbox.sample_draws import happens

ATHLETE_ID = 4_242_424
IDS_PER_DAY = 100_000
# Below this many a day the number varies, as a person's habits do; from it on it is exact.
STEADY_FROM_PER_DAY = 10
KUDOS_GROW_DAYS = 6
# Every so many activities, counted over the whole history, so that a short history has each kind too.
DELETED_EVERY = 50
CROPPED_EVERY = 40
RENAMED_EVERY = 9


class Place(NamedTuple):
    """A place to start from, with Strava's name for its time zone."""

    timezone: str
    country: str | None
    latitude: float
    longitude: float

    @property
    def zone(self) -> ZoneInfo:
        """The time zone, named after the bracket."""
        return ZoneInfo(self.timezone.partition(") ")[2])


class Sport(NamedTuple):
    """A kind of activity: its mean speed in m/s (0 if it covers no distance), and whether it has a cadence."""

    type: str
    sport_type: str
    speed: float
    has_cadence: bool


PLACES = (
    Place("(GMT+00:00) Europe/London", "United Kingdom", 51.507351, -0.127758),
    Place("(GMT+01:00) Europe/Madrid", "Spain", 40.416775, -3.703790),
    Place("(GMT-08:00) America/Los_Angeles", None, 34.052235, -118.243683),
    Place("(GMT+05:30) Asia/Kolkata", "India", 12.971599, 77.594566),
)
PLACE_WEIGHTS = (90, 5, 3, 2)
RUN = Sport("Run", "Run", 3.1, True)
SPORTS = (
    RUN,
    Sport("Run", "TrailRun", 2.6, True),
    Sport("Ride", "Ride", 7.2, True),
    Sport("Walk", "Walk", 1.4, False),
    Sport("WeightTraining", "WeightTraining", 0.0, False),
    Sport("Workout", "Padel", 0.0, False),
    Sport("Workout", "HoverboardPolo", 2.0, False),  # A sport that nobody knows.
)
SPORT_WEIGHTS = (70, 6, 10, 6, 4, 2, 2)
RUN_TYPES, RUN_TYPE_WEIGHTS = (None, 0, 1, 2, 3), (45, 20, 5, 15, 15)
RIDE_TYPES = (None, 10, 12)
KUDOS_OF_RUN_TYPES = {None: 7, 0: 7, 1: 24, 2: 14, 3: 10}
NAMES = ("Morning Run", "Lunch Run", "Evening Run", "Club night: 8x400 m", "Easy; then not so easy")
LATER_NAMES = ("parkrun PB! 🎉", 'The "flat" route', "Søndagstur på Østerbro", "Back\\slash hills", "")


@dataclass(frozen=True)
class Change:
    """A change of an activity, at an age counted from its recorded start."""

    age: timedelta
    name: str | None = None
    cropped_s: int = 0
    deletes: bool = False


@dataclass(frozen=True)
class Activity:
    """One activity as it was uploaded, with its later changes."""

    activity_id: int
    uploaded: dict[str, Any]
    recorded_at: datetime
    zone: ZoneInfo
    kudos: int
    changes: tuple[Change, ...]

    def started_at(self, now: datetime) -> datetime:
        """The start as known at `now`; cropping moves it."""
        return self.recorded_at + timedelta(seconds=self._cropped_s(now))

    def is_deleted(self, now: datetime) -> bool:
        """Whether the athlete has deleted it by `now`."""
        return any(change.deletes for change in self._done(now))

    def document(self, now: datetime) -> dict[str, Any]:
        """The document that the API returns at `now`."""
        document = dict(self.uploaded)
        started_at, cropped_s = self.started_at(now), self._cropped_s(now)
        local = started_at.astimezone(self.zone)
        offset = local.utcoffset() or timedelta()
        document["start_date"] = f"{started_at:%Y-%m-%dT%H:%M:%SZ}"
        document["start_date_local"] = f"{local:%Y-%m-%dT%H:%M:%SZ}"  # Like Strava: a local time with a Z.
        document["utc_offset"] = offset.total_seconds()
        age = (now - self.recorded_at) / timedelta(days=KUDOS_GROW_DAYS)
        document["kudos_count"] = int(self.kudos * min(1.0, max(0.0, age)))
        document["comment_count"] = document["kudos_count"] // 9
        for change in self._done(now):
            if change.name is not None:
                document["name"] = change.name
        if cropped_s:
            left = (document["moving_time"] - cropped_s) / document["moving_time"]
            document["distance"] = round(document["distance"] * left, 1)
            document["moving_time"] -= cropped_s
            document["elapsed_time"] -= cropped_s
        return document

    def _cropped_s(self, now: datetime) -> int:
        return sum(change.cropped_s for change in self._done(now))

    def _done(self, now: datetime) -> list[Change]:
        return [change for change in self.changes if self.recorded_at + change.age <= now]


class ActivityHistory:
    """All activities of `days` days from `start`; more days add activities and change none."""

    def __init__(self, seed: int, start: date, days: int, activities_per_day: float) -> None:
        """Draw the history."""
        self.activities = tuple(_recorded(seed, start, days, activities_per_day))

    def visible(self, now: datetime, after: float = -inf, before: float = inf) -> list[Activity]:
        """Activities that have begun and are not deleted, oldest first.

        `after` and `before` are in epoch seconds, and exclusive.
        """
        starts = ((activity.started_at(now), activity) for activity in self.activities)
        shown = [
            (started_at, activity.activity_id, activity)
            for started_at, activity in starts
            if started_at < now and after < started_at.timestamp() < before and not activity.is_deleted(now)
        ]
        return [activity for _, _, activity in sorted(shown)]

    def deleted_ids(self, now: datetime) -> frozenset[int]:
        """Ids of activities that the athlete has deleted by `now`."""
        return frozenset(activity.activity_id for activity in self.activities if activity.is_deleted(now))


def _recorded(seed: int, start: date, days: int, per_day: float) -> Iterator[Activity]:
    serial = 0
    for index in range(days):
        day = start + timedelta(days=index)
        draw = Random(f"{seed}:strava:{day}")
        count = per_day if per_day >= STEADY_FROM_PER_DAY else per_day * draw.uniform(0, 2)
        for position in range(int(count) + happens(draw, count % 1)):
            yield _activity(draw, day, position, serial)
            serial += 1


def _activity(draw: Random, day: date, position: int, serial: int) -> Activity:
    activity_id = day.toordinal() * IDS_PER_DAY + position
    sport = draw.choices(SPORTS, SPORT_WEIGHTS)[0]
    place = draw.choices(PLACES, PLACE_WEIGHTS)[0]
    moving_s = draw.randrange(1_200, 7_200)
    second = draw.randrange(5 * 3_600, 22 * 3_600)
    changes = tuple(_changes(draw, serial))
    cropped_s = sum(change.cropped_s for change in changes)
    if cropped_s and serial // CROPPED_EVERY % 2 == 0:
        second = 24 * 3_600 - cropped_s // 2  # The crop moves it past midnight.
    recorded_at = datetime.combine(day, time(), UTC) + timedelta(seconds=second)
    uploaded = _uploaded(draw, activity_id, sport, place, moving_s)
    return Activity(activity_id, uploaded, recorded_at, place.zone, _kudos(draw, uploaded), changes)


def _kudos(draw: Random, uploaded: dict[str, Any]) -> int:
    """What people like: races, long ways, company; and then there is luck."""
    of_type = KUDOS_OF_RUN_TYPES[uploaded["workout_type"]] if uploaded["type"] == "Run" else 3
    company = 1.3 if uploaded["athlete_count"] > 1 else 1.0
    return int((of_type + uploaded["distance"] / 2_000) * company * (0.6 + draw.randrange(0, 40) / 50))


def _changes(draw: Random, serial: int) -> Iterator[Change]:
    """Changes, all of them after the end of the longest activity."""
    if serial % RENAMED_EVERY == RENAMED_EVERY // 2:
        yield Change(timedelta(minutes=draw.randrange(150, 4_000)), name=draw.choice(LATER_NAMES))
    if serial % CROPPED_EVERY == CROPPED_EVERY // 2:
        yield Change(timedelta(hours=draw.randrange(12, 240)), cropped_s=draw.randrange(120, 900))
    if serial % DELETED_EVERY == DELETED_EVERY // 2:
        yield Change(timedelta(hours=draw.randrange(36, 480)), deletes=True)


def _uploaded(draw: Random, activity_id: int, sport: Sport, place: Place, moving_s: int) -> dict[str, Any]:
    """The document without what depends on the instant, with keys in the order of the API."""
    speed = sport.speed * draw.uniform(0.8, 1.2)
    latitude, longitude = (round(value + draw.uniform(-0.02, 0.02), 15) for value in place[2:])
    is_outdoors = speed > 0 and happens(draw, 0.95)
    start_point: list[float] | None = draw.choice(([], None))
    if is_outdoors:
        start_point = [latitude, longitude]
    has_heart_rate = happens(draw, 0.8)
    document: dict[str, Any] = {
        "resource_state": 2,
        "athlete": {"id": ATHLETE_ID, "resource_state": 1},
        "name": draw.choice(NAMES) if sport is RUN else f"Afternoon {sport.sport_type}",
        "distance": round(speed * moving_s, 1),
        "moving_time": moving_s,
        "elapsed_time": moving_s + draw.randrange(0, 900),
        "total_elevation_gain": round(draw.uniform(0, 250), 1) if speed else 0,
        "type": sport.type,
        "sport_type": sport.sport_type,
        "id": activity_id,
        "start_date": "",
        "start_date_local": "",
        "timezone": place.timezone,
        "utc_offset": 0.0,
        "location_city": None,
        "location_state": None,
        "location_country": place.country,
        "achievement_count": draw.randrange(0, 12),
        "kudos_count": 0,
        "comment_count": 0,
        "athlete_count": draw.choices((1, 2, 7, 312), (80, 12, 6, 2))[0],
        "photo_count": 0,
        "map": {"id": f"a{activity_id}", "summary_polyline": "ki{eFvqfiVqAWQIGEEKAY" if is_outdoors else ""},
        "trainer": not is_outdoors,
        "commute": False,
        "manual": False,
        "private": False,
        "visibility": "everyone",
        "flagged": False,
        "gear_id": draw.choice((None, "g11223344")),
        "start_latlng": start_point,
        "end_latlng": [round(latitude + 0.000731, 15), longitude] if is_outdoors else [],
        "average_speed": round(speed, 3),
        "max_speed": round(speed * 1.4, 3),
        "has_heartrate": has_heart_rate,
        "upload_id": activity_id + 1_000_000_000,
        "upload_id_str": str(activity_id + 1_000_000_000),
        "external_id": draw.choice((None, f"garmin_ping_{activity_id}")),
        "pr_count": draw.randrange(0, 3),
        "total_photo_count": draw.randrange(0, 4),
        "has_kudoed": False,
    }
    if sport.type == "Run":
        document["workout_type"] = draw.choices(RUN_TYPES, RUN_TYPE_WEIGHTS)[0]
    elif sport.type == "Ride":
        document["workout_type"] = draw.choice(RIDE_TYPES)
    if sport.has_cadence and happens(draw, 0.85):
        document["average_cadence"] = round(draw.uniform(74, 92), 1)
    if happens(draw, 0.4):
        document["average_temp"] = draw.randrange(-3, 31)
    if has_heart_rate:
        document["average_heartrate"] = round(draw.uniform(118, 171), 1)
        document["max_heartrate"] = float(draw.randrange(172, 196))
        document["suffer_score"] = float(draw.randrange(5, 240))
    return document

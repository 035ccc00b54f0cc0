"""Users and activities of the Lingokids sample: who can play what, and the lines of both snapshots.

Belongs here: the users and the catalogue. Not here: what was played (`lingokids_sample.py`).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random
from string import ascii_lowercase
from typing import Any
from uuid import UUID

from engagement_assets.sandbox.sample_draws import SampleParameters

USER_COUNT = 300
COUNTRIES = ("mx", "co", "in", "th", "us", "sa", "tr", "br", "my", "ph")
COUNTRY_WEIGHTS = (14, 13, 12, 10, 12, 9, 9, 9, 6, 6)
# Brand, model, system, and its version before and after the user's upgrade.
DEVICES = (
    ("Apple", "iPad7,6", "iOS", "16.7.2", "17.2.1"),
    ("Apple", "iPhone12,1", "iOS", "17.1.2", "17.2.1"),
    ("Apple", "iPad11,3", "iOS", "17.2", "17.3"),
    ("Samsung", "SM-A505F", "Android", "11", "11"),
    ("Samsung", "SM-T290", "Android", "10", "11"),
    ("Huawei", "JDN2-L09", "Android", "9", "9"),
    ("Xiaomi", "Redmi Note 8", "Android", "12", "13"),
    ("Apple", "iPhone10,4", "iOS", "15.8", "16.7.4"),
    ("Amazon", "KFMAWI", "Android", "8.1.0", "8.1.0"),
)
DEVICE_WEIGHTS = (21, 18, 16, 11, 9, 9, 5, 8, 3)
OLD_PHONE = ("Apple", "iPhone4,1", "iPhone OS", "9.3.5", "9.3.5")
OLD_PHONE_EVERY = 60  # users
THEMES = (
    "bathroom", "bakery", "farm", "garden", "harbour", "kitchen", "market", "mountain", "museum",
    "ocean", "orchestra", "playground", "rainforest", "savanna", "school", "seasons", "shapes",
    "snow", "space", "sports", "station", "toys", "train", "treehouse", "vegetables", "village",
    "weather", "wheels", "workshop", "zoo",
)  # fmt: skip


@dataclass(frozen=True)
class AppUser:
    """A user with one device, who plays from the day after registration until `plays_until`."""

    user_id: str
    children: tuple[str, ...]
    country: str
    registered_at: datetime
    trial_at: datetime | None
    subscribed_for: timedelta | None
    plays_until: date
    weight: float
    device_id: str
    device: tuple[str, str, str, str, str]
    upgrades_on: date
    is_known: bool = True

    def record(self) -> dict[str, Any]:
        """The user's record; without a trial or a subscription it has no keys for them."""
        record: dict[str, Any] = {
            "user_id": self.user_id,
            "children_ids": list(self.children),
            "country_code": self.country,
            "registration_at": _stamp(self.registered_at),
        }
        if self.trial_at is not None:
            trial_end = self.trial_at + timedelta(days=7)
            record["trial_start_at"] = _stamp(self.trial_at)
            record["trial_end_at"] = _stamp(trial_end)
            if self.subscribed_for is not None:
                record["subscription_start_at"] = _stamp(trial_end)
                record["subscription_expire_at"] = _stamp(trial_end + self.subscribed_for)
        return record


def drawn_uuid(draw: Random) -> str:
    """A version 4 UUID, as the service writes it."""
    return str(UUID(int=draw.getrandbits(128), version=4))


def app_users(parameters: SampleParameters) -> list[AppUser]:
    """The users of the snapshot, in every state of subscription, then two whom it lacks."""
    return [_app_user(parameters, number) for number in range(USER_COUNT + 2)]


def catalogue() -> list[dict[str, Any]]:
    """The activities, most popular first; some names and some subtypes are null or empty."""
    records: list[dict[str, Any]] = []
    for number, theme in enumerate(THEMES):
        title = theme.title()
        letter = ascii_lowercase[number % len(ascii_lowercase)]
        case = "regular" if number < len(ascii_lowercase) else "cursive"
        records += [
            _activity(f"game_{theme}", f"The {title} Game", "game", "unique"),
            _activity(f"lk_song_{theme}", f"Olé, {title}!", "video", "song"),
            _activity(f"{case}_{letter}", f"Letter {letter.upper()}", "traceable", "letter"),
            _activity(f"{theme}_tale", f"A {title} Tale", "audiobook", None)
            if number % 3 == 0
            else _activity(f"{theme}_sticker_game", f"{title} Stickers", "game", ""),
        ]
    for record in records[9::20]:
        record["name"] = None
    for record in records[19::20]:
        record["name"] = ""
    return records


def snapshot_files(users: list[AppUser], activities: list[dict[str, Any]]) -> Iterator[tuple[str, bytes]]:
    """Both snapshots, each with one repeated and one broken line."""
    known = [user for user in users if user.is_known]
    unknown = next(user for user in users if not user.is_known)
    lines = [json.dumps(user.record()) for user in [*known, known[10]]]
    lines.insert(100, json.dumps(unknown.record())[:90])
    yield "lingokids/users/users.jsonl", _lines(lines)

    lines = [json.dumps(activity) for activity in [*activities, activities[10]]]
    lines.insert(50, json.dumps({"name": "Coming Soon", "type": "game", "subtype": None}))
    yield "lingokids/activities/activities.jsonl", _lines(lines)


def _app_user(parameters: SampleParameters, number: int) -> AppUser:
    draw = parameters.stream("lingokids", "user", str(number))
    has_old_phone = number % OLD_PHONE_EVERY == 0
    # One in three registers after the start; users with an old phone have been there for a long time.
    registered_on = parameters.day(-90 if has_old_phone else draw.randrange(-120, 60))
    registered_at = datetime.combine(registered_on, time()) + timedelta(milliseconds=draw.randrange(86_400_000))
    kind = draw.choices(("free", "trial", "subscribed"), (50, 20, 30))[0]
    free_days = draw.choices((0, draw.randrange(3, 90)), (60, 40))[0]
    trial_at = registered_at + timedelta(days=free_days, minutes=draw.randrange(1, 20))
    subscribed_for = timedelta(days=draw.choices((30, 365), (60, 40))[0])
    stays_days = 4_000 if has_old_phone else draw.choices((10, 45, 4_000), (25, 25, 50))[0]
    return AppUser(
        user_id=drawn_uuid(draw),
        children=tuple(drawn_uuid(draw) for _ in range(draw.choices((1, 2, 4), (95, 4, 1))[0])),
        country=draw.choices(COUNTRIES, COUNTRY_WEIGHTS)[0],
        registered_at=registered_at,
        trial_at=None if kind == "free" else trial_at,
        subscribed_for=subscribed_for if kind == "subscribed" else None,
        plays_until=registered_on + timedelta(days=stays_days),
        weight=1 if has_old_phone else 1 / (0.05 + draw.random()),
        device_id=drawn_uuid(draw),
        device=OLD_PHONE if has_old_phone else draw.choices(DEVICES, DEVICE_WEIGHTS)[0],
        upgrades_on=parameters.day(draw.randrange(-20, 60)),
        is_known=number < USER_COUNT,
    )


def _activity(activity_id: str, name: str, kind: str, subtype: str | None) -> dict[str, Any]:
    return {"activity_id": activity_id, "name": name, "type": kind, "subtype": subtype}


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"


def _lines(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()

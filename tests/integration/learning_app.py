"""A source of learning events that changes at random, and the lake that it fills."""

import random
from datetime import date, datetime, time, timedelta

from engagement_assets.extract.lingokids import LINGOKIDS_ACTIVITIES, LINGOKIDS_EVENTS, LINGOKIDS_USERS
from tests.integration.warehouse_builder import Row, WarehouseBuilder

BOUNDARIES = ("trial_start_at", "trial_end_at", "subscription_start_at", "subscription_expire_at")
# Ten days over the borders of a week, a month and a year.
DAYS = [date(2023, 12, 27) + timedelta(days=offset) for offset in range(10)]
ONE_DAY = timedelta(days=1)


def event(event_id: str, day: date, **columns: object) -> Row:
    return {
        "event_id": event_id,
        "occurred_at": datetime.combine(day, time(10)),
        "user_id": "ana",
        "activity_id": "song",
        "duration_ms": 1_000,
        "is_completed": True,
        "os_name": "iOS",
        **columns,
    }


def user(user_id: str, **columns: object) -> Row:
    return {"user_id": user_id, "country_code": "es", **columns}


def activity(activity_id: str, **columns: object) -> Row:
    return {"activity_id": activity_id, "activity_name": activity_id, "activity_type": "game", **columns}


class LearningApp:
    """A source whose events, users and activities change at random, and the lake that it fills."""

    def __init__(self, warehouse: WarehouseBuilder, draw: random.Random) -> None:
        self._warehouse = warehouse
        self._draw = draw
        self._events: dict[date, dict[str, Row]] = {day: {} for day in DAYS}
        self._users: dict[str, Row] = {}
        self._activities: dict[str, Row] = {}
        self.changed_days: set[date] = set()

    def change(self, times: int) -> None:
        """Change a few things at once, and write what changed to the lake."""
        for change in self._draw.choices(
            [self._add_events, self._withdraw_events, self._change_users, self._change_activities],
            weights=[4, 2, 3, 1],
            k=times,
        ):
            change()
        for day in self.changed_days:
            self._warehouse.write_day(LINGOKIDS_EVENTS, day, [*self._events[day].values()])
        self._warehouse.write_whole(LINGOKIDS_USERS, [*self._users.values()])
        self._warehouse.write_whole(LINGOKIDS_ACTIVITIES, [*self._activities.values()])

    def unbuilt_days(self) -> list[list[date]]:
        """The changed days that no complete build has seen, in runs of neighbours."""
        runs: list[list[date]] = []
        for day in sorted(self.changed_days):
            if runs and day - runs[-1][-1] == ONE_DAY:
                runs[-1].append(day)
            else:
                runs.append([day])
        return runs

    def _add_events(self) -> None:
        """New ones, later versions and the same id on several days: ids are few."""
        day = self._draw.choice(DAYS)
        for _ in range(self._draw.randint(1, 6)):
            event_id = f"event-{self._draw.randrange(30)}"
            self._events[day][event_id] = event(
                event_id,
                day,
                occurred_at=datetime.combine(day, time(self._draw.randrange(24))),
                user_id=f"user-{self._draw.randrange(5)}",
                activity_id=f"activity-{self._draw.randrange(4)}",
                duration_ms=self._draw.choice([None, 0, 1_000, 7_200_000]),
                is_completed=self._draw.choice([None, True, False]),
                os_name=self._draw.choice(["iOS", "iPhone OS", "Android", None]),
                collection_id=self._draw.choice(["", "songs"]),
            )
        self.changed_days.add(day)

    def _withdraw_events(self) -> None:
        day = self._draw.choice(DAYS)
        for event_id in [*self._events[day]][self._draw.randrange(2) :]:
            del self._events[day][event_id]
        self.changed_days.add(day)

    def _change_users(self) -> None:
        """Somebody comes, goes, moves house or gets other dates of trial and subscription."""
        user_id = f"user-{self._draw.randrange(5)}"
        if self._draw.random() < 0.2:
            self._users.pop(user_id, None)
            return
        known = self._users.get(user_id, user(user_id))
        column = self._draw.choice(["country_code", *BOUNDARIES])
        instants = [datetime.combine(day, time(self._draw.randrange(24))) for day in DAYS]
        values = ["es", "us"] if column == "country_code" else instants
        self._users[user_id] = {**known, column: self._draw.choice([*values, None])}

    def _change_activities(self) -> None:
        activity_id = f"activity-{self._draw.randrange(4)}"
        if self._draw.random() < 0.2:
            self._activities.pop(activity_id, None)
            return
        self._activities[activity_id] = activity(
            activity_id,
            activity_name=self._draw.choice(["", "A Song"]),
            activity_type=self._draw.choice(["game", "video", None]),
        )

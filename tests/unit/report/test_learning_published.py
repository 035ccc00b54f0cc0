"""The learning explorer in publish mode: what two tables tell together is about enough users, too."""

from collections.abc import Iterator
from datetime import date, datetime, time

import duckdb
import pytest

from engagement_assets.report.sections.learning_published import top_activities, weekly_slices
from engagement_assets.report.suppression import Suppression

FIRST, SECOND = date(2024, 1, 1), date(2024, 1, 8)
FIVE = Suppression(5)


class Plays:
    """The plays of a test."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        connection.execute("create schema learning")
        connection.execute(
            "create table learning.fct__activity_exits (user_id varchar, activity_id varchar, activity_name varchar, "
            "activity_type varchar, collection_id varchar, country_code varchar, os_name varchar, app_version varchar, "
            "subscription_status varchar, duration_ms bigint, played_ms bigint, is_completed boolean, "
            "occurred_at timestamp, event_date date)"
        )

    def add(self, users: range, activity: str, day: date, **columns: object) -> None:
        """One play of each user; the type of an activity is its name without the number."""
        row = {
            "activity_id": activity,
            "activity_name": activity,
            "activity_type": activity.rstrip("0123456789"),
            "collection_id": "none",
            "country_code": "es",
            "os_name": "iOS",
            "app_version": "1",
            "subscription_status": "free",
            "duration_ms": 60_000,
            "played_ms": 60_000,
            "is_completed": True,
            "occurred_at": datetime.combine(day, time(10)),
            "event_date": day,
        }
        for user in users:
            values = {**row, **columns, "user_id": f"user-{user}"}
            self.connection.execute(
                f"insert into learning.fct__activity_exits ({', '.join(values)}) "
                f"values ({', '.join('?' * len(values))})",
                list(values.values()),
            )

    def shown(self, dimension: str, measure: str = "plays") -> dict[tuple[str, str], int]:
        """What publish mode shows of a dimension, by week and value."""
        slices, _ = weekly_slices(self.connection, FIVE)
        rows = slices[slices["dimension_name"] == dimension]
        return dict(zip(zip(rows["week"], rows["dimension_value"], strict=True), rows[measure], strict=True))

    def activities(self) -> dict[str, int]:
        """The plays of the activities that publish mode shows."""
        _, hidden = weekly_slices(self.connection, FIVE)
        shown, _ = top_activities(self.connection, FIVE, hidden)
        return dict(zip(shown["activity_id"], shown["plays"], strict=True))


@pytest.fixture
def plays() -> Iterator[Plays]:
    with duckdb.connect() as connection:
        yield Plays(connection)


def test_activities_do_not_add_up_to_the_hidden_weeks_of_their_type(plays: Plays) -> None:
    for activity in ("song1", "song2", "game1", "game2", "film1"):
        plays.add(range(9), activity, SECOND)
    plays.add(range(9), "game1", FIRST)
    plays.add(range(9), "film1", FIRST)
    assert plays.activities() == {"song1": 9, "song2": 9, "game1": 18, "game2": 9, "film1": 18}

    plays.add(range(1), "song1", FIRST)
    # The first week of songs is one user's, and the one of films covers it, as the smallest.
    assert plays.shown("activity_type") == {
        (str(FIRST), "game"): 9,
        (str(SECOND), "film"): 9,
        (str(SECOND), "game"): 18,
        (str(SECOND), "song"): 18,
    }
    shown = plays.activities()
    assert sum(name.startswith("song") for name in shown) == 1
    assert "film1" not in shown
    assert {name: count for name, count in shown.items() if name.startswith("game")} == {"game1": 18, "game2": 9}


def test_users_of_whom_nothing_is_known_hide_neither_a_country_nor_a_status(plays: Plays) -> None:
    plays.add(range(3), "game1", FIRST, country_code="at")
    plays.add(range(10, 16), "game1", FIRST, country_code="unknown", subscription_status="unknown")
    plays.add(range(20, 40), "game1", FIRST)
    plays.add(range(40, 60), "game1", FIRST, subscription_status="trial")
    week = str(FIRST)
    assert plays.shown("country_code") == {(week, "unknown"): 6}
    assert plays.shown("subscription_status") == {(week, "free"): 23, (week, "trial"): 20, (week, "unknown"): 6}


@pytest.mark.parametrize(
    ("columns", "measure"),
    [({"is_completed": False}, "completed_plays"), ({"duration_ms": None, "played_ms": None}, "duration_ms")],
)
def test_a_sum_over_one_user_is_covered_by_a_sum_over_others(
    plays: Plays, columns: dict[str, object], measure: str
) -> None:
    plays.add(range(1), "game1", FIRST, country_code="at")
    plays.add(range(1, 6), "game1", FIRST, country_code="at", **columns)
    plays.add(range(10, 17), "game1", FIRST, country_code="pt", **columns)
    plays.add(range(20, 40), "game1", FIRST)
    plays.add(range(40, 70), "game1", FIRST, country_code="us")
    # The sum of Portugal is nothing, so it hides none of the one user's in Austria; that of Spain does.
    assert (str(FIRST), "es") not in plays.shown("country_code", measure)
    assert plays.shown("country_code", measure)[str(FIRST), "us"] in {30, 30 * 60_000}

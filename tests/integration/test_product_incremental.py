"""Product tables: any sequence of builds ends with the tables of one full build from the same lake.

Belongs here: what happens between builds (events that come late, again, under another day or go; builds
that failed, were partial or refreshed one table). Not here: what one build computes (see the dbt unit tests).
"""

import os
import random
import shutil
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
from dbt.contracts.graph.manifest import Manifest
from hypothesis import Phase, given, settings

from engagement_assets.extract.user_events.source import USER_EVENTS
from tests.integration.build_sequences import draws
from tests.integration.warehouse_builder import Row, WarehouseBuilder, differing_tables

pytestmark = pytest.mark.integration

# How many random sequences are tried, and how many builds each has before it comes to rest.
SEQUENCES = int(os.environ.get("PRODUCT_SEQUENCES", "1"))
BUILDS = int(os.environ.get("PRODUCT_BUILDS", "2"))

PRODUCT = "+path:models/marts/product"
FACT = "+fct__user_events"
MARTS = ("fct__user_events", "weekly_active_users", "weekly_active_corporations", "weekly_user_event_summary")
INTERMEDIATE = ("int_user_events_by_day", "int_user_events_days_linked", "int_user_events_days_changed")

# Ten days over the borders of two weeks and a year.
DAYS = [date(2023, 12, 27) + timedelta(days=offset) for offset in range(10)]
DAY_1, DAY_2, DAY_3, DAY_4 = DAYS[:4]
ONE_DAY = timedelta(days=1)
NEXT_WEEK, QUIET_DAY = DAYS[5], DAYS[8]


def event(event_id: str, day: date, hour: int = 10, **columns: object) -> Row:
    """An event listed under a day, uploaded at an hour of that day."""
    return {
        "event_id": event_id,
        "event_time": datetime.combine(DAY_1, time(8)),
        "server_upload_time": datetime.combine(day, time(hour)),
        "user_id": "ana",
        "user_corporate_id": "acme",
        "user_corporate_status": "active",
        "is_user_corporate_demo": False,
        **columns,
    }


def assert_equal_to_full_build(warehouse: WarehouseBuilder, manifest: Manifest) -> None:
    """Every table holds the rows of one full build from the same lake."""
    full = WarehouseBuilder(warehouse.warehouse_path.parent / "full", manifest, lake_folder=warehouse.lake_folder)
    full.warehouse_path.unlink(missing_ok=True)
    full.build(DAY_1, DAY_2, PRODUCT)
    tables = ["intermediate.int_user_events_by_day", *(f"product.{name}" for name in MARTS)]
    assert differing_tables(warehouse.tables(tables), full.tables(tables)) == {}


def days_logged_last(warehouse: WarehouseBuilder) -> list[object]:
    """The days that the newest build found changed."""
    return [
        day
        for (day,) in warehouse.query(
            "select event_date from intermediate.int_user_events_days_changed where change_number = "
            "(select max(change_number) from intermediate.consumed_changes) order by event_date"
        )
    ]


@pytest.fixture(scope="module")
def five_days(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Path:
    """Four days with an event each and one in the next week, built. Days 2 and 4 list one more, day 4 the newer one."""
    warehouse = WarehouseBuilder(tmp_path_factory.mktemp("five_days"), manifest)
    for day in (*DAYS[:4], NEXT_WEEK):
        rows = [event(f"ana-{day}", day)]
        rows += [event("shared", day)] if day in (DAY_2, DAY_4) else []
        warehouse.write_day(USER_EVENTS, day, rows)
    warehouse.build(DAYS[0], DAYS[-1], PRODUCT)
    return warehouse.warehouse_path.parent


@pytest.fixture
def built(five_days: Path, tmp_path: Path, manifest: Manifest) -> WarehouseBuilder:
    """A copy of the five days that a test may change."""
    folder = shutil.copytree(five_days, tmp_path / "built")
    return WarehouseBuilder(folder, manifest)


def test_a_rebuilt_window_is_as_the_lake_has_it_now(built: WarehouseBuilder, manifest: Manifest) -> None:
    """A day is emptied, one gets a late event and a replaced one; the days around them are left alone."""
    built.write_day(USER_EVENTS, DAY_1, [])
    built.write_day(USER_EVENTS, DAY_3, [event("late", DAY_3), event(f"ana-{DAY_3}", DAY_3, user_id="ben")])
    built.build(DAY_1, DAY_2, FACT)
    assert days_logged_last(built) == [DAY_1]
    built.build(DAY_3, DAY_4, PRODUCT)
    assert days_logged_last(built) == [DAY_3]
    assert_equal_to_full_build(built, manifest)


def test_an_event_that_is_listed_again_is_one_event(built: WarehouseBuilder, manifest: Manifest) -> None:
    """Day 3 lists it as an older upload, as a newer one and no more; its first day is not in the window."""
    event_id = f"ana-{DAY_1}"
    for day_3, home in (
        ([event(event_id, DAY_1, hour=9), event("other", DAY_3)], DAY_1),
        ([event(event_id, DAY_1, hour=11), event("other", DAY_3)], DAY_3),
        ([event("other", DAY_3)], DAY_1),
    ):
        built.write_day(USER_EVENTS, DAY_3, day_3)
        built.build(DAY_3, DAY_4, PRODUCT)
        assert days_logged_last(built) == [DAY_1, DAY_3]
        assert built.query(f"select event_date from product.fct__user_events where event_id = '{event_id}'") == [
            (home,)
        ]
    assert_equal_to_full_build(built, manifest)


def test_a_week_whose_only_event_has_gone_has_no_row(built: WarehouseBuilder, manifest: Manifest) -> None:
    """The week before lists the event as a newer upload; later it does not, and the event's own day is empty."""
    for changes in (
        {DAY_4: [event(f"ana-{NEXT_WEEK}", NEXT_WEEK, hour=11)]},
        {DAY_4: [event("other", DAY_4)], NEXT_WEEK: []},
    ):
        for day, rows in changes.items():
            built.write_day(USER_EVENTS, day, rows)
        built.build(min(changes), max(changes) + ONE_DAY, PRODUCT)
        for table in MARTS[1:]:
            assert built.query(f"select distinct week_start_date from product.{table}") == [(date(2023, 12, 25),)]
    assert_equal_to_full_build(built, manifest)


def test_a_log_that_was_left_out_is_caught_up_with_those_that_read_it(
    built: WarehouseBuilder, manifest: Manifest
) -> None:
    """A day listed an event of another one, and one was emptied that shared an event with a day before the window."""
    built.write_day(USER_EVENTS, DAY_3, [event(f"ana-{NEXT_WEEK}", NEXT_WEEK, hour=11)])
    built.write_day(USER_EVENTS, DAY_4, [])
    built.build(DAY_3, DAY_4 + ONE_DAY, PRODUCT, exclude="int_user_events_days_linked")
    built.build(QUIET_DAY, QUIET_DAY + ONE_DAY, PRODUCT)
    assert_equal_to_full_build(built, manifest)


def test_logs_that_are_refreshed_in_full_forget_no_day_of_a_build_that_stopped(
    built: WarehouseBuilder, manifest: Manifest
) -> None:
    """A day was emptied, which shared an event with another day, and only then were the logs refreshed."""
    built.write_day(USER_EVENTS, DAY_4, [])
    built.build(DAY_4, DAY_4 + ONE_DAY, "+int_user_events_by_day")
    built.build(QUIET_DAY, QUIET_DAY + ONE_DAY, " ".join(INTERMEDIATE[1:]), full_refresh=True)
    built.build(QUIET_DAY, QUIET_DAY + ONE_DAY, PRODUCT)
    assert_equal_to_full_build(built, manifest)


def test_a_daily_run_opens_no_other_day_of_the_lake(built: WarehouseBuilder) -> None:
    (built.lake_folder / USER_EVENTS.key / f"day={DAY_3}" / "data.parquet").write_bytes(b"unreadable")
    built.write_day(USER_EVENTS, DAY_4, [event("new", DAY_4)])
    built.build(DAY_4, DAY_4 + ONE_DAY, PRODUCT)
    assert built.query(f"select event_id from product.fct__user_events where event_date = date '{DAY_4}'") == [("new",)]


class EventsApi:
    """A service whose days change at random, and the lake that it fills."""

    def __init__(self, warehouse: WarehouseBuilder, draw: random.Random) -> None:
        self._warehouse = warehouse
        self._draw = draw
        self._events: dict[date, list[Row]] = {day: [] for day in DAYS}
        self.changed_days: set[date] = set()

    def change(self, times: int) -> None:
        """Change a few days, and write what changed to the lake."""
        for change in self._draw.choices([self._add_events, self._withdraw_events], weights=[3, 1], k=times):
            day = self._draw.choice(DAYS)
            change(day)
            self.changed_days.add(day)
        for day in self.changed_days:
            # A day lists its events in any order.
            self._draw.shuffle(self._events[day])
            self._warehouse.write_day(USER_EVENTS, day, self._events[day])

    def unbuilt_windows(self) -> list[Sequence[date]]:
        """The changed days that no complete build has seen, in one or two windows and in any order."""
        days = sorted(self.changed_days)
        if not days:
            return [DAYS[:1]]
        cut = self._draw.randint(0, len(days) - 1)
        windows = [window for window in (days[:cut], days[cut:]) if window]
        return self._draw.sample(windows, len(windows))

    def _add_events(self, day: date) -> None:
        """New ones, later and older uploads, ties, and the same id under several days or twice a day: ids are few."""
        for _ in range(self._draw.randint(1, 6)):
            hours = [datetime.combine(DAYS[0], time(hour)) for hour in range(2)]
            row = event(
                f"event-{self._draw.randrange(15)}",
                day,
                server_upload_time=self._draw.choice([*hours, None]),
                client_upload_time=self._draw.choice([*hours, None]),
                processed_time=self._draw.choice([*hours, None]),
                path=self._draw.choice(["/home", "/reports", None]),
                user_id=f"user-{self._draw.randrange(4)}",
                user_corporate_id=self._draw.choice(["acme", "globex", None]),
                user_corporate_status=self._draw.choice(["active", "trial", None]),
                is_user_corporate_demo=self._draw.choice([True, False, None]),
            )
            self._events[day].append(row)

    def _withdraw_events(self, day: date) -> None:
        """The day is replaced by fewer events, often by none."""
        self._events[day] = self._events[day][: self._draw.choice([0, 0, 1, 3])]


def build_at_random(warehouse: WarehouseBuilder, api: EventsApi, draw: random.Random) -> None:
    """Build a window: all tables, a part of them, or one of them in full."""
    start, end = sorted(draw.sample(range(len(DAYS) + 1), 2))
    window = (DAYS[0] + start * ONE_DAY, DAYS[0] + end * ONE_DAY)
    match draw.randrange(5):
        case 0:
            warehouse.build(*window, f"+{draw.choice(INTERMEDIATE + MARTS)}")
        case 1:
            warehouse.build(*window, PRODUCT, exclude=draw.choice(INTERMEDIATE + MARTS))
        case 2:
            warehouse.build(*window, draw.choice(INTERMEDIATE + MARTS), full_refresh=True)
        case _:
            warehouse.build(*window, PRODUCT)
            api.changed_days.difference_update(DAYS[start:end])


def test_any_sequence_of_builds_equals_one_full_build(
    tmp_path_factory: pytest.TempPathFactory, manifest: Manifest
) -> None:
    # A failing sequence is not made smaller: every attempt costs seconds of builds.
    @settings(deadline=None, max_examples=SEQUENCES, phases=[Phase.reuse, Phase.generate])
    @given(draw=draws)
    def sequence_equals_one_full_build(draw: random.Random) -> None:
        folder = tmp_path_factory.mktemp("sequence")
        warehouse = WarehouseBuilder(folder, manifest)
        api = EventsApi(warehouse, draw)
        api.change(30)
        warehouse.build(DAYS[0], DAYS[-1] + ONE_DAY, PRODUCT)
        api.changed_days.clear()
        for _ in range(BUILDS):
            api.change(4)
            build_at_random(warehouse, api, draw)
        for days in api.unbuilt_windows():
            warehouse.build(days[0], days[-1] + ONE_DAY, PRODUCT)
        assert_equal_to_full_build(warehouse, manifest)
        shutil.rmtree(folder)

    sequence_equals_one_full_build()

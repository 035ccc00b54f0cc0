"""Mobility tables: any order of days and arrivals gives the sessions of one full build, user by user.

Belongs here: the property over drawn timelines. Not here: named cases (see `test_mobility_incremental.py`) or what one
build computes (see the dbt unit tests).
"""

import os
import random
import shutil
from collections.abc import Iterable
from datetime import date, timedelta

import pytest
from dbt.contracts.graph.manifest import Manifest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engagement_assets.extract.mobile import MOBILE_EVENTS
from tests.integration.mobile_timelines import BYTES_AN_EVENT, EVENTS_A_USER, TimedEvent, timelines
from tests.integration.warehouse_builder import WarehouseBuilder

pytestmark = pytest.mark.integration

# How many sequences of builds are tried, and how many users' timelines each carries.
SEQUENCES = int(os.environ.get("MOBILITY_SEQUENCES", "1"))
USERS = int(os.environ.get("MOBILITY_USERS", "250"))
STEPS = 7

MOBILITY = "+path:models/marts/mobility"
MODELS = (
    "int_mobile_days_changed",
    "int_mobile_events_sessionized",
    "fct__mobile_sessions",
    "bdg__mobile_session_to_events",
    "int_mobile_rides_summed",
    "int_mobile_sessions_summed",
    "weekly_booking_conversion",
)
# Over the borders of two weeks and a year.
FIRST_DAY, DAYS = date(2023, 12, 28), 8
ONE_DAY = timedelta(days=1)


class Arrivals:
    """What the lake holds, step by step, and the days that no build has read since they changed."""

    def __init__(self, warehouse: WarehouseBuilder, events: list[TimedEvent], draw: random.Random) -> None:
        self._warehouse = warehouse
        self._events = events
        self._draw = draw
        self.unread_days: set[date] = set()

    def go_to(self, step: int) -> None:
        """Write the days that differ from the step before, their rows in any order and some of them twice."""
        before = {id(event) for event in self._events if event.is_there_in(step - 1)} if step else set()
        now = [event for event in self._events if event.is_there_in(step)]
        changed = {event.day for event in self._events if (id(event) in before) != event.is_there_in(step)}
        for day in changed:
            rows = [event.row for event in now if event.day == day]
            rows += self._draw.sample(rows, len(rows) // 10)
            self._draw.shuffle(rows)
            self._warehouse.write_day(MOBILE_EVENTS, day, rows)
        self.unread_days |= changed


def windows(days: Iterable[date], draw: random.Random, *, whole: bool) -> list[tuple[date, date]]:
    """One of the days as a half-open window; or all of them in one or two windows, in any order."""
    ordered = sorted(days)
    if not whole:
        return [(day, day + ONE_DAY) for day in draw.sample(ordered, min(1, len(ordered)))]
    cut = draw.randrange(len(ordered)) if ordered else 0
    groups = [group for group in (ordered[:cut], ordered[cut:]) if group]
    draw.shuffle(groups)
    return [(group[0], group[-1] + ONE_DAY) for group in groups]


def assert_equal_to_full_build(warehouse: WarehouseBuilder, manifest: Manifest, events: list[TimedEvent]) -> None:
    """Every table holds the rows of one full build from the same lake; names a user where they differ."""
    full = WarehouseBuilder(warehouse.warehouse_path.parent / "full", manifest, lake_folder=warehouse.lake_folder)
    full.build(FIRST_DAY, FIRST_DAY + ONE_DAY, MOBILITY)
    for table, user in (
        ("mobility.fct__mobile_sessions", "anonymous_id"),
        ("mobility.bdg__mobile_session_to_events", "event_id"),
    ):
        found, expected = warehouse.rows(table), full.rows(table)
        if found != expected:
            differing = [row for row in found if row not in expected] + [row for row in expected if row not in found]
            name = min(str(row[user]).partition("/")[0].lower() for row in differing)

            def of_user(row: dict[str, object], name: str = name, user: str = user) -> bool:
                return str(row[user]).lower().startswith(name)

            pytest.fail(
                f"{table} differs for {name}:\nfound {list(filter(of_user, found))}\n"
                f"expected {list(filter(of_user, expected))}\n"
                f"timeline {[event for event in events if str(event.row['anonymous_id']).lower() == name]}"
            )
    weekly = "mobility.weekly_booking_conversion"
    assert warehouse.rows(weekly) == full.rows(weekly)


def build_any_sequence(warehouse: WarehouseBuilder, manifest: Manifest, content: bytes) -> None:
    """Let events arrive and build at random, then come to rest and compare with one full build on DuckDB."""
    draw = random.Random(content)
    day_of_step = [FIRST_DAY + draw.randrange(DAYS) * ONE_DAY for _ in range(STEPS)]
    events = timelines(content, FIRST_DAY, DAYS, day_of_step)
    arrivals = Arrivals(warehouse, events, draw)
    for step in range(STEPS):
        arrivals.go_to(step)
        for start, end in windows(arrivals.unread_days, draw, whole=step in (0, STEPS - 1)):
            whole = step in (0, STEPS - 1) or draw.random() < 0.7
            if whole:
                warehouse.build(start, end, MOBILITY)
                arrivals.unread_days -= {day for day in arrivals.unread_days if start <= day < end}
            elif draw.random() < 0.6:
                warehouse.build(start, end, MOBILITY, exclude=draw.choice(MODELS))
            else:
                model = draw.choice(MODELS)
                warehouse.build(start, end, model, full_refresh=draw.random() < 0.5 and model != MODELS[0])
    assert_equal_to_full_build(warehouse, manifest, events)


def test_any_order_of_arrivals_and_builds_gives_the_sessions_of_one_full_build(
    tmp_path_factory: pytest.TempPathFactory, manifest: Manifest
) -> None:
    """One sequence of builds stands for as many examples as it carries users.

    A session never holds two users, and no user's rows are computed from another's; so a sequence over 250 users is
    250 sequences over one user each, which share the order of days and pay dbt's second per build only once. Every
    user has a timeline of their own from the drawn bytes: the pauses between the events, the step in which each event
    arrives, and the one in which a replaced day has it no more. At first all days are read in two windows; each later
    step changes one day, and not its neighbours. Some days are left to later steps, and some builds leave out a model
    or build one alone. A failure names one user, with the timeline. For longer: MOBILITY_SEQUENCES=50.
    """

    # A failing sequence is not made smaller: every attempt costs seconds of builds, and the failure names one user.
    @settings(
        deadline=None,
        max_examples=SEQUENCES,
        phases=[Phase.reuse, Phase.generate],
        suppress_health_check=[HealthCheck.large_base_example],
    )
    @given(content=st.binary(min_size=(size := USERS * EVENTS_A_USER * BYTES_AN_EVENT), max_size=size))
    def sequence_equals_one_full_build(content: bytes) -> None:
        folder = tmp_path_factory.mktemp("sequence")
        build_any_sequence(WarehouseBuilder(folder, manifest), manifest, content)
        shutil.rmtree(folder)

    sequence_equals_one_full_build()

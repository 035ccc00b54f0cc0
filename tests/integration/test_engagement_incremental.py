"""Engagement tables: any sequence of builds ends with the tables of one full build, and of the rules in plain Python.

Belongs here: what happens between builds (days that come late, again or go, activities that move, sources that are
missing, builds that were partial). Not here: what one build computes (see the dbt unit tests).
"""

import os
import random
import shutil
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.contracts.graph.manifest import Manifest
from hypothesis import Phase, given, settings

from tests.integration.build_sequences import draws
from tests.integration.engagement_sources import (
    ENGAGEMENT,
    FIRST_LOAD,
    LOADS,
    MARTS,
    SOURCES,
    EngagementLake,
    expected_tables,
    found_tables,
)
from tests.integration.warehouse_builder import WarehouseBuilder

pytestmark = pytest.mark.integration

# How many random sequences are tried, and how many builds each has before it comes to rest. The first one is the same
# in every run; for longer: ENGAGEMENT_SEQUENCES=50.
SEQUENCES = int(os.environ.get("ENGAGEMENT_SEQUENCES", "1"))
BUILDS = int(os.environ.get("ENGAGEMENT_BUILDS", "2"))
# How many users each source has: no user's weeks depend on another's, so a sequence stands for as many examples.
USERS = 100

OWN = "path:models/intermediate/engagement path:models/marts/engagement"
OF_LINGOKIDS = "ingestion_loads +fct__activity_exits"
INTERMEDIATE = (
    "int_engagement_days_observed",
    "int_engagement_activity_weeks",
    "int_engagement_weeks_changed",
    "int_engagement_user_weeks",
)
DATA_TESTS = "test_type:data,path:tests/engagement test_type:data,path:models/marts/engagement"
FACTS = (
    "fct__activities",
    "fct__strava_activities",
    "fct__user_events",
    "fct__mobile_sessions",
    "fct__activity_exits",
)
# Three weeks and two days over the end of a year.
DAYS = [date(2023, 12, 16) + timedelta(days=offset) for offset in range(23)]
ONE_DAY = timedelta(days=1)
SATURDAY, MONDAY, NEXT_MONDAY = DAYS[0], DAYS[2], DAYS[9]


def assert_equal_to_full_build_and_rules(warehouse: WarehouseBuilder, manifest: Manifest) -> None:
    """Every table holds the rows of one full build from the same lake, and those that the rules give."""
    full = WarehouseBuilder(warehouse.warehouse_path.parent / "full", manifest, lake_folder=warehouse.lake_folder)
    full.warehouse_path.unlink(missing_ok=True)
    full.build(DAYS[0], DAYS[-1] + ONE_DAY, ENGAGEMENT)
    tables = [f"engagement.{name}" for name in MARTS]
    tables += ["intermediate.int_engagement_days_observed", "intermediate.int_engagement_user_weeks"]
    assert warehouse.tables(tables) == full.tables(tables)
    assert found_tables(full) == expected_tables(full)


def use(identity: object, user: str | None = "ana", ms: int | None = 60_000, **more: Any) -> Mapping[str, Any]:
    return {"id": str(identity), "user": user, "ms": ms, **more}


@pytest.fixture(scope="module")
def three_weeks(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Path:
    """Each source with a use on a Saturday and on the Mondays of the two weeks after, built."""
    warehouse = WarehouseBuilder(tmp_path_factory.mktemp("three_weeks"), manifest)
    lake = EngagementLake(warehouse)
    for source in SOURCES:
        for number, day in enumerate((SATURDAY, MONDAY, NEXT_MONDAY)):
            lake.write(source, day, [use(number)])
    warehouse.build(DAYS[0], DAYS[-1], ENGAGEMENT)
    return warehouse.warehouse_path.parent


@pytest.fixture
def built(three_weeks: Path, tmp_path: Path, manifest: Manifest) -> WarehouseBuilder:
    """A copy of the three weeks that a test may change."""
    return WarehouseBuilder(shutil.copytree(three_weeks, tmp_path / "built"), manifest)


def test_a_late_day_changes_the_weeks_after_it(built: WarehouseBuilder, manifest: Manifest) -> None:
    """Ben was there before: he is not new any more. An activity moves from its only week to another one."""
    lake = EngagementLake(built)
    lake.write("lingokids", NEXT_MONDAY, [use(2), use(3, "ben")])
    lake.write("lingokids", SATURDAY, [use(0), use(4, "ben")])
    lake.write("runna", NEXT_MONDAY, [use(0, on=NEXT_MONDAY), use(2)])
    built.build(SATURDAY, NEXT_MONDAY + ONE_DAY, ENGAGEMENT)
    assert_equal_to_full_build_and_rules(built, manifest)
    rows = built.query(
        "select week_start_date, new_users, returning_users, resurrected_users, churned_users "
        "from engagement.weekly_engagement where source = 'lingokids' order by all"
    )
    assert rows == [
        (SATURDAY - timedelta(days=5), 2, 0, 0, 0),
        (MONDAY, 0, 1, 0, 1),
        (NEXT_MONDAY, 0, 1, 1, 0),
    ]
    assert built.query("select min(week_start_date) from engagement.weekly_retention where source = 'runna'") == [
        (MONDAY,)
    ]


def test_a_source_that_was_never_built_has_no_rows_until_it_is(tmp_path: Path, manifest: Manifest) -> None:
    """Its tables are not there at all, as after a first run in which its service was down."""
    warehouse = WarehouseBuilder(tmp_path / "built", manifest)
    lake = EngagementLake(warehouse)
    lake.write("lingokids", MONDAY, [use(1)])
    warehouse.build(MONDAY, MONDAY + ONE_DAY, OF_LINGOKIDS)
    for _ in range(2):
        warehouse.build(MONDAY, MONDAY + ONE_DAY, OWN)
        assert warehouse.failing_tests(DATA_TESTS) == {}
        assert warehouse.query("select distinct source from engagement.weekly_engagement") == [("lingokids",)]
    for source in SOURCES:
        lake.write(source, MONDAY, [use(1)])
    warehouse.build(MONDAY, MONDAY + ONE_DAY, ENGAGEMENT)
    assert_equal_to_full_build_and_rules(warehouse, manifest)
    assert len(warehouse.query("select distinct source from engagement.weekly_engagement")) == len(SOURCES)


def test_a_source_whose_log_is_older_than_its_fact_counts_from_its_first_week(
    tmp_path: Path, manifest: Manifest
) -> None:
    """As after a first build that made the logs and failed at the facts. Runna's activity then leaves that week."""
    warehouse = WarehouseBuilder(tmp_path / "built", manifest)
    lake, user_weeks = EngagementLake(warehouse), "+int_engagement_user_weeks"
    found = "select source, week_start_date, engagement_units from intermediate.int_engagement_user_weeks order by all"
    first_week = SATURDAY - timedelta(days=5)
    for day, unbuilt in ((SATURDAY, "fct__activities fct__mobile_sessions"), (NEXT_MONDAY, None)):
        for source in ("runna", "mobile"):
            lake.write(source, day, [use(day)])
        warehouse.build(day, day + ONE_DAY, user_weeks, exclude=unbuilt)
        assert bool(warehouse.query(found)) == (unbuilt is None)
    of_mobile = [("mobile", first_week, 1), ("mobile", NEXT_MONDAY, 1)]
    assert warehouse.query(found) == [*of_mobile, ("runna", first_week, 1), ("runna", NEXT_MONDAY, 1)]
    lake.write("runna", SATURDAY, [use(SATURDAY, on=NEXT_MONDAY)])
    warehouse.build(SATURDAY, MONDAY, user_weeks)
    assert warehouse.query(found) == [*of_mobile, ("runna", NEXT_MONDAY, 2)]


def test_a_rerun_gives_the_same_rows_and_rebuilds_no_week(built: WarehouseBuilder) -> None:
    before = found_tables(built)
    with duckdb.connect(str(built.warehouse_path)) as connection:
        connection.execute(
            "update intermediate.int_engagement_user_weeks set engagement_units = 77 where source <> 'strava'"
        )
    built.build(DAYS[1], DAYS[2], OWN)
    assert built.query(
        "select distinct source from intermediate.int_engagement_user_weeks where engagement_units <> 77"
    ) == [("strava",)]
    with duckdb.connect(str(built.warehouse_path)) as connection:
        connection.execute("update intermediate.int_engagement_user_weeks set engagement_units = 1")
    built.build(DAYS[1], DAYS[2], OWN)
    assert found_tables(built) == before


def test_user_weeks_that_are_built_alone_hold_a_source_without_a_log_once(built: WarehouseBuilder) -> None:
    """The view that names what changed keeps the number of the build that created it, which is noted already."""
    lake = EngagementLake(built)
    weeks = "select week_start_date, engagement_units from intermediate.int_engagement_user_weeks where source = {}"
    of_lingokids = built.query(weeks.format("'lingokids' order by all"))
    for uses in (1, 2):
        lake.write("strava", NEXT_MONDAY, [use(f"{uses}{number}") for number in range(uses)])
        built.build(NEXT_MONDAY, NEXT_MONDAY + ONE_DAY, "+fct__strava_activities int_engagement_user_weeks")
        assert built.query(weeks.format("'strava' order by all")) == [
            (SATURDAY - timedelta(days=5), 1),
            (MONDAY, 1),
            (NEXT_MONDAY, uses),
        ]
    assert built.query(weeks.format("'lingokids' order by all")) == of_lingokids


def test_a_daily_run_opens_no_old_record_of_loads(built: WarehouseBuilder) -> None:
    old = built.lake_folder / LOADS.key / f"day={FIRST_LOAD.date() - timedelta(days=20)}" / "data.parquet"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"unreadable")
    built.build(DAYS[1], DAYS[2], OWN)


@pytest.mark.parametrize("wrong_by", [timedelta(days=400), timedelta(days=-400)], ids=["ahead", "behind"])
def test_days_loaded_by_a_wrong_clock_and_after_it_was_put_right_are_observed(
    built: WarehouseBuilder, manifest: Manifest, wrong_by: timedelta
) -> None:
    lake = EngagementLake(built)
    for days_later, by in enumerate((wrong_by, -wrong_by), start=1):
        lake.move_clock(by)
        day = MONDAY + days_later * ONE_DAY
        lake.write("lingokids", day, [use(f"wrong-{day}")])
        built.build(day, day + ONE_DAY, f"{OF_LINGOKIDS} {OWN}")
    assert built.query(
        "select days_observed from engagement.weekly_engagement "
        f"where source = 'lingokids' and week_start_date = date '{MONDAY}'"
    ) == [(3,)]
    assert_equal_to_full_build_and_rules(built, manifest)


class Sources:
    """Five sources whose days change at random, and the lake that they fill."""

    def __init__(self, warehouse: WarehouseBuilder, draw: random.Random) -> None:
        # Some dates may be later than what was loaded by then.
        self._lake = EngagementLake(warehouse, first_load=draw.choice([FIRST_LOAD, datetime(2023, 12, 20)]))
        self._draw = draw
        # One of them may never be loaded.
        self._sources = draw.sample(SOURCES, draw.choice([len(SOURCES), len(SOURCES) - 1]))
        self.changed_days: set[date] = set()

    def change(self, times: int) -> None:
        """Replace days, by a clock that may be wrong: more uses, fewer, none, ids and users that move between days."""
        self._lake.move_clock(self._draw.choice([0, 0, 400, -400]) * ONE_DAY)
        for _ in range(times):
            source, day = self._draw.choice(self._sources), self._draw.choice(DAYS)
            identities = self._draw.sample(range(3 * USERS), self._draw.choice([0, 1, USERS // 3, USERS]))
            uses = [self._use(source, day, identity) for identity in identities]
            self._lake.write(source, day, uses)
            self.changed_days.add(day)

    def _use(self, source: str, day: date, identity: int) -> Mapping[str, Any]:
        more: dict[str, Any] = {}
        if source == "runna":
            other = self._draw.choice(DAYS)
            more["on"] = self._draw.choice([day, day, other, None, date(2090, 1, 1)])
        if source == "strava":
            more["deleted"] = self._draw.random() < 0.3
        user = f"user-{self._draw.randrange(USERS)}"
        if source == "mobile":
            user = self._draw.choice([user.upper(), user])
        return use(identity, user, self._draw.choice([0, 60_000, 7_000_000]), **more)

    def unbuilt_windows(self) -> list[list[date]]:
        """The changed days that no complete build has seen, in one or two windows and in any order."""
        days = sorted(self.changed_days)
        if not days:
            return [DAYS[:1]]
        cut = self._draw.randint(0, len(days) - 1)
        windows = [window for window in (days[:cut], days[cut:]) if window]
        return self._draw.sample(windows, len(windows))


def build_at_random(warehouse: WarehouseBuilder, sources: Sources, draw: random.Random) -> None:
    """Build a window: all tables, a part of them, or some of them in full."""
    start, end = sorted(draw.sample(range(len(DAYS) + 1), 2))
    window = (DAYS[0] + start * ONE_DAY, DAYS[0] + end * ONE_DAY)
    match draw.randrange(5):
        case 0:
            warehouse.build(*window, f"+{draw.choice(INTERMEDIATE + FACTS)}")
        case 1:
            warehouse.build(*window, ENGAGEMENT, exclude=draw.choice(INTERMEDIATE + FACTS + MARTS))
        case 2:
            models = draw.sample(INTERMEDIATE + MARTS, 2)
            warehouse.build(*window, " ".join(models), full_refresh=True)
        case _:
            warehouse.build(*window, ENGAGEMENT)
            sources.changed_days.difference_update(DAYS[start:end])


def build_any_sequence(warehouse: WarehouseBuilder, manifest: Manifest, draw: random.Random) -> None:
    """Change days and build at random, then come to rest and compare with one full build on DuckDB, and the rules."""
    sources = Sources(warehouse, draw)
    sources.change(25)
    warehouse.build(DAYS[0], DAYS[-1] + ONE_DAY, ENGAGEMENT)
    sources.changed_days.clear()
    for _ in range(BUILDS):
        sources.change(5)
        build_at_random(warehouse, sources, draw)
    for days in sources.unbuilt_windows():
        warehouse.build(days[0], days[-1] + ONE_DAY, ENGAGEMENT)
    assert_equal_to_full_build_and_rules(warehouse, manifest)


def test_any_sequence_of_builds_equals_one_full_build_and_the_rules(
    tmp_path_factory: pytest.TempPathFactory, manifest: Manifest
) -> None:
    # A failing sequence is not made smaller: every attempt costs seconds of builds.
    @settings(deadline=None, max_examples=SEQUENCES, phases=[Phase.reuse, Phase.generate])
    @given(draw=draws)
    def sequence_equals_one_full_build(draw: random.Random) -> None:
        folder = tmp_path_factory.mktemp("sequence")
        build_any_sequence(WarehouseBuilder(folder, manifest), manifest, draw)
        shutil.rmtree(folder)

    sequence_equals_one_full_build()

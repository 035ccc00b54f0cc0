"""Learning tables: any sequence of builds ends with the tables of one full build from the same lake.

Belongs here: what happens between builds (events that come late, again, on another day or go;
users and activities that change; builds that failed, were partial or refreshed one table).
Not here: what one build computes (see the dbt unit tests).
"""

import os
import random
import shutil
from datetime import date, datetime, time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from dbt.contracts.graph.manifest import Manifest
from hypothesis import given

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.extract.lingokids import LINGOKIDS_ACTIVITIES, LINGOKIDS_EVENTS, LINGOKIDS_USERS
from tests.integration.build_sequences import draws, sequences
from tests.integration.learning_app import DAYS, ONE_DAY, LearningApp, activity, event, user
from tests.integration.warehouse_builder import Row, WarehouseBuilder, differing_tables

pytestmark = pytest.mark.integration

# How many builds a random sequence has before it comes to rest.
BUILDS = int(os.environ.get("LEARNING_BUILDS", "3"))

LEARNING = "+path:models/marts/learning"
FACT = "+fct__activity_exits"
MARTS = (
    "fct__activity_exits",
    "engagement_daily",
    "engagement_weekly",
    "engagement_monthly",
    "engagement_yearly",
    "top_activities",
    "learning_active_users",
)
INTERMEDIATE = (
    "int_lingokids_users_latest",
    "int_lingokids_activities_latest",
    "int_lingokids_events_by_day",
    "int_lingokids_days_linked",
    "int_lingokids_days_changed",
)
# Columns that say what was built when, and not what is so.
BOOKKEEPING = {"affected_from"}

DAY_1, DAY_2, DAY_3, DAY_4 = DAYS[:4]


def tables(warehouse: WarehouseBuilder) -> dict[str, list[dict[str, object]]]:
    """What the warehouse says, without its bookkeeping: tables by name."""
    wheres = {f"learning.{name}": "true" for name in MARTS} | {"intermediate.int_lingokids_events_by_day": "true"}
    wheres |= {f"intermediate.int_lingokids_{name}_latest": "is_known" for name in ("users", "activities")}
    return {
        name: [{key: value for key, value in row.items() if key not in BOOKKEEPING} for row in rows]
        for name, rows in warehouse.tables(wheres).items()
    }


def assert_equal_to_full_build(warehouse: WarehouseBuilder, manifest: Manifest) -> None:
    """Every table holds the rows of one full build from the same lake."""
    folder = warehouse.warehouse_path.parent / "full"
    full = WarehouseBuilder(folder, manifest, lake_folder=warehouse.lake_folder)
    full.warehouse_path.unlink(missing_ok=True)
    full.build(DAY_1, DAY_2, LEARNING)
    assert differing_tables(tables(warehouse), tables(full)) == {}


def days_logged_last(warehouse: WarehouseBuilder) -> list[object]:
    """The days that the newest build found changed."""
    return [
        day
        for (day,) in warehouse.query(
            "select event_date from intermediate.int_lingokids_days_changed where change_number = "
            "(select max(change_number) from intermediate.consumed_changes) order by event_date"
        )
    ]


@pytest.fixture(scope="module")
def four_days(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Path:
    """Four days with an event of Ana and one of Ben each, built; Ben is unknown. Days 2 and 4 share one more."""
    warehouse = WarehouseBuilder(tmp_path_factory.mktemp("four_days"), manifest)
    for day in DAYS[:4]:
        rows = [event(f"ana-{day}", day), event(f"ben-{day}", day, user_id="ben", activity_id="game")]
        rows += [event("shared", day)] if day in (DAY_2, DAY_4) else []
        warehouse.write_day(LINGOKIDS_EVENTS, day, rows)
    warehouse.write_whole(LINGOKIDS_USERS, [user("ana")])
    warehouse.write_whole(LINGOKIDS_ACTIVITIES, [activity("song"), activity("game")])
    warehouse.build(DAY_1, DAY_4 + ONE_DAY, LEARNING)
    return warehouse.warehouse_path.parent


@pytest.fixture
def built(four_days: Path, tmp_path: Path, manifest: Manifest) -> WarehouseBuilder:
    """A copy of the four days that a test may change."""
    folder = shutil.copytree(four_days, tmp_path / "built")
    return WarehouseBuilder(folder, manifest)


def test_a_rebuilt_window_is_as_the_lake_has_it_now(built: WarehouseBuilder, manifest: Manifest) -> None:
    """A day is emptied, one gets a late event and loses one; the days around them are left alone."""
    built.write_day(LINGOKIDS_EVENTS, DAY_1, [])
    built.write_day(LINGOKIDS_EVENTS, DAY_3, [event("late", DAY_3), event(f"ana-{DAY_3}", DAY_3, duration_ms=2_000)])
    built.build(DAY_1, DAY_2, FACT)
    assert days_logged_last(built) == [DAY_1]
    built.build(DAY_3, DAY_4, LEARNING)
    assert days_logged_last(built) == [DAY_3]
    assert_equal_to_full_build(built, manifest)


def test_a_user_is_followed_to_the_days_of_earlier_events(built: WarehouseBuilder, manifest: Manifest) -> None:
    start = datetime.combine(DAY_3, time(9))
    subscription = {"subscription_start_at": start, "subscription_expire_at": start + ONE_DAY}
    steps: list[tuple[list[Row], list[date], list[str]]] = [
        # The subscription has begun before day 3 and is over before day 4: the days before stay as they are.
        ([user("ana", **subscription)], [DAY_3, DAY_4], ["free", "free", "subscribed", "lapsed"]),
        # Gone.
        ([], DAYS[:4], ["unknown", "unknown", "unknown", "unknown"]),
        # Back, and somebody else is known from now on.
        ([user("ana", trial_start_at=start), user("ben")], DAYS[:4], ["free", "free", "trial", "trial"]),
        # The trial has begun a day earlier, and the other one is as before.
        (
            [user("ben"), user("ana", trial_start_at=start - ONE_DAY)],
            [DAY_2, DAY_3, DAY_4],
            ["free", "trial", "trial", "trial"],
        ),
    ]
    for users, days, statuses in steps:
        built.write_whole(LINGOKIDS_USERS, users)
        built.build(DAYS[8], DAYS[9], FACT)
        assert days_logged_last(built) == days
        found = built.query(
            "select subscription_status from learning.fct__activity_exits "
            "where event_id like 'ana%' order by event_date"
        )
        assert found == [(status,) for status in statuses]
    built.build(DAYS[8], DAYS[9], LEARNING)
    assert_equal_to_full_build(built, manifest)


def test_two_changes_of_a_user_count_both_when_the_first_was_not_followed(
    built: WarehouseBuilder, manifest: Manifest
) -> None:
    early, late = datetime.combine(DAY_2, time(9)), datetime.combine(DAY_4, time(9))
    built.write_whole(LINGOKIDS_USERS, [user("ana", trial_start_at=early)])
    built.build(DAYS[8], DAYS[9], "+int_lingokids_users_latest")
    built.write_whole(LINGOKIDS_USERS, [user("ana", trial_start_at=early, trial_end_at=late)])
    built.build(DAYS[8], DAYS[9], LEARNING)
    assert days_logged_last(built) == [DAY_2, DAY_3, DAY_4]
    assert_equal_to_full_build(built, manifest)


def test_an_activity_is_followed_to_the_days_of_earlier_events(built: WarehouseBuilder, manifest: Manifest) -> None:
    built.write_whole(LINGOKIDS_ACTIVITIES, [activity("song", activity_name="The Family Song")])
    built.build(DAYS[8], DAYS[9], LEARNING)
    assert built.query("select distinct activity_name, activity_type from learning.top_activities order by all") == [
        ("The Family Song", "game"),
        ("game", "unknown"),
    ]
    assert_equal_to_full_build(built, manifest)


def test_an_event_that_moves_between_days_is_one_event(built: WarehouseBuilder, manifest: Manifest) -> None:
    """It moves on and back, while the day that must give it up and get it back is not in the window."""
    moved = f"ana-{DAY_1}"
    for day_3, home in (([event(moved, DAY_3), event("other", DAY_3)], DAY_3), ([event("other", DAY_3)], DAY_1)):
        built.write_day(LINGOKIDS_EVENTS, DAY_3, day_3)
        built.build(DAY_3, DAY_4, FACT)
        assert days_logged_last(built) == [DAY_1, DAY_3]
        assert built.query(f"select event_date from learning.fct__activity_exits where event_id = '{moved}'") == [
            (home,)
        ]
    built.build(DAYS[8], DAYS[9], LEARNING)
    assert_equal_to_full_build(built, manifest)


@pytest.mark.parametrize("last_built", ["int_lingokids_events_by_day", "int_lingokids_days_changed"])
def test_a_build_that_stopped_is_made_good_by_a_build_of_other_days(
    built: WarehouseBuilder, manifest: Manifest, last_built: str
) -> None:
    """A day got another event, and one was emptied that shared an event with a day outside of the window."""
    built.write_day(LINGOKIDS_EVENTS, DAY_3, [event("new", DAY_3)])
    built.write_day(LINGOKIDS_EVENTS, DAY_4, [])
    built.build(DAY_3, DAY_4 + ONE_DAY, f"+{last_built}")
    built.build(DAYS[8], DAYS[9], LEARNING)
    assert_equal_to_full_build(built, manifest)


@pytest.mark.parametrize("left_out", ["int_lingokids_days_linked", "fct__activity_exits", "engagement_monthly"])
def test_a_table_that_was_left_out_is_caught_up_with_those_that_read_it(
    built: WarehouseBuilder, manifest: Manifest, left_out: str
) -> None:
    built.write_day(LINGOKIDS_EVENTS, DAY_3, [event(f"ana-{DAY_1}", DAY_3)])
    built.build(DAY_3, DAY_4, LEARNING, exclude=left_out)
    built.build(DAYS[8], DAYS[9], LEARNING)
    assert_equal_to_full_build(built, manifest)


@pytest.mark.parametrize("refreshed", ["int_lingokids_days_linked", "int_lingokids_days_changed"])
def test_a_log_of_days_that_is_refreshed_in_full_forgets_none(
    built: WarehouseBuilder, manifest: Manifest, refreshed: str
) -> None:
    """A day was emptied, which shared an event with another day, and only then was the log refreshed."""
    built.write_day(LINGOKIDS_EVENTS, DAY_4, [])
    built.build(DAY_4, DAY_4 + ONE_DAY, "+int_lingokids_events_by_day")
    built.build(DAYS[8], DAYS[9], refreshed, full_refresh=True)
    built.build(DAYS[8], DAYS[9], LEARNING)
    assert_equal_to_full_build(built, manifest)


@pytest.mark.parametrize(
    ("dataset", "refreshed"),
    [
        (LINGOKIDS_USERS, "int_lingokids_users_latest"),
        (LINGOKIDS_ACTIVITIES, "int_lingokids_activities_latest"),
    ],
)
def test_a_log_of_a_snapshot_that_is_refreshed_in_full_forgets_none(
    built: WarehouseBuilder, manifest: Manifest, dataset: Dataset, refreshed: str
) -> None:
    built.write_whole(dataset, [])
    built.build(DAYS[8], DAYS[9], f"+{refreshed}", full_refresh=True)
    built.build(DAYS[8], DAYS[9], LEARNING)
    assert_equal_to_full_build(built, manifest)


def test_a_daily_run_opens_no_other_day_of_the_lake(built: WarehouseBuilder) -> None:
    (built.lake_folder / LINGOKIDS_EVENTS.key / f"day={DAY_3}" / "data.parquet").write_bytes(b"unreadable")
    built.write_day(LINGOKIDS_EVENTS, DAY_4, [event("new", DAY_4)])
    built.build(DAY_4, DAY_4 + ONE_DAY, LEARNING)
    assert built.query("select event_id from learning.fct__activity_exits where event_date >= date '2023-12-30'") == [
        ("new",)
    ]


def build_at_random(warehouse: WarehouseBuilder, app: LearningApp, draw: random.Random) -> None:
    """Build a window: all tables, a part of them, or one of them in full."""
    start, end = sorted(draw.sample(range(len(DAYS) + 1), 2))
    window = (DAYS[0] + start * ONE_DAY, DAYS[0] + end * ONE_DAY)
    match draw.randrange(5):
        case 0:
            warehouse.build(*window, f"+{draw.choice(INTERMEDIATE + MARTS)}")
        case 1:
            warehouse.build(*window, LEARNING, exclude=draw.choice(INTERMEDIATE + MARTS))
        case 2:
            warehouse.build(*window, draw.choice(INTERMEDIATE + MARTS), full_refresh=True)
        case _:
            warehouse.build(*window, LEARNING)
            app.changed_days.difference_update(DAYS[start:end])


@sequences("LEARNING_SEQUENCES")
@given(draw=draws)
def test_any_sequence_of_builds_equals_one_full_build(manifest: Manifest, draw: random.Random) -> None:
    with TemporaryDirectory() as folder:
        warehouse = WarehouseBuilder(Path(folder) / "incremental", manifest)
        app = LearningApp(warehouse, draw)
        app.change(40)
        warehouse.build(DAYS[0], DAYS[-1] + ONE_DAY, LEARNING)
        app.changed_days.clear()
        for _ in range(BUILDS):
            app.change(4)
            build_at_random(warehouse, app, draw)
        for days in draw.sample(app.unbuilt_days(), len(app.unbuilt_days())) or [DAYS[:1]]:
            warehouse.build(days[0], days[-1] + ONE_DAY, LEARNING)
        assert_equal_to_full_build(warehouse, manifest)

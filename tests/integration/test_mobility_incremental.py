"""Mobility tables between builds: late, earlier and withdrawn events.

Belongs here: one named case each, and the whole against the query that anyone would write. Not here: random sequences
(see `test_mobility_property.py`) or what one build computes (see the dbt unit tests).
"""

import random
import shutil
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from dbt.contracts.graph.manifest import Manifest

from engagement_assets.extract.mobile import MOBILE_EVENTS
from tests.integration.mobile_timelines import EVENT_NAMES, PAUSES
from tests.integration.warehouse_builder import WarehouseBuilder

pytestmark = pytest.mark.integration

MOBILITY = "+path:models/marts/mobility"
# The end of a year and of a week.
SATURDAY, SUNDAY, MONDAY = date(2022, 12, 31), date(2023, 1, 1), date(2023, 1, 2)
DAYS = (SATURDAY, SUNDAY, MONDAY)
ONE_DAY = timedelta(days=1)

# What the lake has before each case: two sessions on Sunday, one over midnight, one of Monday.
EVENTS = {
    "morning": "2023-01-01 10:00",
    "coffee": "2023-01-01 10:20",
    "night": "2023-01-01 23:50",
    "past_midnight": "2023-01-02 00:04",
    "monday": "2023-01-02 12:00",
}
SESSIONS = {
    ("morning",): SUNDAY,
    ("coffee",): SUNDAY,
    ("night", "past_midnight"): SUNDAY,
    ("monday",): MONDAY,
}


class Lake:
    """Ana's events by name; each is on the day of its time."""

    def __init__(self, warehouse: WarehouseBuilder) -> None:
        self._warehouse = warehouse
        self._events = dict(EVENTS)

    def write(self, *days: date) -> None:
        for day in days:
            rows = [
                {
                    "event_id": event_id,
                    "anonymous_id": "ana",
                    "device_id": "phone",
                    "event_name": "Application Opened",
                    "created_at": datetime.fromisoformat(at),
                }
                for event_id, at in self._events.items()
                if at.startswith(str(day))
            ]
            self._warehouse.write_day(MOBILE_EVENTS, day, rows)

    def change(self, changes: Mapping[str, str | None]) -> set[date]:
        """Add events, or take some away (None); return the days on which something changed."""
        days = {date.fromisoformat((at or self._events[event_id])[:10]) for event_id, at in changes.items()}
        self._events = {key: at for key, at in {**self._events, **changes}.items() if at is not None}
        self.write(*days)
        return days


def sessions(warehouse: WarehouseBuilder) -> dict[tuple[str, ...], date]:
    """The events of each session in their order, and the session's day."""
    found = warehouse.query(
        "select list(event_id order by position), any_value(session_date) "
        "from mobility.bdg__mobile_session_to_events group by session_id"
    )
    days: dict[tuple[str, ...], date] = {}
    for event_ids, day in found:
        assert isinstance(event_ids, list)
        assert isinstance(day, date)
        days[tuple(event_ids)] = day
    return days


def assert_equal_to_full_build(warehouse: WarehouseBuilder, manifest: Manifest) -> None:
    """Every table holds the rows of one full build from the same lake."""
    full = WarehouseBuilder(warehouse.warehouse_path.parent / "full", manifest, lake_folder=warehouse.lake_folder)
    full.warehouse_path.unlink(missing_ok=True)
    full.build(SATURDAY, SUNDAY, MOBILITY)
    marts = ("fct__mobile_sessions", "bdg__mobile_session_to_events", "weekly_booking_conversion")
    tables = [f"mobility.{table}" for table in marts]
    assert warehouse.tables(tables) == full.tables(tables)


@pytest.fixture(scope="module")
def three_days(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Path:
    warehouse = WarehouseBuilder(tmp_path_factory.mktemp("three_days"), manifest)
    Lake(warehouse).write(*DAYS)
    warehouse.build(SATURDAY, MONDAY + ONE_DAY, MOBILITY)
    assert sessions(warehouse) == SESSIONS
    return warehouse.warehouse_path.parent


@pytest.fixture
def built(three_days: Path, tmp_path: Path, manifest: Manifest) -> WarehouseBuilder:
    """A copy of the three days that a test may change."""
    return WarehouseBuilder(shutil.copytree(three_days, tmp_path / "built"), manifest)


@pytest.mark.parametrize(
    ("changes", "gone", "taken"),
    [
        (
            {"late": "2023-01-01 10:10"},
            [("morning",), ("coffee",)],
            {("morning", "late", "coffee"): SUNDAY},
        ),
        ({"late": "2023-01-01 15:00"}, [], {("late",): SUNDAY}),
        ({"late": "2023-01-01 09:50"}, [("morning",)], {("late", "morning"): SUNDAY}),
        (
            {"late": "2023-01-02 00:10"},
            [("night", "past_midnight")],
            {("night", "past_midnight", "late"): SUNDAY},
        ),
        ({"night": None}, [("night", "past_midnight")], {("past_midnight",): MONDAY}),
        ({"morning": None, "coffee": None}, [("morning",), ("coffee",)], {}),
        (
            {"monday": None, "past_midnight": None},
            [("night", "past_midnight"), ("monday",)],
            {("night",): SUNDAY},
        ),
        (
            {"late": "2022-12-31 23:59", "second": "2023-01-01 00:13", "third": "2022-12-31 23:44"},
            [],
            {("third",): SATURDAY, ("late", "second"): SATURDAY},
        ),
    ],
    ids=[
        *("joins_two", "stands_alone", "moves_a_start", "extends_over_midnight", "first_event_has_gone", "removed"),
        *("day_is_empty", "over_the_years_end"),
    ],
)
def test_a_changed_day_alters_only_the_sessions_that_it_touches(
    built: WarehouseBuilder,
    manifest: Manifest,
    changes: Mapping[str, str | None],
    gone: list[tuple[str, ...]],
    taken: Mapping[tuple[str, ...], date],
) -> None:
    days = Lake(built).change(changes)
    built.build(min(days), max(days) + ONE_DAY, MOBILITY)
    kept = {event_ids: day for event_ids, day in SESSIONS.items() if event_ids not in gone}
    assert sessions(built) == {**kept, **taken}
    assert_equal_to_full_build(built, manifest)


def test_a_session_that_a_late_event_had_joined_is_split_when_the_event_is_withdrawn(
    built: WarehouseBuilder, manifest: Manifest
) -> None:
    lake = Lake(built)
    for change in ("2023-01-01 10:10", None):
        lake.change({"late": change})
        built.build(SUNDAY, MONDAY, MOBILITY)
    assert sessions(built) == SESSIONS
    assert_equal_to_full_build(built, manifest)


def test_a_week_that_its_only_session_left_has_no_row(built: WarehouseBuilder, manifest: Manifest) -> None:
    """Monday's sessions go, one of them into Sunday's."""
    lake = Lake(built)
    weeks = "select week_start_date, sessions from mobility.weekly_booking_conversion order by all"
    assert built.query(weeks) == [(date(2022, 12, 26), 3), (MONDAY, 1)]
    lake.change({"monday": None})
    built.build(MONDAY, MONDAY + ONE_DAY, MOBILITY)
    assert built.query(weeks) == [(date(2022, 12, 26), 3)]
    assert_equal_to_full_build(built, manifest)


def test_a_late_session_gives_the_users_later_ones_other_numbers(built: WarehouseBuilder, manifest: Manifest) -> None:
    Lake(built).change({"late": "2022-12-31 08:00"})
    built.build(SATURDAY, SUNDAY, MOBILITY)
    numbers = "select session_number, event_count from mobility.fct__mobile_sessions order by started_at"
    assert built.query(numbers) == [(1, 1), (2, 1), (3, 1), (4, 2), (5, 1)]
    assert_equal_to_full_build(built, manifest)


def test_a_session_of_several_days_is_found_from_its_last_one(built: WarehouseBuilder, manifest: Manifest) -> None:
    """An event every ten minutes from Saturday on; one of Sunday's is withdrawn, one of Monday's comes late."""
    start = datetime(2022, 12, 31, 8)
    changes = {f"every_{index:03}": str(start + timedelta(minutes=10 * index)) for index in range(240)}
    lake = Lake(built)
    lake.change(changes)
    built.build(SATURDAY, MONDAY + ONE_DAY, MOBILITY)
    assert len(sessions(built)) == 2
    lake.change({"every_130": None, "late": "2023-01-01 23:55:30"})
    built.build(SUNDAY, MONDAY, MOBILITY)
    assert_equal_to_full_build(built, manifest)
    lake.change({"late_on_monday": "2023-01-02 00:00:30"})
    built.build(MONDAY, MONDAY + ONE_DAY, MOBILITY)
    assert_equal_to_full_build(built, manifest)


# One statement over the whole table, as anyone would write it; `{lake}` are the files of the lake.
CLASSIC_QUERY = """
with events as (
    select distinct lower(anonymous_id) as anonymous_id, lower(device_id) as device_id, event_id, event_name,
        created_at, received_at, business_zone, os_name
    from read_parquet('{lake}')
), flagged as (
    select *, coalesce(created_at - lag(created_at) over w >= interval 15 minute, true) as is_new
    from events
    window w as (partition by anonymous_id, device_id order by created_at, received_at nulls last, event_name, event_id)
), counted as (
    select *, sum(is_new::int) over w as number
    from flagged
    window w as (partition by anonymous_id, device_id order by created_at, received_at nulls last, event_name, event_id)
)
select anonymous_id, device_id, min(created_at) as started_at, max(created_at) as ended_at,
    list(event_id order by created_at, received_at nulls last, event_name, event_id) as event_ids,
    bool_or(event_name similar to '.*(Ride Started|Ride Done|Rating Screen).*') as is_booked,
    bool_or(
        event_name similar to '.*(Scooter Selected|Location Services Enabled).*'
        or event_name similar to '.*(Qr Scanner - Scanned|List Of Payment Shown).*'
    ) as is_searching,
    first(business_zone order by created_at, received_at nulls last, event_name, event_id)
        filter (business_zone is not null) as zone,
    first(os_name order by created_at, received_at nulls last, event_name, event_id)
        filter (os_name is not null) as os_name
from counted
group by anonymous_id, device_id, number
"""
REFERENCE_EVENTS = 100_000


def write_many_events(warehouse: WarehouseBuilder, draw: random.Random, days: int) -> None:
    """`REFERENCE_EVENTS` events of some thousand users, every trap of the timelines in them, written day by day."""
    rows: list[tuple[object, ...]] = []
    user = 0
    while len(rows) < REFERENCE_EVENTS:
        user += 1
        at = datetime(2022, 12, 26) + timedelta(minutes=draw.randrange(1440 * (days - 3)))
        name = f"{draw.getrandbits(64):016x}"
        for _ in range(draw.randrange(1, 60)):
            at += draw.choice(PAUSES[:13]) if draw.random() < 0.6 else timedelta(minutes=draw.randrange(14))
            if at >= datetime(2022, 12, 26) + timedelta(days=days):
                break
            rows.append(
                (
                    f"{draw.getrandbits(128):032x}",
                    draw.choice((name, name.upper())),
                    draw.choice(("Phone", "phone", "phone", "tablet")),
                    draw.choice(EVENT_NAMES),
                    draw.choice(("Berlin", "Paris", None)),
                    draw.choice(("ios", "android", None)),
                    draw.choice((None, at, at + timedelta(seconds=1))),
                    at,
                )
            )
    folder = warehouse.lake_folder / "raw_mobile" / "events"
    columns = ", ".join(f"{name} {kind}" for name, kind in MOBILE_EVENTS.columns.items())
    names = ["event_id", "anonymous_id", "device_id", "event_name", "business_zone", "os_name"]
    names += ["received_at", "created_at"]
    with duckdb.connect() as connection:
        connection.execute(f"create table events ({columns})")
        table = pa.table(dict(zip(names, zip(*rows, strict=True), strict=True)))
        connection.register("drawn", table)
        connection.execute(f"insert into events ({', '.join(names)}) from drawn")
        for (day,) in connection.execute("select distinct created_at::date from events").fetchall():
            (folder / f"day={day}").mkdir(parents=True, exist_ok=True)
            connection.execute(
                f"copy (from events where created_at::date = '{day}') "
                f"to '{folder}/day={day}/data.parquet' (format parquet)"
            )


def test_a_gap_of_more_than_a_day_is_refused(built: WarehouseBuilder) -> None:
    days, select = (SATURDAY, MONDAY + ONE_DAY), "path:models/intermediate/mobility"
    built.build(*days, select, full_refresh=True, variables={"mobile_session_gap_s": 86_400})
    assert list(sessions(built)) == [("morning", "coffee", "night", "past_midnight", "monday")]
    with pytest.raises(AssertionError, match="mobile_session_gap_s is 86401; expected more than 0 and at most 86400"):
        built.build(*days, select, variables={"mobile_session_gap_s": 86_401})


def test_the_tables_are_those_of_the_classic_query(tmp_path: Path, manifest: Manifest) -> None:
    """100,000 events over three weeks, read in five windows out of order."""
    days = 21
    warehouse = WarehouseBuilder(tmp_path / "warehouse", manifest)
    write_many_events(warehouse, random.Random(7), days)
    first = date(2022, 12, 26)
    for start, end in ((12, 15), (0, 7), (15, 21), (7, 12), (3, 14)):
        warehouse.build(first + start * ONE_DAY, first + end * ONE_DAY, MOBILITY)
    lake = warehouse.lake_folder / "raw_mobile" / "events" / "*" / "*.parquet"
    with duckdb.connect(str(warehouse.warehouse_path)) as connection:
        connection.execute(f"create temp table expected as {CLASSIC_QUERY.format(lake=lake)}")
        connection.execute(
            """
            create temp table found as
            select anonymous_id, device_id, started_at, ended_at, event_ids, is_booked, is_searching, zone, os_name
            from mobility.fct__mobile_sessions
            inner join (
                select session_id, list(event_id order by position) as event_ids
                from mobility.bdg__mobile_session_to_events group by session_id
            ) using (session_id)
            """
        )
        [(events, sessions_expected)] = connection.execute(
            "select sum(len(event_ids)), count(*) from expected"
        ).fetchall()
        assert events >= REFERENCE_EVENTS
        assert sessions_expected > 10_000
        assert connection.execute("from found except all from expected").fetchall() == []
        assert connection.execute("from expected except all from found").fetchall() == []
        weekly = """
            select date_trunc('week', started_at)::date as week, zone, os_name, count(*), count_if(is_searching),
                count_if(is_booked), count_if(is_booked) / count(*)
            from expected group by all order by all
        """
        stored = """
            select week_start_date, zone, os_name, sessions, searching_sessions, booked_sessions, booking_rate
            from mobility.weekly_booking_conversion order by all
        """
        assert connection.execute(stored).fetchall() == connection.execute(weekly).fetchall()

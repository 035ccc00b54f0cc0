"""What a load knows of the days that are published: their rows, and which of them are missing now."""

from pathlib import Path

import pytest

from engagement_assets.contracts.datasets import USER_EVENTS
from engagement_assets.lake.known_records import published_rows, records_missing
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import open_load
from tests.lake_loads import DAY_1, DAY_2, DAY_3, Found, Reject, load_time, publish, window, write

PUBLISHED = Found(
    {
        USER_EVENTS: [{"event_id": f"e{number}", "day": DAY_1} for number in range(3)]
        + [{"event_id": "e0", "day": DAY_2}]
    }
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "it's a lake"))
    publish(lake, PUBLISHED, window(DAY_1, DAY_2), 1)
    return lake


def test_published_rows_are_those_of_the_window_and_none_of_days_that_were_never_read(lake: Lake) -> None:
    with open_load(lake, "source", run_id="run", started_at=load_time(2)) as load:
        query = f"select event_id, day from {published_rows(load, USER_EVENTS, window(DAY_2, DAY_3))} order by all"
        assert load.connection.execute(query).fetchall() == [("e0", DAY_2)]
        query = f"select count(*) from {published_rows(load, USER_EVENTS, window(DAY_3))}"
        assert load.connection.execute(query).fetchall() == [(0,)]


def test_a_record_is_missing_where_its_own_day_has_it_no_more(lake: Lake) -> None:
    rows = [{"event_id": "e0", "day": DAY_1}, {"event_id": "new", "day": DAY_1}, {"event_id": "e1", "day": DAY_2}]
    with open_load(lake, "source", run_id="run", started_at=load_time(2)) as load:
        write(load, Found({USER_EVENTS: rows}), window(DAY_1, DAY_3))
        assert records_missing(load, USER_EVENTS) == {DAY_1: (3, 2), DAY_2: (1, 1)}


def test_a_record_that_is_quarantined_now_is_missing(lake: Lake) -> None:
    with open_load(lake, "source", run_id="run", started_at=load_time(2)) as load:
        write(load, Found({USER_EVENTS: ()}, rejects=[Reject(USER_EVENTS, DAY_2, "page")]), window(DAY_2))
        assert records_missing(load, USER_EVENTS) == {DAY_2: (1, 1)}


def test_before_the_first_load_nothing_is_missing(tmp_path: Path) -> None:
    with open_load(Lake(str(tmp_path / "new")), "source", run_id="run") as load:
        write(load, Found({USER_EVENTS: ()}), window(DAY_1))
        assert records_missing(load, USER_EVENTS) == {}

"""Records whose own time no run is for: counted, quarantined, told, and read once START_DATE says so."""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from engagement_assets.contracts.extraction import Calendar, DayWindow
from engagement_assets.extract.landing.index import FileIndex
from tests.unit.extract import lingokids_loads, mobile_loads
from tests.unit.extract.lingokids_loads import Loaded, event
from tests.unit.extract.mobile_loads import HEADER, row

FIRST, LAST = date(2021, 1, 1), date(2021, 1, 31)
CALENDAR = Calendar(FIRST, LAST)
WHOLE = DayWindow(FIRST, date(2021, 2, 1))
DAY_5 = date(2021, 1, 5)
OUTSIDE = ("1970-01-01 00:00:12", "2020-12-31 23:59:59.999999", "2021-02-01 00:00:00", "2099-01-01 10:00:00")
MIDDAY = "2021-01-05 12:00:00"
BROKEN = "broken"


class Csv:
    """An event file of the scooter app; a record is its time."""

    field = "created_at"
    _load_events = staticmethod(mobile_loads.load_events)

    def __init__(self, tmp_path: Path) -> None:
        self._root, self._workdir = mobile_loads.landing_with(tmp_path), tmp_path / "w"

    def write(self, key: str, *records: str) -> None:
        rows = (BROKEN if record == BROKEN else row(f"u{place}", record) for place, record in enumerate(records))
        mobile_loads.write_file(self._root, f"{key}.csv", HEADER, *rows)

    def load(
        self,
        window: DayWindow = WHOLE,
        calendar: Calendar = CALENDAR,
        index: FileIndex | None = None,
        known_undated_days: Mapping[str, Collection[date]] | None = None,
    ) -> Loaded:
        return self._load_events(
            self._root,
            self._workdir,
            window,
            index=index,
            known_undated_days=known_undated_days,
            calendar=calendar,
        )

    @property
    def line(self) -> int:
        return 2


class Jsonl(Csv):
    """An event file of the learning app."""

    field = "occurred_at"
    _load_events = staticmethod(lingokids_loads.load_events)

    def __init__(self, tmp_path: Path) -> None:
        self._root, self._workdir = lingokids_loads.landing_with(tmp_path), tmp_path / "w"

    def write(self, key: str, *records: str) -> None:
        lines = (BROKEN if record == BROKEN else event(f"e{place}", record) for place, record in enumerate(records))
        lingokids_loads.write_events(self._root, f"{key}.jsonl", *lines)

    @property
    def line(self) -> int:
        return 1


@pytest.fixture(params=[Csv, Jsonl], ids=["csv", "jsonl"])
def events(request: pytest.FixtureRequest, tmp_path: Path) -> Csv:
    make: Callable[[Path], Csv] = request.param
    return make(tmp_path)


def days(loaded: Loaded) -> list[date]:
    return [record["day"] for record in loaded.rejected]


@pytest.mark.parametrize("moment", OUTSIDE)
def test_a_record_outside_is_quarantined_on_the_earliest_day_of_its_file_that_is_loaded(
    events: Csv, moment: str
) -> None:
    events.write("a", "2021-01-09 10:00:00", moment, MIDDAY)

    loaded = events.load()

    message = f"{events.field}: expected a day from 2021-01-01 to 2021-01-31, found {moment}"
    assert loaded.rejections() == [(events.line + 1, "outside_calendar", message)]
    assert days(loaded) == [DAY_5]
    assert loaded.counts[DAY_5][2:] == (2, 1, 0)


@pytest.mark.parametrize("moment", ["2021-01-01 00:00:00", "2021-01-31 23:59:59.999999"])
def test_the_first_and_the_last_moment_of_the_calendar_are_inside(events: Csv, moment: str) -> None:
    events.write("a", moment)

    loaded = events.load()

    assert (len(loaded.accepted), loaded.rejected) == (1, [])


def test_a_record_outside_takes_no_malformed_line_along(events: Csv) -> None:
    events.write("a", OUTSIDE[0], BROKEN, MIDDAY)

    loaded = events.load(DayWindow(DAY_5, DAY_5 + timedelta(days=1)))

    assert [reason for _, reason in loaded.reasons()] == [
        "outside_calendar",
        {"csv": "too_few_fields", "jsonl": "not_json"}["csv" if type(events) is Csv else "jsonl"],
    ]
    assert loaded.counts[DAY_5][2:] == (3, 2, 0)


def test_a_file_with_nothing_inside_counts_where_it_was_first_seen(events: Csv) -> None:
    events.write("a", *OUTSIDE)
    index = FileIndex()
    one_day = DayWindow(DAY_5, DAY_5 + timedelta(days=1))

    first = events.load(one_day, index=index)
    known = {record["source_path"]: {record["day"]} for record in first.rejected}
    other = events.load(DayWindow(FIRST, DAY_5), index=index, known_undated_days=known)
    again = events.load(one_day, index=index, known_undated_days=known)

    assert [len(loaded.rejected) for loaded in (first, other, again)] == [4, 0, 4]
    assert list(known.values()) == [{DAY_5}]


@pytest.mark.parametrize("name", ["export-10230405", "2099-01-01", "2020-12-31"])
def test_a_date_in_the_path_that_is_never_loaded_is_no_day_for_lines(events: Csv, name: str) -> None:
    events.write(name, MIDDAY, BROKEN)

    assert days(events.load()) == [DAY_5]


def test_an_earlier_start_date_finds_the_records_that_were_outside(events: Csv) -> None:
    events.write("a", OUTSIDE[1], MIDDAY)
    index = FileIndex()
    events.load(index=index)
    earlier = Calendar(date(2020, 12, 31), LAST)

    loaded = events.load(DayWindow(date(2020, 12, 31), FIRST), earlier, index=index)

    assert (len(loaded.accepted), loaded.rejected) == (1, [])
    assert events.load(DayWindow(DAY_5, LAST), earlier, index=index).rejected == []


def test_the_day_that_the_quarantine_knows_is_read_again_once_the_records_are_of_another_day(events: Csv) -> None:
    events.write("a", BROKEN, "2021-02-20 10:00:00")
    index = FileIndex()
    one_day = DayWindow(DAY_5, DAY_5 + timedelta(days=1))
    first = events.load(one_day, index=index)
    known = {record["source_path"]: {record["day"]} for record in first.rejected}
    assert len(first.rejected) == 2
    later = Calendar(FIRST, date(2021, 2, 28))

    own_day = events.load(DayWindow(date(2021, 2, 20), date(2021, 2, 21)), later, index=index, known_undated_days=known)
    assert (len(own_day.accepted), len(own_day.rejected)) == (1, 1)
    # What stands there still goes with the next load of the day, which reads the file.
    again = events.load(one_day, later, index=index, known_undated_days=known)
    assert (again.rejected, len(again.files_read)) == ([], 1)


def test_a_record_of_a_day_to_come_waits_for_it(events: Csv) -> None:
    events.write("a", MIDDAY, "2021-01-06 00:00:01")
    index = FileIndex()
    today = DayWindow(DAY_5, DAY_5 + timedelta(days=1))
    at_noon = Calendar.at(datetime(2021, 1, 5, 12, tzinfo=UTC), FIRST, days_ahead=1)

    assert [len(found) for found in (events.load(today, at_noon, index=index).accepted, index.files)] == [1, 1]
    tomorrow = DayWindow(today.end, today.end + timedelta(days=1))
    assert len(events.load(tomorrow, at_noon, index=index).accepted) == 1


def test_a_record_that_is_wrong_and_outside_is_told_for_what_is_wrong_with_it(tmp_path: Path) -> None:
    root = lingokids_loads.landing_with(tmp_path)
    lingokids_loads.write_events(root, "a.jsonl", event("e", OUTSIDE[0], user_id=None))

    loaded = lingokids_loads.load_events(root, tmp_path / "w", WHOLE, calendar=CALENDAR)

    assert loaded.reasons() == [(1, "missing_user_id")]
    assert days(loaded) == [FIRST]


@pytest.mark.parametrize(
    ("now", "last"),
    [("2021-01-05T23:59:59+00:00", date(2021, 1, 6)), ("2021-01-05T23:59:59-02:00", date(2021, 1, 7))],
)
def test_the_calendar_ends_with_the_days_ahead_of_the_utc_day(now: str, last: date) -> None:
    assert Calendar.at(datetime.fromisoformat(now), FIRST, days_ahead=1) == Calendar(FIRST, last)


@pytest.mark.parametrize("day", [FIRST - timedelta(days=1), FIRST, LAST, LAST + timedelta(days=1)])
def test_sql_and_python_agree_on_what_is_outside(day: date) -> None:
    moment = f"timestamp '{day} 23:59:59'"
    found = duckdb.execute(f"select {CALENDAR.is_outside_sql(moment)}").fetchall()
    assert found == [(day not in CALENDAR,)]

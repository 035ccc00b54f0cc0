"""Which texts are an instant, read in SQL and by the readers of lines."""

from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.instants import bound_sql, instant_sql
from tests.unit.extract import lingokids_loads, mobile_loads
from tests.unit.extract.instant_spellings import ACCEPTED, REFUSED

AROUND = DayWindow(date(2021, 1, 30), date(2021, 2, 3))
LATEST = datetime(9999, 12, 31, 23, 59, 59, 999_999)


def read(sql: str, text: str | None) -> datetime | None:
    """What the SQL makes of a text, in a session of another time zone."""
    with duckdb.cursor() as connection:
        connection.execute("set TimeZone = 'America/New_York'")
        ((found,),) = connection.execute(f"select {sql}", {"text": text}).fetchall()
    assert found is None or isinstance(found, datetime)
    return found


def test_json_lines_and_rows_take_and_refuse_the_same_spellings(tmp_path: Path) -> None:
    texts = [*ACCEPTED, *REFUSED]
    root = lingokids_loads.landing_with(tmp_path)
    events = [lingokids_loads.event(f"{number:02}", text) for number, text in enumerate(texts)]
    lingokids_loads.write_events(root, "a.jsonl", *events)
    rows = [mobile_loads.row(f"{number:02}", text) for number, text in enumerate(texts)]
    mobile_loads.write_file(root, "a.csv", mobile_loads.HEADER, *rows)

    of_lines = lingokids_loads.load_events(root, tmp_path / "w", AROUND)
    of_rows = mobile_loads.load_events(root, tmp_path / "w", AROUND)

    expected = {f"{number:02}": instant for number, instant in enumerate(ACCEPTED.values())}
    assert {row["event_id"]: row["occurred_at"] for row in of_lines.accepted} == expected
    assert {row["anonymous_id"]: row["created_at"] for row in of_rows.accepted} == expected
    places = range(len(ACCEPTED), len(texts))
    assert of_lines.reasons() == [(place + 1, "bad_timestamp") for place in places]
    assert of_rows.reasons() == [(place + 2, "bad_timestamp") for place in places]


@pytest.mark.parametrize(("text", "instant"), ACCEPTED.items())
def test_a_bound_is_written_like_an_instant(text: str, instant: datetime) -> None:
    assert read(bound_sql("$text"), text) == read(instant_sql("$text"), text) == instant


@pytest.mark.parametrize(
    "text", [*(text for text in REFUSED if text != "infinity"), "0000-01-01", "2021-02-30", "", None]
)
def test_what_is_no_instant_is_no_bound(text: str | None) -> None:
    assert read(bound_sql("$text"), text) is None
    assert read(instant_sql("$text"), text) is None


@pytest.mark.parametrize("text", ["2021-01-31 23:59:59 UTC", "2021-01-31T23:59:59 UTC"])
def test_utc_is_an_offset_by_name_only_where_a_source_writes_it(text: str) -> None:
    assert read(instant_sql("$text", or_named_utc=True), text) == datetime(2021, 1, 31, 23, 59, 59)
    assert read(instant_sql("$text"), text) is None
    assert read(bound_sql("$text"), text) is None


@pytest.mark.parametrize("text", ["2021-01-31 23:59:59 GMT", "2021-01-31 23:59:59UTC", "2021-01-31 23:59:59 UTC+2"])
def test_no_other_name_is_an_offset(text: str) -> None:
    assert read(instant_sql("$text", or_named_utc=True), text) is None


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("9999-12-31", datetime(9999, 12, 31)),
        ("9999-12-31 23:59:59", datetime(9999, 12, 31, 23, 59, 59)),
        ("9999-12-31T23:59:59.9999999Z", LATEST),
        ("9999-12-31 23:59:59-12", LATEST),
        ("9999-12-31T23:59 -01", LATEST),
        ("infinity", LATEST),
        ("3000-01-01T00:00:00+01:00", datetime(2999, 12, 31, 23)),
        ("0001-01-01", datetime(1, 1, 1)),
        ("0001-01-01 00:00:00", datetime(1, 1, 1)),
        ("0001-01-01T00:00:00+14:00", datetime(1, 1, 1)),
        ("-infinity", datetime(1, 1, 1)),
        ("2021-03-01", datetime(2021, 3, 1)),
    ],
)
def test_an_open_end_is_a_bound_and_no_instant_of_an_event(text: str, bound: datetime) -> None:
    assert read(bound_sql("$text"), text) == bound
    assert read(instant_sql("$text"), text) is None

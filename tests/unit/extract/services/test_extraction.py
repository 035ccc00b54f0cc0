"""From a service's records to an extraction: winners, counts, rejects, unknown fields."""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.services import extraction as api_extraction
from engagement_assets.extract.services.extraction import MAX_RAW_TEXT, ApiRows, ServiceReading
from engagement_assets.extract.services.records import BadValueError, ReadRecord, Value
from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES
from engagement_assets.extract.user_events.source import USER_EVENTS
from tests.unit.extract.services.api_loads import NAIVE_NOW, NOW, Loaded, loaded

DAY_1, DAY_2, DAY_3 = days = [date(2024, 3, number) for number in (1, 2, 3)]
NEWEST = "server_upload_time desc nulls last"
LATER = "source_path desc, position desc"
WRONG = BadValueError("wrong_type", "a text", 1)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.cursor() as found:
        yield found


def rows_of(connection: duckdb.DuckDBPyConnection, workdir: Path, dataset: Dataset = USER_EVENTS) -> ApiRows:
    window = DayWindow(DAY_1, date(2024, 3, 4))
    return ApiRows(ServiceReading(connection, window, workdir, NOW, lambda _: None), dataset)


@pytest.fixture
def rows(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> ApiRows:
    return rows_of(connection, tmp_path)


def record(columns: dict[str, Value], extra: dict[str, Any] | None = None, *placeholders: str) -> ReadRecord:
    return ReadRecord(columns, extra or {}, frozenset(placeholders))


def event(event_id: str, hour: int | None = 1, extra: dict[str, Any] | None = None, **columns: Any) -> ReadRecord:
    at = None if hour is None else datetime(2024, 3, 1, hour)
    return record({"event_id": event_id, "server_upload_time": at, **columns}, extra)


def finished(rows: ApiRows, order: str = NEWEST, *, unique_within_day: bool = True) -> Loaded:
    extraction = rows.finish(days, order, unique_within_day=unique_within_day)
    return loaded(rows.reading.connection, extraction)


def events(found: Loaded, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in columns) for row in found.accepted[USER_EVENTS.key]]


def test_nothing_read_is_an_extraction_with_zeros(rows: ApiRows) -> None:
    found = finished(rows)
    assert found == Loaded({USER_EVENTS.key: []}, [], {(USER_EVENTS.key, day): (0, 0, 0) for day in days}, [], [])


def test_a_row_has_its_columns_its_page_and_its_time(rows: ApiRows) -> None:
    rows.accept("page", 7, DAY_2, event("a", city="Søndag 🎉\0", extra={"b.c": [1], "a": None}))
    rows.end_page("page", [DAY_2], 100)
    (row,) = finished(rows).accepted[USER_EVENTS.key]
    assert list(row) == [*USER_EVENTS.columns, "day"]
    assert {name: value for name, value in row.items() if value is not None} == {
        "event_id": "a", "server_upload_time": datetime(2024, 3, 1, 1), "city": "Søndag 🎉\0",
        "_extra": '{"a":null,"b.c":[1]}', "source_path": "page", "extracted_at": NAIVE_NOW, "day": DAY_2,
    }  # fmt: skip


def test_the_order_chooses_the_winner_and_null_comes_last(rows: ApiRows) -> None:
    for position, hour in enumerate((2, None, 9, 5)):
        rows.accept("page", position, DAY_1, event("a", hour))
    rows.end_page("page", [DAY_1], 1)
    found = finished(rows)
    assert events(found, "event_id", "server_upload_time") == [("a", datetime(2024, 3, 1, 9))]
    assert found.counted(USER_EVENTS.key)[DAY_1] == (4, 0, 3)


def test_of_equal_uploads_the_values_decide_whatever_came_first(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    chosen = []
    for cities in (["x", None, "y"], ["y", "x", None], [None, "y", "x"]):
        rows = rows_of(connection, tmp_path)
        for position, city in enumerate(cities):
            rows.accept("page", position, DAY_1, event("a", city=city))
        rows.end_page("page", [DAY_1], 1)
        chosen += events(finished(rows), "city")
    assert chosen == [("x",)] * 3


def test_the_last_column_decides_if_all_others_are_equal(rows: ApiRows) -> None:
    for position, extra in enumerate(({"b": 2}, {"b": 1}, {"b": 3})):
        rows.accept("page", position, DAY_1, event("a", city="x", extra=extra))
    rows.end_page("page", [DAY_1], 1)
    assert events(finished(rows), "_extra") == [('{"b":1}',)]


def test_one_identity_on_two_days_is_two_rows_where_it_is_one_within_a_day(rows: ApiRows) -> None:
    for position, day in enumerate((DAY_1, DAY_2, DAY_2)):
        rows.accept("page", position, day, event("a"))
    rows.end_page("page", [DAY_1, DAY_2], 1)
    found = finished(rows)
    assert events(found, "event_id", "day") == [("a", DAY_1), ("a", DAY_2)]
    assert [counts[2] for counts in found.counted(USER_EVENTS.key).values()] == [0, 1, 0]


def test_one_identity_over_all_days_is_one_row_and_the_loser_counts_on_its_own_day(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    rows = rows_of(connection, tmp_path, STRAVA_ACTIVITIES)
    for page, day, name in (("p1", DAY_1, "early"), ("p2", DAY_3, "late"), ("p2", DAY_2, "last")):
        rows.accept(page, 1 if name == "last" else 0, day, record({"activity_id": 5, "activity_name": name}))
        rows.end_page(page, [day], 1)
    found = finished(rows, LATER, unique_within_day=False)
    assert [(row["activity_name"], row["day"]) for row in found.accepted[STRAVA_ACTIVITIES.key]] == [("last", DAY_2)]
    assert found.counted(STRAVA_ACTIVITIES.key) == {DAY_1: (1, 0, 1), DAY_2: (1, 0, 0), DAY_3: (1, 0, 1)}


def test_a_rejected_record_keeps_its_place_and_what_it_says(rows: ApiRows) -> None:
    text = '{"id":1000000000000000000000000000000,"t":"ü\\"🎉\\u0000","n":null}'
    rows.reject("page", 3, DAY_2, {"id": 10**30, "t": 'ü"🎉\0', "n": None}, WRONG)
    rows.end_page("page", [DAY_2], 1)
    found = finished(rows)
    assert found.rejected == [
        {
            "dataset": USER_EVENTS.key, "day": DAY_2, "source_path": "page", "position": 3,
            "raw_text": text, "record_hash": sha256(text.encode()).hexdigest(),
            "reason_code": "wrong_type", "message": "expected a text, found 1",
        }
    ]  # fmt: skip
    assert found.counted(USER_EVENTS.key)[DAY_2] == (1, 1, 0)


def test_a_rejected_record_is_cut_to_what_the_quarantine_holds(rows: ApiRows) -> None:
    rows.reject("page", 0, DAY_1, ["x" * MAX_RAW_TEXT], WRONG)
    rows.end_page("page", [DAY_1], 1)
    assert len(finished(rows).rejected[0]["raw_text"]) == MAX_RAW_TEXT


def test_neither_many_rows_nor_rejects_of_one_page_stay_in_memory(
    rows: ApiRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_extraction, "_ROWS_IN_MEMORY", 2)
    rows.accept("page", 0, DAY_1, event("a"))
    rows.reject("page", 1, DAY_1, "x", WRONG)
    assert (rows._accepted.rows, rows._rejected.rows) == ([], [])
    assert len(list(tmp_path.glob("*.parquet"))) == 2
    rows.end_page("page", [DAY_1], 1)
    assert finished(rows).reasons() == [(DAY_1, 1, "wrong_type")]


def test_a_page_counts_for_each_of_its_days_and_its_bytes_once(rows: ApiRows) -> None:
    rows.end_page("p1", [DAY_1, DAY_2], 100)
    rows.end_page("p2", [DAY_2], 10)
    extraction = rows.finish(days, NEWEST, unique_within_day=True)
    assert extraction.files_read == ("p1", "p2")
    counted = rows.reading.connection.execute(
        f"select day, files, bytes from ({extraction.counts}) order by day"
    ).fetchall()
    assert counted == [(DAY_1, 1, 100), (DAY_2, 2, 10), (DAY_3, 0, 0)]


def test_unknown_fields_are_counted_by_day(rows: ApiRows) -> None:
    extras: list[dict[str, Any]] = [{"a": 1}, {"a": 2, "b.c": None}, {}]
    for position, extra in enumerate(extras):
        rows.accept("page", position, DAY_1, event(str(position), extra=extra))
    rows.accept("page", 3, DAY_2, event("3", extra={"a": 1}))
    rows.end_page("page", [DAY_1], 1)
    assert finished(rows).unknown_fields == [
        (USER_EVENTS.key, DAY_1, "a", 2),
        (USER_EVENTS.key, DAY_1, "b.c", 1),
        (USER_EVENTS.key, DAY_2, "a", 1),
    ]


def test_long_names_of_unknown_fields_are_cut_and_those_beyond_a_thousand_are_one(
    rows: ApiRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_extraction, "MAX_FIELD_NAMES", 2)
    long = "n" * 201
    extras = ({long: 1, "n" * 64: 1}, {"b": 1, "c": 1, long: 2}, {"b": 1})
    for position, extra in enumerate(extras):
        rows.accept("page", position, DAY_1, event(str(position), extra=extra))
    rows.end_page("page", [DAY_1], 1)
    found = finished(rows)
    assert found.unknown_fields == [
        (USER_EVENTS.key, DAY_1, "b", 2),
        (USER_EVENTS.key, DAY_1, "n" * 64, 2),
        (USER_EVENTS.key, DAY_1, "… and others", 1),
    ]
    extras_kept = [json.loads(row["_extra"]) for row in found.accepted[USER_EVENTS.key]]
    assert extras_kept == list(extras)


def test_values_that_mean_none_are_counted_by_day(rows: ApiRows) -> None:
    for position, (day, paths) in enumerate(((DAY_1, ("a",)), (DAY_1, ("a", "b")), (DAY_2, ("b",)), (DAY_2, ()))):
        rows.accept("page", position, day, record({"event_id": str(position)}, None, *paths))
    rows.end_page("page", [DAY_1], 1)
    assert finished(rows).placeholders == [
        (USER_EVENTS.key, DAY_1, "a", 2),
        (USER_EVENTS.key, DAY_1, "b", 1),
        (USER_EVENTS.key, DAY_2, "b", 1),
    ]


records = st.lists(
    st.tuples(
        st.sampled_from(days),
        st.sampled_from(["a", "b", "c", None]),  # None: a record that cannot be used
        st.integers(0, 3) | st.none(),
        st.sampled_from(["x", "y", None]),
    ),
    max_size=12,
)


def read(
    connection: duckdb.DuckDBPyConnection, found: Sequence[tuple[date, str | None, int | None, str | None]], page: int
) -> Loaded:
    with tempfile.TemporaryDirectory() as folder:
        rows = rows_of(connection, Path(folder))
        for position, (day, event_id, hour, city) in enumerate(found):
            if event_id is None:
                rows.reject("page", position, day, city, WRONG)
            else:
                rows.accept("page", position, day, event(event_id, hour, city=city))
            if position % page == 0:
                rows.end_page("page", [day], 1)
        rows.end_page("page", [DAY_1], 1)
        return finished(rows)


@settings(max_examples=25, deadline=None)
@given(found=records, page=st.integers(1, 5), seed=st.randoms(use_true_random=False))
def test_every_record_is_accepted_quarantined_or_a_duplicate_in_any_order(
    found: list[tuple[date, str | None, int | None, str | None]], page: int, seed: Any
) -> None:
    connection = duckdb.cursor()
    one = read(connection, found, page)
    accepted = Counter(row["day"] for row in one.accepted[USER_EVENTS.key])
    for day, (total, quarantined, duplicates) in one.counted(USER_EVENTS.key).items():
        assert total == sum(record[0] == day for record in found)
        assert total == accepted[day] + quarantined + duplicates
        assert quarantined == sum(record[:2] == (day, None) for record in found)
        assert accepted[day] == len({record[1] for record in found if record[0] == day} - {None})

    other_order = list(found)
    seed.shuffle(other_order)
    other = read(connection, other_order, page)
    columns = ("day", "event_id", "server_upload_time", "city")
    assert events(one, *columns) == events(other, *columns)
    assert one.counts == other.counts
    connection.close()

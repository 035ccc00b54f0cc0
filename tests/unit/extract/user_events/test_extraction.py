"""User events: every rule of the contract on one event, and which of several stays."""

import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engagement_assets.contracts.event_identity import EventIdentity
from engagement_assets.contracts.extraction import ALL_DAYS, Calendar, DayWindow
from engagement_assets.extract.services.extraction import ServiceReading
from engagement_assets.extract.services.pages import Page
from engagement_assets.extract.user_events import extraction as user_events
from engagement_assets.extract.user_events.source import USER_EVENTS
from tests.unit.extract.services.api_loads import NAIVE_NOW, NOW, Loaded, loaded

DAY_1, DAY_2 = date(2024, 3, 1), date(2024, 3, 2)
DEVICE = "0f8fad5b-d9cb-469f-a165-70867728950e"
AT_MS = 1_709_287_200_123  # 2024-03-01T10:00:00.123Z


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.cursor() as found:
        yield found


class Reader:
    """Reads the events of two days as a load does."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, workdir: Path) -> None:
        self.connection, self.workdir = connection, workdir
        self.lines: list[str] = []

    def load(
        self,
        *events: Any,
        second: tuple[Any, ...] = (),
        identity: EventIdentity = EventIdentity.EVENT,
        device_id_max_length: int = 64,
        calendar: Calendar = ALL_DAYS,
    ) -> Loaded:
        pages = [(DAY_1, Page("events-2024-03-01", events, 10)), (DAY_2, Page("events-2024-03-02", second, 10))]
        extraction = user_events.extract(
            ServiceReading(self.connection, DayWindow(DAY_1, date(2024, 3, 3)), self.workdir, NOW, self.lines.append),
            pages,
            user_events.EventRules(identity, device_id_max_length, calendar),
        )
        return loaded(self.connection, extraction)

    def row(self, **changes: Any) -> dict[str, Any]:
        (row,) = rows(self.load(event(**changes)))
        return row


@pytest.fixture
def reader(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> Reader:
    return Reader(connection, tmp_path)


def event(**changes: Any) -> dict[str, Any]:
    whole = {
        "date": "2024-03-01",
        "event_type": "page_viewed",
        "device_id": DEVICE,
        "user_id": "u-1",
        "event_time": AT_MS,
        "data": {"path": "/home"},
    }
    return {name: value for name, value in (whole | changes).items() if value is not ...}


def rows(found: Loaded) -> list[dict[str, Any]]:
    return found.accepted[USER_EVENTS.key]


def test_a_whole_event_is_flattened(reader: Reader) -> None:
    row = reader.row(
        country="Spain", city="München", region="X", language="es", amp_id=700_001, insert_id="i-1",
        client_event_time=AT_MS // 1000, client_upload_time=AT_MS, server_received_time=AT_MS,
        server_upload_time="2024-03-01T12:00:00+02:00", processed_time=AT_MS, data_type="event", extra=[1],
        data={
            "path": "/home", "group_first_event": {"team": "2023-11-02"}, "group_ids": {"team": [7, 12]},
            "user_properties_updated": True, "new": None,
        },
        user_properties={
            "initial_li_fat_id": "li", "initial_rtd_cid": "rtd", "user_corporate_id": "500",
            "user_corporate_is_demo": False, "user_corporate_status": "ACTIVE", "user_role": "admin",
            "user_signup_date": "2023-01-31", "user_status": "Invited",
        },
    )  # fmt: skip
    at, at_second = datetime(2024, 3, 1, 10, 0, 0, 123_000), datetime(2024, 3, 1, 10)
    assert row == {
        "event_id": "i-1", "event_type": "page_viewed", "event_time": at, "country": "Spain", "city": "München",
        "region": "X", "language": "es", "device_id": DEVICE, "user_id": "u-1", "amp_id": "700001",
        "client_event_time": at_second, "client_upload_time": at, "server_received_time": at,
        "server_upload_time": at_second, "processed_time": at, "data_type": "event", "path": "/home",
        "group_first_event": '{"team":"2023-11-02"}', "group_ids": '{"team":[7,12]}',
        "is_user_properties_updated": True, "initial_li_fat_id": "li", "initial_rtd_cid": "rtd",
        "user_corporate_id": "500", "is_user_corporate_demo": False, "user_corporate_status": "active",
        "user_role": "admin", "user_signup_date": date(2023, 1, 31), "user_status": "Invited",
        "_extra": '{"data.new":null,"extra":[1]}', "source_path": "events-2024-03-01", "extracted_at": NAIVE_NOW,
        "day": DAY_1,
    }  # fmt: skip


OPTIONAL = ("insert_id", "$insert_id", "uuid", "country", "city", "region", "language", "amp_id", "data_type",
            "client_event_time", "client_upload_time", "server_received_time", "server_upload_time",
            "processed_time")  # fmt: skip
OF_DATA = ("path", "group_first_event", "group_ids", "user_properties_updated")
OF_PROPERTIES = ("initial_li_fat_id", "initial_rtd_cid", "user_corporate_id", "user_corporate_is_demo",
                 "user_corporate_status", "user_role", "user_signup_date", "user_status")  # fmt: skip


@pytest.mark.parametrize("absent", [..., None, "", " \t\u3000", []])
@pytest.mark.parametrize("is_within", [True, False], ids=["members", "parents"])
def test_what_is_optional_and_absent_is_null_but_for_groups_and_initial_ids(
    reader: Reader, absent: object, *, is_within: bool
) -> None:
    data, properties = (
        {name: absent for name in names if absent is not ...} if is_within else absent
        for names in (OF_DATA, OF_PROPERTIES)
    )
    row = reader.row(**dict.fromkeys(OPTIONAL, absent), data=data, user_properties=properties)
    assert {name: value for name, value in row.items() if value is not None and name not in {"event_id", "day"}} == {
        "event_type": "page_viewed", "event_time": datetime(2024, 3, 1, 10, 0, 0, 123_000), "device_id": DEVICE,
        "user_id": "u-1", "group_first_event": "{}", "group_ids": "{}", "initial_li_fat_id": "EMPTY",
        "initial_rtd_cid": "EMPTY", "source_path": "events-2024-03-01", "extracted_at": NAIVE_NOW,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["country", "city"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [("null", None), (" NULL\t", None), ("Null", None), ("", None), (" ", None), ("Nullarbor", "Nullarbor"),
     (" London ", " London ")],
)  # fmt: skip
def test_the_text_null_is_no_place(reader: Reader, name: str, value: str, expected: str | None) -> None:
    assert reader.row(**{name: value})[name] == expected


def test_the_text_null_stays_where_no_rule_names_it(reader: Reader) -> None:
    row = reader.row(region="null", data={"path": "null"})
    assert (row["region"], row["path"]) == ("null", "null")


@pytest.mark.parametrize(
    ("status", "expected"),
    [("Active", "active"), (" CHURNED ", "churned"), ("", None), (" ", None), (None, None)],
)
def test_a_corporate_status_is_lower_case(reader: Reader, status: str | None, expected: str | None) -> None:
    assert reader.row(user_properties={"user_corporate_status": status})["user_corporate_status"] == expected


@pytest.mark.parametrize(
    ("groups", "expected"), [(None, "{}"), ([], "{}"), ({}, "{}"), ({"b": 1, "a": [2]}, '{"a":[2],"b":1}')]
)
def test_groups_are_json_and_never_null(reader: Reader, groups: Any, expected: str) -> None:
    row = reader.row(data={"group_first_event": groups, "group_ids": groups})
    assert (row["group_first_event"], row["group_ids"]) == (expected, expected)


@pytest.mark.parametrize("absent", [None, "", " "])
def test_an_initial_id_that_says_nothing_is_absent(reader: Reader, absent: str | None) -> None:
    row = reader.row(user_properties={"initial_li_fat_id": absent, "initial_rtd_cid": "x"})
    assert (row["initial_li_fat_id"], row["initial_rtd_cid"]) == ("EMPTY", "x")


@pytest.mark.parametrize("name", ["user_corporate_id", "user_role", "user_status"])
@pytest.mark.parametrize(("value", "expected"), [("", None), (" \t", None), (" 79", " 79"), (79, "79")])
def test_a_property_of_blanks_was_not_sent(reader: Reader, name: str, value: str | int, expected: str | None) -> None:
    assert reader.row(user_properties={name: value})[name] == expected


def test_a_device_id_of_android_is_taken(reader: Reader) -> None:
    assert reader.row(device_id=f"{DEVICE}R")["device_id"] == f"{DEVICE}R"


@pytest.mark.parametrize("limit", [36, 64])
def test_a_device_id_has_as_many_characters_as_is_told_at_most(reader: Reader, limit: int) -> None:
    longest = "é" * limit
    found = reader.load(event(device_id=longest), event(device_id=f"{longest}R"), device_id_max_length=limit)
    assert [row["device_id"] for row in rows(found)] == [longest]
    assert found.reasons() == [(DAY_1, 1, "too_long")]
    assert found.rejected[0]["message"] == (
        f"expected device_id of at most {limit} characters, found a text of {limit + 1} characters"
    )


@pytest.mark.parametrize("name", ["date", "event_type", "device_id", "user_id", "event_time"])
@pytest.mark.parametrize("value", [..., None, "", " ", "\t\u200b", []])
def test_a_required_field_that_is_absent_or_empty_quarantines_the_event(reader: Reader, name: str, value: Any) -> None:
    found = reader.load(event(**{name: value}), event())
    assert found.reasons() == [(DAY_1, 0, f"missing_{name}")]
    assert len(rows(found)) == 1
    assert found.counted(USER_EVENTS.key) == {DAY_1: (2, 1, 0), DAY_2: (0, 0, 0)}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"event_time": -1}, "negative_value"),
        ({"event_time": "soon"}, "bad_timestamp"),
        ({"event_time": 1e300}, "bad_timestamp"),
        ({"user_id": {"id": 1}}, "wrong_type"),
        ({"data": "none"}, "wrong_type"),
        ({"data": {"group_ids": [7]}}, "wrong_type"),
        ({"user_properties": [7]}, "wrong_type"),
        ({"user_properties": {"user_corporate_is_demo": "no"}}, "wrong_type"),
        ({"user_properties": {"user_signup_date": "31.01.2023"}}, "bad_date"),
        ({"date": "2024-03-02"}, "wrong_date"),
        ({"date": "20240301xx"}, "bad_date"),
    ],
)
def test_an_event_that_cannot_be_used_is_quarantined_under_the_date_that_lists_it(
    reader: Reader, changes: dict[str, Any], reason: str
) -> None:
    found = reader.load(event(), event(**changes))
    assert found.reasons() == [(DAY_1, 1, reason)]
    assert json.loads(found.rejected[0]["raw_text"]) == event(**changes)


@pytest.mark.parametrize("record", [None, [], "text", 5])
def test_what_is_no_event_at_all_is_quarantined(reader: Reader, record: Any) -> None:
    assert reader.load(record).reasons() == [(DAY_1, 0, "wrong_type")]


def test_the_id_of_the_service_comes_first(reader: Reader) -> None:
    found = reader.load(
        event(insert_id="i", uuid="u"), event(insert_id=None, uuid="v"), event(insert_id="", uuid="w"), event()
    )
    given = {row["event_id"] for row in rows(found)}
    assert given > {"i", "v", "w"}
    assert [len(found) for found in given - {"i", "v", "w"}] == [32]


@pytest.mark.parametrize(
    "changes",
    [
        {"device_id": "d"},
        {"event_time": AT_MS + 1},
        {"event_type": "signed_in"},
        {"data": {"path": "/x"}},
        {"data": None},
    ],
)
def test_without_an_id_device_time_type_and_path_tell_events_apart(reader: Reader, changes: dict[str, Any]) -> None:
    assert len(rows(reader.load(event(), event(**changes)))) == 2
    assert len(rows(reader.load(event(user_id="another"), event()))) == 1


@pytest.mark.parametrize("path", ["", " ", []])
def test_an_empty_path_is_an_absent_one(reader: Reader, path: Any) -> None:
    (row,) = rows(reader.load(event(data={"path": path}), event(data={})))
    assert row["path"] is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"$insert_id": "e"}, "e"),
        ({"$insert_id": "e", "insert_id": "i"}, "i"),
        ({"$insert_id": "e", "insert_id": " "}, "e"),
        ({"$insert_id": "e", "uuid": "u"}, "e"),
        ({"$insert_id": "", "uuid": "u"}, "u"),
        ({"$insert_id": 7}, "7"),
    ],
)
def test_the_name_of_the_insert_id_in_exports_is_known(reader: Reader, given: dict[str, Any], expected: str) -> None:
    row = reader.row(**given)
    assert (row["event_id"], row["_extra"]) == (expected, None)


def test_events_of_an_export_are_told_apart_by_their_insert_ids(reader: Reader) -> None:
    found = reader.load(*(event(**{"$insert_id": given}) for given in ("a", "b", "a")))
    assert sorted(row["event_id"] for row in rows(found)) == ["a", "b"]
    assert found.counted(USER_EVENTS.key)[DAY_1] == (3, 0, 1)


def test_the_older_identity_is_device_and_time_alone(reader: Reader) -> None:
    same = event(insert_id="i", event_type="signed_in", data={"path": "/x"})
    found = reader.load(event(insert_id="j"), same, identity=EventIdentity.DEVICE_AND_TIME)
    assert found.counted(USER_EVENTS.key)[DAY_1] == (2, 0, 1)
    apart = reader.load(event(), event(event_time=AT_MS + 1), identity=EventIdentity.DEVICE_AND_TIME)
    assert len(rows(apart)) == 2


def test_rows_that_share_only_device_and_time_are_counted(reader: Reader) -> None:
    reader.load(event(), event(event_type="a"), event(event_type="b"), event(device_id="d"))
    assert user_events.rows_sharing_device_and_time(reader.connection) == 2


@pytest.mark.parametrize("turned", [False, True])
def test_of_one_event_the_newest_upload_wins_in_any_order(reader: Reader, turned: bool) -> None:
    events = [
        event(insert_id="i", server_upload_time=AT_MS + 2_000, city="new", client_upload_time=AT_MS),
        event(insert_id="i", server_upload_time=AT_MS // 1000, city="old", client_upload_time=AT_MS + 9_000),
        event(insert_id="i", city="never uploaded"),
    ]
    found = reader.load(*(reversed(events) if turned else events))
    assert [row["city"] for row in rows(found)] == ["new"]
    assert found.counted(USER_EVENTS.key)[DAY_1] == (3, 0, 2)


def test_exact_duplicates_are_one_event(reader: Reader) -> None:
    found = reader.load(event(), event(), event())
    assert len(rows(found)) == 1
    assert found.counted(USER_EVENTS.key)[DAY_1] == (3, 0, 2)


def test_one_id_under_two_dates_is_an_event_of_each(reader: Reader) -> None:
    found = reader.load(event(insert_id="i"), second=(event(insert_id="i", date="2024-03-02"),))
    assert [(row["event_id"], row["day"]) for row in rows(found)] == [("i", DAY_1), ("i", DAY_2)]


def test_a_late_event_stays_under_the_date_that_lists_it(reader: Reader) -> None:
    assert reader.row(event_time="2024-02-27T23:00:00Z")["day"] == DAY_1


def test_empty_days_are_days_that_were_read(reader: Reader) -> None:
    found = reader.load()
    assert found.counted(USER_EVENTS.key) == {DAY_1: (0, 0, 0), DAY_2: (0, 0, 0)}
    assert reader.lines == ["raw_user_events/events: 2 of 2 days read"]


@pytest.mark.parametrize(
    ("event_time", "is_outside"),
    [
        (0, True),
        ("2024-02-28T23:59:59Z", True),
        ("2024-02-29T00:00:00Z", False),
        ("2024-03-11T23:59:59.999999Z", False),
        ("2024-03-12T00:00:00Z", True),
        ("2099-01-01T00:00:00Z", True),
    ],
)
def test_an_event_of_a_clock_that_is_dead_or_ahead_is_quarantined_on_the_date_that_lists_it(
    reader: Reader, event_time: object, is_outside: bool
) -> None:
    # A date of the service may begin on the day before, in UTC.
    found = reader.load(event(event_time=event_time), calendar=Calendar(DAY_1, date(2024, 3, 11)))
    assert found.reasons() == ([(DAY_1, 0, "outside_calendar")] if is_outside else [])
    assert found.counted(USER_EVENTS.key)[DAY_1] == (1, int(is_outside), 0)

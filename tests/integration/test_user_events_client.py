"""The user-events client over real sockets: empty days, refusals, limits, bad days, many dates at once."""

import gc
from collections.abc import Generator, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.lines.json_records import MAX_NESTING
from engagement_assets.extract.services.client import (
    ApiError,
    ApiLimitReachedError,
    ApiRefusedError,
    ApiUnavailableError,
)
from engagement_assets.extract.services.documents import is_nested_deeper
from engagement_assets.extract.services.pages import PageStore
from engagement_assets.extract.user_events import extraction as user_events
from engagement_assets.extract.user_events.extraction import REQUESTS_AT_A_TIME
from tests.integration.services import CREDENTIALS, FIRST_DAY, Services, answering, redirecting, services

pytestmark = pytest.mark.integration

DAY, EMPTY_DAY = date(2024, 1, 10), date(2024, 1, 6)
TOKEN = CREDENTIALS.user_events_api_token


@pytest.fixture
def good_day(tmp_path: Path) -> Iterator[Services]:
    with services(tmp_path / "services") as found:
        yield found


def read(running: Services, day: date = DAY, **changes: Any) -> list[Any]:
    with running.user_events(**changes) as api:
        return api.events(day)


def statuses(running: Services) -> list[int | None]:
    return [request.status for request in running.apis.user_events.requests]


def test_a_date_costs_one_request_and_gives_what_the_service_sends(good_day: Services) -> None:
    events = read(good_day)
    assert len(events) > 190
    assert good_day.apis.user_events.served_events() == {DAY: events}
    (request,) = good_day.apis.user_events.requests
    assert (request.status, request.query) == (200, {"date": "2024-01-10"})


def test_an_empty_day_is_an_answer(good_day: Services) -> None:
    assert read(good_day, EMPTY_DAY) == []
    assert (statuses(good_day), good_day.sleeps) == ([404], [])


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 408, 422, 425, 429, 500, 502, 503, 504])
def test_no_event_found_is_an_empty_day_with_any_status(good_day: Services, status: int) -> None:
    body = b'{"detail": "No event found for date 2024-01-10"}'
    with answering((status, {}, body)) as url, good_day.user_events(user_events_api_url=url) as api:
        assert api.events(DAY) == []
    assert (api.http.requests_made, good_day.sleeps, good_day.lines) == (1, [], [])


@pytest.mark.parametrize(
    "body",
    [b'{"detail": "Internal error"}', b'{"detail": ["No event found for date"]}', b'["No event found for date"]',
     b'{"message": "No event found for date"}', b"No event found for date", b"[]", b""],
)  # fmt: skip
def test_another_500_is_tried_again_whatever_it_says(good_day: Services, body: bytes) -> None:
    with (
        answering((500, {}, body)) as url,
        good_day.user_events(user_events_api_url=url) as api,
        pytest.raises(ApiUnavailableError, match="in 5 attempts: status 500"),
    ):
        api.events(DAY)
    assert api.http.requests_made == 5


@pytest.mark.parametrize(
    "fault", ["cut_before_answer", "cut_within_body", "server_error", "unavailable", "html", "truncated_json"]
)
def test_what_heals_is_tried_again(good_day: Services, fault: str) -> None:
    good_day.apis.user_events.faults.next(fault, times=4)
    assert len(read(good_day)) > 190
    assert len(statuses(good_day)) == 5
    assert len(good_day.sleeps) == 4
    assert all(0 < seconds <= 31 for seconds in good_day.sleeps)


def test_an_answer_that_does_not_decompress_is_tried_again(good_day: Services) -> None:
    with answering((200, {"Content-Encoding": "gzip"}, b"no gzip"), (200, {}, b"[]")) as url:
        assert read(good_day, user_events_api_url=url) == []
    assert good_day.lines[0].startswith("the user-events service: expected gzip, found something else (Error -3 ")


def test_five_failures_are_enough_and_the_message_holds_no_token(good_day: Services) -> None:
    good_day.apis.user_events.faults.next("server_error", times=9)
    with pytest.raises(ApiUnavailableError) as failed:
        read(good_day)
    assert str(failed.value) == (
        "the user-events service did not answer /user-events/v1/events in 5 attempts: status 500. It may be down: run "
        "this again later"
    )
    assert statuses(good_day) == [500] * 5


@pytest.mark.parametrize(
    ("answer", "kind"), [(b'{"events": []}', "dict"), (b'{"detail": null}', "dict"), (b'"[]"', "str"), (b"0", "int")]
)
def test_an_answer_that_is_no_list_is_no_day_without_events(good_day: Services, answer: bytes, kind: str) -> None:
    with answering((200, {}, answer)) as url, pytest.raises(ApiUnavailableError) as failed:
        read(good_day, user_events_api_url=url)
    assert str(failed.value) == (
        f"the user-events service answers 2024-01-10 with {kind}, expected a list of events; run this again later"
    )


def test_a_wrong_token_fails_at_once(good_day: Services) -> None:
    with pytest.raises(ApiRefusedError) as refused:
        read(good_day, user_events_api_token=SecretStr("a wrong one"))
    assert str(refused.value) == (
        "the user-events service refuses the token (status 401); set a new USER_EVENTS_API_TOKEN"
    )
    assert (statuses(good_day), good_day.sleeps) == ([401], [])


@pytest.mark.parametrize("token", ["a-secret\n", "a-secret\x00", "sécret"])
def test_a_token_that_no_header_holds_is_not_shown(good_day: Services, token: str) -> None:
    with pytest.raises(ApiRefusedError, match="the token cannot be sent in a header") as refused:
        read(good_day, user_events_api_token=SecretStr(token))
    assert "cret" not in "".join([str(refused.value), *good_day.lines])
    assert good_day.sleeps == []


def test_a_refusal_that_repeats_the_token_is_shown_without_it(good_day: Services) -> None:
    body = b"x" * 190 + f'{{"detail": [{{"msg": "bad", "input": "{TOKEN}"}}]}}'.encode()
    with answering((422, {}, body)) as url, pytest.raises(ApiRefusedError) as refused:
        read(good_day, user_events_api_url=url)
    assert TOKEN[:5] not in str(refused.value)
    assert str(refused.value).endswith("check USER_EVENTS_API_URL")


def test_a_422_says_what_the_service_says(good_day: Services) -> None:
    class Undated(date):
        def isoformat(self) -> str:
            return "no date"

    with pytest.raises(ApiRefusedError, match=r"\(status 422: .*invalid date format.*\); check USER_EVENTS_API_URL"):
        read(good_day, Undated(2024, 1, 1))


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1/events", "http://a:b/events"])
def test_a_url_that_is_none_fails_at_once(good_day: Services, url: str) -> None:
    with good_day.user_events() as api:
        api.url = url
        with pytest.raises(ApiRefusedError, match="is not a URL"):
            api.events(DAY)
    assert good_day.sleeps == []


def test_a_redirect_does_not_get_the_token(good_day: Services) -> None:
    with redirecting(good_day.urls.user_events_api_url) as url, pytest.raises(ApiRefusedError, match="must not go"):
        read(good_day, user_events_api_url=url)
    assert good_day.apis.user_events.requests == []


TOO_MANY = b'{"detail": "Too many requests"}'


@pytest.mark.parametrize(
    ("told", "waited"),
    [
        ("1", 1),
        ("900", 900),
        ("0", 1),
        ("", 30),
        ("soon", 30),
        ("\u00b2", 30),
        ("Wed, 99 Foo 2024 12:00:30", 30),
        ("Fri, 01 Mar 2024 10:09:00", 120),
        ("Fri, 01 Mar 2024 12:09:00 +0200", 120),
        ("Fri, 01 Mar 2024 10:09:00 GMT", 120),
        ("Fri, 01 Mar 2024 09:00:00 GMT", 1),
        ("Fri, 01 Mar 2024 10:09:00 -0000", 120),
    ],
)
def test_after_a_429_the_client_waits_as_long_as_it_is_told(good_day: Services, told: str, waited: int) -> None:
    with answering((429, {"Retry-After": told}, TOO_MANY), (200, {}, b"[]")) as url:
        assert read(good_day, user_events_api_url=url) == []
    assert sum(good_day.sleeps) == pytest.approx(waited)


@pytest.mark.parametrize("told", ["901", "Fri, 01 Mar 2024 10:22:01 GMT"])
def test_a_service_that_wants_a_longer_rest_is_left_alone(good_day: Services, told: str) -> None:
    with (
        answering((429, {"Retry-After": told}, TOO_MANY)) as url,
        pytest.raises(ApiLimitReachedError) as stopped,
    ):
        read(good_day, user_events_api_url=url)
    assert stopped.value.go_on_at == datetime(2024, 3, 1, 10, 22, 1, tzinfo=UTC)
    assert str(stopped.value) == (
        "the user-events service takes no requests until 2024-03-01 10:22 UTC; run this again then"
    )
    assert good_day.sleeps == []


@pytest.mark.parametrize("told", ["0", "5", "Fri, 01 Mar 2024 00:00:00 GMT"])
def test_a_service_that_never_stops_refusing_is_given_up(good_day: Services, told: str) -> None:
    with (
        answering((429, {"Retry-After": told}, TOO_MANY)) as url,
        good_day.user_events(user_events_api_url=url) as api,
        pytest.raises(ApiUnavailableError) as failed,
    ):
        api.events(DAY)
    assert str(failed.value) == (
        "the user-events service answers /events with status 429, even after 10 waits; run this again later"
    )
    assert api.http.requests_made == 10


@pytest.mark.parametrize(
    ("value", "read_as"), [("1e400", "1e400"), ("NaN", "NaN"), ("-Infinity", "-Infinity"), ("7" * 5000, "7" * 5000),
                           (r'"half \ud83d a character"', "half ? a character"), ("7" * 30, int("7" * 30))]
)  # fmt: skip
def test_one_value_that_no_parser_likes_does_not_cost_its_day(good_day: Services, value: str, read_as: Any) -> None:
    with answering((200, {}, f'[{{"id": 1, "x": {value}}}, {{"id": 2}}]'.encode())) as url:
        assert read(good_day, user_events_api_url=url) == [{"id": 1, "x": read_as}, {"id": 2}]
    assert good_day.sleeps == []


def test_a_wait_of_decades_is_no_wait(good_day: Services) -> None:
    with answering((429, {"Retry-After": "9" * 30}, TOO_MANY)) as url, pytest.raises(ApiLimitReachedError) as stopped:
        read(good_day, user_events_api_url=url)
    assert stopped.value.go_on_at.year == 2055


@pytest.mark.parametrize("levels", [100, 250, 960, 3_000, 60_000])
def test_one_event_that_nests_deeply_costs_no_other(good_day: Services, tmp_path: Path, levels: int) -> None:
    deep = b'[{"id": 1, "deep": ' + b"[" * levels + b"]" * levels + b'}, {"id": 2, "text": "]]["}]'
    window = DayWindow(DAY, DAY + timedelta(days=1))
    with answering((200, {}, deep)) as url, good_day.user_events(user_events_api_url=url) as api:
        ((_, page),) = user_events.read_pages(api, PageStore(tmp_path, "run"), window)
    assert page.records[1] == {"id": 2, "text": "]]["}
    assert is_nested_deeper(page.records[0], MAX_NESTING) is (levels > MAX_NESTING - 1)
    assert good_day.lines == []


WINDOW = DayWindow(FIRST_DAY, FIRST_DAY + timedelta(days=20))


def listed(running: Services, days: list[date]) -> dict[date, list[Any]]:
    history = running.apis.user_events.history
    return {day: history.events(day, running.apis.clock.now()) for day in days}


def test_many_dates_are_read_at_once_and_handed_on_in_order(good_day: Services, tmp_path: Path) -> None:
    good_day.apis.user_events.faults.next("slow", times=3)
    good_day.apis.user_events.faults.next("unavailable", times=4)
    with good_day.user_events() as api:
        pages = list(user_events.read_pages(api, PageStore(tmp_path, "run"), WINDOW))
    assert [wanted for wanted, _ in pages] == WINDOW.days()
    assert {wanted: page.records for wanted, page in pages} == listed(good_day, WINDOW.days())


def test_a_minute_s_share_is_waited_out_by_all_requests(good_day: Services, tmp_path: Path) -> None:
    good_day.apis.user_events.requests_per_minute = 8
    with good_day.user_events() as api:
        pages = list(user_events.read_pages(api, PageStore(tmp_path, "run"), WINDOW))
    assert [len(page.records) for _, page in pages] == [len(e) for e in listed(good_day, WINDOW.days()).values()]
    assert 429 in statuses(good_day)


def test_dates_are_not_read_far_ahead_of_the_one_in_use(good_day: Services, tmp_path: Path) -> None:
    with good_day.user_events() as api:
        reading = user_events.read_pages(api, PageStore(tmp_path, "run"), WINDOW)
        assert isinstance(reading, Generator)
        for _ in range(3):
            next(reading)
        reading.close()
    assert 3 <= len(statuses(good_day)) <= 3 + REQUESTS_AT_A_TIME


def test_dates_that_were_read_are_not_asked_for_again_by_the_same_run(good_day: Services, tmp_path: Path) -> None:
    days = WINDOW.days()
    with good_day.user_events() as api:
        reading = user_events.read_pages(api, PageStore(tmp_path, "run"), WINDOW)
        first = [next(reading) for _ in range(10)]
        good_day.apis.user_events.faults.next("unavailable", times=1000)
        with pytest.raises(ApiError):
            list(reading)
        gc.collect()
        kept = {path.stem for path in (tmp_path / "run").iterdir()}
        assert kept >= {page.name for _, page in first}

        good_day.apis.user_events.faults._queue.clear()
        good_day.apis.user_events.requests.clear()
        again = list(user_events.read_pages(api, PageStore(tmp_path, "run"), WINDOW))
    asked = {request.query["date"] for request in good_day.apis.user_events.requests}
    assert asked == {str(day) for day in days} - {name.removeprefix("events-") for name in kept}
    assert again[:10] == first
    assert {wanted: page.records for wanted, page in again} == listed(good_day, days)


def test_another_run_asks_for_everything_anew(good_day: Services, tmp_path: Path) -> None:
    window = DayWindow(DAY, DAY + timedelta(days=2))
    with good_day.user_events() as api:
        for run in ("first", "second"):
            list(user_events.read_pages(api, PageStore(tmp_path, run), window))
    assert len(statuses(good_day)) == 4
    assert [path.name for path in tmp_path.iterdir() if path.name in {"first", "second"}] == ["second"]


def test_a_refusal_ends_the_reading_and_asks_for_no_more_dates(good_day: Services, tmp_path: Path) -> None:
    with (
        good_day.user_events(user_events_api_token=SecretStr("a wrong one")) as api,
        pytest.raises(ApiRefusedError),
    ):
        list(user_events.read_pages(api, PageStore(tmp_path, "run"), WINDOW))
    assert len(statuses(good_day)) <= REQUESTS_AT_A_TIME + 1


def test_neither_client_nor_error_shows_the_token(good_day: Services) -> None:
    with good_day.user_events() as api:
        assert TOKEN not in repr(api)
        assert TOKEN not in repr(api.http)

"""The sandbox APIs over real sockets: what they answer on good days and on bad ones."""

import json
import os
import signal
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from engagement_assets.sandbox.api_faults import CHAOS_KINDS, FaultKind, Faults
from engagement_assets.sandbox.api_servers import (
    SandboxApis,
    SandboxClock,
    SandboxCredentials,
    SandboxUrls,
    main,
    make_apis,
    sandbox_process,
    serve_apis,
)
from engagement_assets.sandbox.strava_service import RateLimits

pytestmark = pytest.mark.integration

CREDENTIALS = SandboxCredentials()
START, DAYS = date(2024, 1, 1), 40
NOW = datetime(2024, 2, 10, 9, 5, tzinfo=UTC)
EVENT_DAY, EMPTY_DAY = date(2024, 1, 10), date(2024, 1, 6)
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # made once: loading the certificates takes a while


@dataclass
class Sandbox:
    """A served sandbox and a client of it."""

    apis: SandboxApis
    urls: SandboxUrls
    client: httpx.Client

    def exchange(self, refresh_token: str, **changed: str) -> httpx.Response:
        form = {
            "client_id": CREDENTIALS.strava_client_id,
            "client_secret": CREDENTIALS.strava_client_secret,
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
        }
        return self.client.post(f"{self.urls.strava_oauth_base_url}/token", data=form | changed)

    def sign_in(self) -> None:
        token = self.exchange(self.apis.strava.tokens.refresh_token).json()["access_token"]
        self.client.headers["Authorization"] = f"Bearer {token}"

    def page(self, **query: int | str) -> httpx.Response:
        return self.client.get(f"{self.urls.strava_api_base_url}/athlete/activities", params=query)

    def all_pages(self, **query: int | str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for page in range(1, 100):
            documents = self.page(page=page, **query).json()
            if not documents:
                break
            found += documents
        return found

    def events(self, day: date | str, token: str = CREDENTIALS.user_events_api_token) -> httpx.Response:
        return self.client.get(self.urls.user_events_api_url, params={"date": str(day)}, headers={"api-token": token})


@contextmanager
def _serve(**changed: Any) -> Iterator[Sandbox]:
    apis = make_apis(**{"seed": 7, "start": START, "days": DAYS, "now": NOW, **changed})
    with serve_apis(apis) as urls, httpx.Client(verify=NO_TLS) as client:
        yield Sandbox(apis, urls, client)


@pytest.fixture(scope="module")
def reader() -> Iterator[Sandbox]:
    """One sandbox, with an access token, for all tests that change nothing in it."""
    with _serve() as sandbox:
        sandbox.sign_in()
        yield sandbox


@pytest.fixture
def served() -> Iterator[Callable[..., Sandbox]]:
    """Serves a sandbox of a test's own, by default the usual one."""
    with ExitStack() as stack:
        yield lambda **changed: stack.enter_context(_serve(**changed))


@pytest.fixture
def sandbox(served: Callable[..., Sandbox]) -> Sandbox:
    return served()


@pytest.fixture
def athlete(sandbox: Sandbox) -> Sandbox:
    """The usual sandbox, with an access token."""
    sandbox.sign_in()
    return sandbox


def _errors(response: httpx.Response) -> tuple[int, str, str, str, str]:
    body = response.json()
    error = body["errors"][0]
    return response.status_code, body["message"], error["resource"], error["field"], error["code"]


def _starts(documents: list[dict[str, Any]]) -> list[str]:
    return [document["start_date"] for document in documents]


# Tokens


def test_an_exchange_gives_tokens_and_kills_the_old_refresh_token(sandbox: Sandbox) -> None:
    response = sandbox.exchange(CREDENTIALS.strava_refresh_token)
    tokens = response.json()
    assert response.status_code == 200
    assert tokens.keys() == {"token_type", "access_token", "expires_at", "expires_in", "refresh_token"}
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 21_600)
    assert tokens["expires_at"] == int(NOW.timestamp()) + 21_600
    assert len(tokens["access_token"]) == len(tokens["refresh_token"]) == 40
    dead = sandbox.exchange(CREDENTIALS.strava_refresh_token)
    assert dead.status_code == 400
    assert dead.json() == {
        "message": "Bad Request",
        "errors": [{"resource": "RefreshToken", "field": "refresh_token", "code": "invalid"}],
    }
    assert sandbox.exchange(tokens["refresh_token"]).json()["refresh_token"] != tokens["refresh_token"]


def test_rotation_can_be_switched_off(sandbox: Sandbox) -> None:
    sandbox.apis.strava.rotates_refresh_token = False
    first, second = (sandbox.exchange(CREDENTIALS.strava_refresh_token).json() for _ in range(2))
    assert first["refresh_token"] == second["refresh_token"] == CREDENTIALS.strava_refresh_token
    assert first["access_token"] != second["access_token"]


def test_an_exchange_may_be_json_and_needs_the_right_client(sandbox: Sandbox) -> None:
    given: dict[str, str | int] = {
        "client_id": int(CREDENTIALS.strava_client_id),
        "client_secret": CREDENTIALS.strava_client_secret,
        "grant_type": "refresh_token",
        "refresh_token": CREDENTIALS.strava_refresh_token,
    }
    assert sandbox.client.post(f"{sandbox.urls.strava_oauth_base_url}/token", json=given).status_code == 200
    wrong_client = sandbox.exchange("any", client_id="54321")
    assert _errors(wrong_client) == (401, "Authorization Error", "Application", "client_id", "invalid")
    assert sandbox.exchange("any", grant_type="password").status_code == 400
    in_query = sandbox.client.post(f"{sandbox.urls.strava_oauth_base_url}/token", params=given)
    assert in_query.status_code == 401


def test_only_a_valid_token_in_the_header_opens_the_api(sandbox: Sandbox) -> None:
    refused = (401, "Authorization Error", "Athlete", "access_token", "invalid")
    assert _errors(sandbox.page()) == refused
    sandbox.client.headers["Authorization"] = "Bearer unknown"
    assert _errors(sandbox.page()) == refused
    sandbox.sign_in()
    assert sandbox.page().status_code == 200
    token = sandbox.client.headers["Authorization"].removeprefix("Bearer ")
    assert _errors(sandbox.page(access_token=token)) == refused
    sandbox.apis.clock.advance(timedelta(seconds=21_599))
    assert sandbox.page().status_code == 200
    sandbox.apis.clock.advance(timedelta(seconds=1))
    assert _errors(sandbox.page()) == refused


def test_a_missing_scope_and_an_inactive_application_are_refused(athlete: Sandbox) -> None:
    athlete.apis.strava.has_activity_scope = False
    missing = (401, "Authorization Error", "AccessToken", "activity:read_permission", "missing")
    assert _errors(athlete.page()) == missing
    athlete.apis.strava.is_inactive = True
    assert _errors(athlete.page()) == (403, "Forbidden", "Application", "Status", "Inactive")


def test_tokens_survive_a_restart_in_a_private_file(served: Callable[..., Sandbox], tmp_path: Path) -> None:
    state_path = tmp_path / "state" / "strava.json"
    before = served(state_path=state_path)
    tokens = before.exchange(CREDENTIALS.strava_refresh_token).json()
    assert stat.S_IMODE(state_path.stat().st_mode) == 0o600
    assert [path.name for path in state_path.parent.iterdir()] == ["strava.json"]
    after = served(state_path=state_path)
    after.client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    assert after.page().status_code == 200
    assert after.exchange(CREDENTIALS.strava_refresh_token).status_code == 400
    assert after.exchange(tokens["refresh_token"]).json()["access_token"] != tokens["access_token"]


def test_no_token_is_logged(athlete: Sandbox) -> None:
    token = athlete.client.headers["Authorization"].removeprefix("Bearer ")
    athlete.page(access_token=token, page=1)
    athlete.events(EVENT_DAY)
    log = athlete.apis.strava.requests + athlete.apis.user_events.requests
    assert [(record.at, record.path, record.query, record.status) for record in log] == [
        (NOW, "/strava/oauth/token", {}, 200),
        (NOW, "/strava/api/v3/athlete/activities", {"page": "1"}, 401),
        (NOW, "/user-events/v1/events", {"date": "2024-01-10"}, 200),
    ]


# Pages


def test_pages_give_each_activity_once_until_an_empty_one(athlete: Sandbox) -> None:
    documents = athlete.all_pages(after=0, per_page=7)
    assert len(documents) > 35
    assert len({document["id"] for document in documents}) == len(documents)
    assert _starts(documents) == sorted(_starts(documents))
    assert athlete.page(page=99).json() == []
    assert athlete.apis.strava.served_activities() == {document["id"]: document for document in documents}


def test_without_after_the_newest_comes_first_and_thirty_make_a_page(reader: Sandbox) -> None:
    documents = reader.page().json()
    assert len(documents) == 30
    assert _starts(documents) == sorted(_starts(documents), reverse=True)
    assert reader.page(per_page=200, after=0).json()[-1] == documents[0]


def test_before_and_after_are_exclusive(reader: Sandbox) -> None:
    documents = reader.page(after=0).json()
    low, high = (int(datetime.fromisoformat(documents[place]["start_date"]).timestamp()) for place in (4, 9))
    assert reader.page(after=low, before=high).json() == documents[5:9]
    assert reader.page(after=low - 1, before=high + 1).json() == documents[4:10]


def test_parameters_out_of_range_are_refused(reader: Sandbox) -> None:
    assert reader.page(per_page=201).status_code == 400
    assert reader.page(per_page=0).status_code == 400
    assert reader.page(page=0).status_code == 400
    assert reader.page(page="x").status_code == 400
    assert reader.page(after="1.5").status_code == 400


def test_deleted_activities_are_listed_no_more_and_the_ledger_says_so(served: Callable[..., Sandbox]) -> None:
    sandbox = served(activities_per_day=20)
    sandbox.sign_in()
    first = {document["id"] for document in sandbox.all_pages(after=0, per_page=200)}
    deleted_before = sandbox.apis.strava.deleted_ids()
    sandbox.apis.clock.advance(timedelta(days=5))
    sandbox.sign_in()
    second = {document["id"] for document in sandbox.all_pages(after=0, per_page=200)}
    assert first - second == sandbox.apis.strava.deleted_ids() - deleted_before != set()
    assert sandbox.apis.strava.served_activities().keys() == first | second


def test_five_thousand_activities_come_in_twenty_five_pages(served: Callable[..., Sandbox]) -> None:
    sandbox = served(activities_per_day=1_000, days=5, now=datetime(2024, 1, 6, tzinfo=UTC))
    sandbox.sign_in()
    documents = sandbox.all_pages(after=0, per_page=200)
    assert len(documents) == 5_000 - len(sandbox.apis.strava.deleted_ids())
    assert len(sandbox.apis.strava.requests) == 1 + 25 + 1


def test_the_same_seed_gives_the_same_bytes(served: Callable[..., Sandbox]) -> None:
    answers = []
    for seed in (7, 7, 8):
        sandbox = served(seed=seed)
        sandbox.sign_in()
        answers.append((sandbox.page().content, sandbox.events(EVENT_DAY).content))
    assert answers[0] == answers[1]
    assert answers[0][0] != answers[2][0]
    assert answers[0][1] != answers[2][1]


# Rate limits


def test_usage_is_counted_by_quarter_hour_and_day_of_the_sandbox_clock(athlete: Sandbox) -> None:
    def usage(minute: datetime) -> str:
        athlete.apis.clock.set(minute)
        headers = athlete.page().headers
        assert headers["X-RateLimit-Limit"] == "200,2000"
        assert headers["X-ReadRateLimit-Limit"] == "100,1000"
        assert headers["X-RateLimit-Usage"] == headers["X-ReadRateLimit-Usage"]
        return headers["X-ReadRateLimit-Usage"]

    assert usage(NOW) == "1,1"
    assert usage(NOW.replace(minute=14, second=59)) == "2,2"
    assert usage(NOW.replace(minute=15)) == "1,3"
    assert usage(datetime(2024, 2, 9, 23, 59, tzinfo=UTC)) == "1,1"
    assert usage(datetime(2024, 2, 10, 0, 0, tzinfo=UTC)) == "1,4"


def test_over_a_limit_comes_a_429_that_says_which(athlete: Sandbox) -> None:
    athlete.apis.strava.limits = RateLimits(overall=(3, 2_000), read=(2, 1_000))
    assert [athlete.page().status_code for _ in range(2)] == [200, 200]
    over = athlete.page()
    assert _errors(over) == (429, "Rate Limit Exceeded", "Application", "read rate limit", "exceeded")
    assert over.headers["X-ReadRateLimit-Usage"] == "3,3"
    assert _errors(athlete.page()) == (429, "Rate Limit Exceeded", "Application", "rate limit", "exceeded")
    athlete.apis.clock.advance(timedelta(minutes=10))
    assert athlete.page().status_code == 200


def test_the_daily_limit_holds_until_midnight(athlete: Sandbox) -> None:
    athlete.apis.strava.limits = RateLimits(read=(100, 2))
    assert [athlete.page().status_code for _ in range(3)] == [200, 200, 429]
    athlete.apis.clock.advance(timedelta(hours=1))
    assert athlete.page().headers["X-ReadRateLimit-Usage"] == "1,4"
    athlete.apis.clock.set(datetime(2024, 2, 11, tzinfo=UTC))
    athlete.sign_in()
    assert athlete.page().status_code == 200


# User events


def test_a_date_gives_its_events_and_the_ledger_has_them(sandbox: Sandbox) -> None:
    response = sandbox.events(EVENT_DAY)
    assert response.status_code == 200
    assert sandbox.apis.user_events.served_events() == {EVENT_DAY: response.json()}
    assert len(response.json()) > 200


def test_an_empty_date_is_a_404_that_says_so(reader: Sandbox) -> None:
    for day in (EMPTY_DAY, date(2023, 12, 31), date(2030, 1, 1)):
        response = reader.events(day)
        assert (response.status_code, response.json()) == (404, {"detail": "No event found for date"})
    assert reader.apis.user_events.served_events()[EMPTY_DAY] == []


def test_late_events_come_when_the_date_is_asked_for_again(served: Callable[..., Sandbox]) -> None:
    sandbox = served(now=datetime(2024, 1, 11, tzinfo=UTC))
    first = sandbox.events(EVENT_DAY).json()
    sandbox.apis.clock.advance(timedelta(days=4))
    second = sandbox.events(EVENT_DAY).json()
    assert len(second) > len(first)
    assert [event for event in second if event in first] == first
    assert sandbox.apis.user_events.served_events()[EVENT_DAY] == second


def test_a_wrong_token_is_refused(reader: Sandbox) -> None:
    response = reader.events(EVENT_DAY, "wrong")
    assert (response.status_code, response.json()) == (401, {"detail": "Invalid api token"})


def test_a_malformed_date_is_a_422(reader: Sandbox) -> None:
    for text in ("20240110", "2024-13-01", "2024-1-1", "yesterday", ""):
        response = reader.events(text)
        assert response.status_code == 422
        assert response.json()["detail"]


def test_too_many_requests_a_minute_are_told_when_to_come_again(sandbox: Sandbox) -> None:
    sandbox.apis.clock.set(NOW + timedelta(seconds=20))
    sandbox.apis.user_events.requests_per_minute = 1
    assert sandbox.events(EVENT_DAY).status_code == 200
    over = sandbox.events(EVENT_DAY)
    assert (over.status_code, over.headers["Retry-After"]) == (429, "40")
    sandbox.apis.clock.advance(timedelta(seconds=40))
    assert sandbox.events(EVENT_DAY).status_code == 200


# Faults


@pytest.mark.parametrize("kind", [FaultKind.CUT_BEFORE_ANSWER, FaultKind.CUT_WITHIN_BODY])
def test_a_cut_connection_gives_no_answer_and_is_in_no_ledger(athlete: Sandbox, kind: FaultKind) -> None:
    athlete.apis.strava.faults.next(kind, times=2)
    athlete.apis.user_events.faults.next(kind)
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError) as broken:
            athlete.page()
        assert ("incomplete" in str(broken.value) or "without sending complete" in str(broken.value)) == (
            kind is FaultKind.CUT_WITHIN_BODY
        )
    with pytest.raises(httpx.RemoteProtocolError):
        athlete.events(EVENT_DAY)
    assert athlete.apis.strava.served_activities() == {}
    assert athlete.apis.user_events.served_events() == {}
    assert [record.fault for record in athlete.apis.strava.requests] == [None, kind, kind]
    assert athlete.page().status_code == 200
    assert athlete.events(EVENT_DAY).status_code == 200


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (FaultKind.SERVER_ERROR, 500),
        (FaultKind.UNAVAILABLE, 503),
        (FaultKind.HTML, 200),
        (FaultKind.TRUNCATED_JSON, 200),
    ],
)
def test_a_spoilt_answer_is_no_json_and_is_in_no_ledger(athlete: Sandbox, kind: FaultKind, status: int) -> None:
    athlete.apis.strava.faults.next(kind)
    athlete.apis.user_events.faults.next(kind)
    for response in (athlete.page(), athlete.events(EVENT_DAY)):
        assert response.status_code == status
        assert response.headers["content-type"].startswith(
            "application/json" if kind is FaultKind.TRUNCATED_JSON else "text/html"
        )
        with pytest.raises(json.JSONDecodeError):
            response.json()
    assert athlete.apis.strava.served_activities() == {}
    assert athlete.apis.user_events.served_events() == {}
    assert athlete.apis.strava.requests[-1].status == status
    assert athlete.page().json()[0]["resource_state"] == 2


def test_a_forced_429_comes_once(athlete: Sandbox) -> None:
    athlete.apis.strava.faults.next("too_many_requests")
    athlete.apis.user_events.faults.next("too_many_requests")
    assert _errors(athlete.page()) == (429, "Rate Limit Exceeded", "Application", "rate limit", "exceeded")
    over = athlete.events(EVENT_DAY)
    assert (over.status_code, over.headers["Retry-After"]) == (429, "1")
    assert athlete.page().status_code == athlete.events(EVENT_DAY).status_code == 200


def test_a_slow_answer_that_nobody_waits_for_changes_nothing(sandbox: Sandbox) -> None:
    sandbox.apis.strava.faults.slow_s = 0.2
    sandbox.apis.strava.faults.next("slow", times=2)
    sandbox.client.timeout = httpx.Timeout(5, read=0.05)
    with pytest.raises(httpx.ReadTimeout):
        sandbox.exchange(CREDENTIALS.strava_refresh_token)
    sandbox.client.timeout = httpx.Timeout(5)
    assert sandbox.exchange(CREDENTIALS.strava_refresh_token).status_code == 200  # slow, and waited for
    assert [(record.status, record.fault) for record in sandbox.apis.strava.requests] == [
        (None, FaultKind.SLOW),
        (200, FaultKind.SLOW),
    ]


def test_a_page_repeats_an_id_of_the_page_before_and_none_is_lost(athlete: Sandbox) -> None:
    whole = athlete.all_pages(after=0, per_page=10)
    athlete.apis.strava.faults.next("repeated_id")
    shifted = athlete.all_pages(after=0, per_page=10)
    assert [document["id"] for document in shifted] == [
        document["id"] for document in [*whole[:10], whole[9], *whole[10:]]
    ]
    assert athlete.apis.strava.faults.pending == ()
    assert athlete.all_pages(after=0, per_page=10) == whole


def test_a_fault_can_be_for_one_path_only(athlete: Sandbox) -> None:
    athlete.apis.strava.faults.next("server_error", path="/token")
    assert athlete.page().status_code == 200
    assert athlete.exchange(athlete.apis.strava.tokens.refresh_token).status_code == 500


@pytest.mark.parametrize("is_lost", [False, True])
def test_an_exchange_that_breaks_may_cost_the_refresh_token(sandbox: Sandbox, is_lost: bool) -> None:
    sandbox.apis.strava.rotates_before_answering = is_lost
    sandbox.apis.strava.faults.next("cut_within_body")
    with pytest.raises(httpx.RemoteProtocolError):
        sandbox.exchange(CREDENTIALS.strava_refresh_token)
    assert sandbox.exchange(CREDENTIALS.strava_refresh_token).status_code == (400 if is_lost else 200)


def test_chaos_is_a_share_of_requests_and_the_same_from_the_same_seed() -> None:
    first, second, other = (
        [faults.due("/any") for _ in range(1_000)] for faults in (Faults(1, 0.2), Faults(1, 0.2), Faults(2, 0.2))
    )
    assert first == second != other
    assert 150 < sum(kind is not None for kind in first) < 250
    assert set(first) == {None, *CHAOS_KINDS}
    assert {Faults(1, 0.0).due("/any") for _ in range(100)} == {None}
    with pytest.raises(ValueError, match="share of requests"):
        Faults(1, 1.5)


def test_a_client_that_tries_again_gets_everything_through_chaos(served: Callable[..., Sandbox]) -> None:
    sandbox = served(chaos=0.3)
    sandbox.apis.strava.faults.slow_s = 0.01
    found: dict[int, dict[str, Any]] = {}

    def again_and_again(ask: Callable[..., httpx.Response], *arguments: str, **query: int) -> Any:
        for _ in range(20):
            try:
                return ask(*arguments, **query).raise_for_status().json()
            except (httpx.HTTPError, ValueError):
                continue
        raise AssertionError("twenty bad answers in a row")

    tokens = again_and_again(sandbox.exchange, CREDENTIALS.strava_refresh_token)
    sandbox.client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    page = 1
    while documents := again_and_again(sandbox.page, page=page, per_page=4, after=0):
        found |= {document["id"]: document for document in documents}
        page += 1
    assert any(record.fault for record in sandbox.apis.strava.requests)
    visible = sandbox.apis.strava.history.visible(NOW)
    assert found == {activity.activity_id: activity.document(NOW) for activity in visible}
    assert sandbox.apis.strava.served_activities() == found


# The clock and the process


def test_a_clock_stands_until_it_is_moved_or_runs_on_from_where_it_was_set() -> None:
    standing = SandboxClock(NOW)
    assert standing.now() == standing.now() == NOW
    standing.advance(timedelta(days=1))
    assert standing.now() == NOW + timedelta(days=1)
    running = SandboxClock()
    assert abs(running.now() - datetime.now(UTC)) < timedelta(seconds=5)
    running.set(NOW)
    assert NOW <= running.now() < NOW + timedelta(seconds=5)
    running.advance(timedelta(days=2))
    assert timedelta(days=2) <= running.now() - NOW < timedelta(days=2, seconds=5)
    with pytest.raises(ValueError, match="time zone"):
        make_apis(start=START, days=1, now=datetime(2024, 1, 1))


def test_a_child_process_serves_and_keeps_its_tokens_for_the_next_one(tmp_path: Path) -> None:
    state_path = tmp_path / "strava.json"
    token = CREDENTIALS.strava_refresh_token
    for _ in range(2):
        with (
            sandbox_process(state_path=state_path, start=START, days=10) as urls,
            httpx.Client(verify=NO_TLS) as client,
        ):
            assert urls.strava_api_base_url.startswith("http://127.0.0.1:")
            sandbox = Sandbox(make_apis(start=START, days=10), urls, client)
            token = sandbox.exchange(token).json()["refresh_token"]
            assert sandbox.events(EVENT_DAY).status_code == 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(urls.user_events_api_url)


def test_a_child_process_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time, datetime, pathlib\n"
        "from engagement_assets.sandbox.api_servers import sandbox_process\n"
        "with sandbox_process(state_path=pathlib.Path(sys.argv[1]), start=datetime.date(2024, 1, 1), days=2) as urls:\n"
        "    print(urls.user_events_api_url, flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "state.json")]
    # The grandchild writes into the same stderr, which therefore ends when both have gone.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        url = parent.stdout.readline().strip()
        assert httpx.get(url).status_code == 401
        os.kill(parent.pid, signal.SIGKILL)
        assert parent.stderr.read() == ""
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_a_child_process_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="ended with code 2"),
        sandbox_process(state_path=tmp_path / "state.json", start=START, days=1, chaos=3),
    ):
        pass


def test_a_port_that_is_taken_is_told(reader: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    port = httpx.URL(reader.urls.user_events_api_url).port
    assert main(["--port", str(port)]) == 2
    assert "no sandbox APIs" in capsys.readouterr().err

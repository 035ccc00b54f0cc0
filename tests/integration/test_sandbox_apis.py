"""The sandbox's services over real sockets: what the tests of their clients rely on, on good days and bad ones."""

import json
import os
import signal
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from engagement_assets.commands.sandbox_services import with_services
from engagement_assets.sandbox.api_servers import SandboxApis, SandboxCredentials, SandboxUrls, make_apis, serve_apis
from engagement_assets.sandbox.strava_service import RateLimits
from engagement_assets.settings import Settings

pytestmark = pytest.mark.integration

FIRST_TOKEN = SandboxCredentials.strava_refresh_token
START = date(2024, 1, 1)
NOW = datetime(2024, 2, 10, 9, 5, tzinfo=UTC)
EVENT_DAY, EMPTY_DAY = date(2024, 1, 10), date(2024, 1, 6)
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # Made once: loading the certificates takes a while.
SPOILT = {"cut_before_answer": None, "cut_within_body": 200, "truncated_json": 200, "html": 200}
SPOILT |= {"server_error": 500, "unavailable": 503}
REFUSED = (401, "Authorization Error", "Athlete", "access_token", "invalid")


@dataclass
class Sandbox:
    """A served sandbox and a client of it."""

    apis: SandboxApis
    urls: SandboxUrls
    client: httpx.Client

    def exchange(self, refresh_token: str, **changed: str) -> httpx.Response:
        form = {
            "client_id": SandboxCredentials.strava_client_id,
            "client_secret": SandboxCredentials.strava_client_secret,
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
        page = 1
        while documents := self.page(page=page, after=0, **query).json():
            found += documents
            page += 1
        return found

    def events(self, day: date | str, token: str = SandboxCredentials.user_events_api_token) -> httpx.Response:
        return self.client.get(self.urls.user_events_api_url, params={"date": str(day)}, headers={"api-token": token})


@contextmanager
def _serve(state_path: Path | None = None) -> Iterator[Sandbox]:
    apis = make_apis(seed=7, start=START, days=40, now=NOW, state_path=state_path)
    with serve_apis(apis) as urls, httpx.Client(verify=NO_TLS) as client:
        yield Sandbox(apis, urls, client)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox whose client has an access token."""
    with _serve() as served:
        served.sign_in()
        yield served


def _errors(response: httpx.Response) -> tuple[int, str, str, str, str]:
    body = response.json()
    error = body["errors"][0]
    return response.status_code, body["message"], error["resource"], error["field"], error["code"]


def test_an_exchange_gives_tokens_and_kills_the_old_refresh_token(tmp_path: Path) -> None:
    state_path = tmp_path / "state" / "strava.json"
    with _serve(state_path) as before:
        tokens = before.exchange(FIRST_TOKEN).json()
        assert tokens.keys() == {"token_type", "access_token", "expires_at", "expires_in", "refresh_token"}
        assert tokens["expires_at"] == int(NOW.timestamp()) + tokens["expires_in"] == int(NOW.timestamp()) + 21_600
        dead = before.exchange(FIRST_TOKEN)
        assert _errors(dead) == (400, "Bad Request", "RefreshToken", "refresh_token", "invalid")
        wrong_client = before.exchange("any", client_id="54321")
        assert _errors(wrong_client) == (401, "Authorization Error", "Application", "client_id", "invalid")
    assert stat.S_IMODE(state_path.stat().st_mode) == 0o600
    with _serve(state_path) as after:
        after.client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        assert after.page().status_code == 200
        assert after.exchange(tokens["refresh_token"]).json()["refresh_token"] != tokens["refresh_token"]


def test_only_a_valid_token_in_the_header_opens_the_api(sandbox: Sandbox) -> None:
    token = sandbox.client.headers["Authorization"].removeprefix("Bearer ")
    assert _errors(sandbox.page(access_token=token, page=1)) == REFUSED
    assert sandbox.events(EVENT_DAY, "wrong").json() == {"detail": "Invalid api token"}
    log = sandbox.apis.strava.requests + sandbox.apis.user_events.requests
    assert [(record.at, record.path, record.query, record.status) for record in log] == [
        (NOW, "/strava/oauth/token", {}, 200),
        (NOW, "/strava/api/v3/athlete/activities", {"page": "1"}, 401),
        (NOW, "/user-events/v1/events", {"date": "2024-01-10"}, 401),
    ]
    sandbox.apis.clock.advance(timedelta(hours=6))
    assert _errors(sandbox.page()) == REFUSED


def test_pages_give_each_activity_once_between_exclusive_bounds(sandbox: Sandbox) -> None:
    documents = sandbox.all_pages(per_page=7)
    assert len({document["id"] for document in documents}) == len(documents) > 35
    starts = [document["start_date"] for document in documents]
    assert starts == sorted(starts)
    assert sandbox.apis.strava.served_activities() == {document["id"]: document for document in documents}
    newest_first = sandbox.page().json()
    assert newest_first == documents[: -len(newest_first) - 1 : -1]
    assert len(newest_first) == 30
    low, high = (int(datetime.fromisoformat(starts[place]).timestamp()) for place in (4, 9))
    assert sandbox.page(after=low, before=high).json() == documents[5:9]
    assert [sandbox.page(**{name: bad}).status_code for name, bad in (("per_page", 201), ("page", 0))] == [400, 400]


def test_usage_is_counted_by_quarter_of_an_hour_and_day(sandbox: Sandbox) -> None:
    strava, clock = sandbox.apis.strava, sandbox.apis.clock
    strava.limits = RateLimits(overall=(3, 6), read=(2, 6))
    assert [sandbox.page().headers["X-ReadRateLimit-Usage"] for _ in range(2)] == ["1,1", "2,2"]
    over = sandbox.page()
    assert _errors(over) == (429, "Rate Limit Exceeded", "Application", "read rate limit", "exceeded")
    assert (over.headers["X-RateLimit-Limit"], over.headers["X-ReadRateLimit-Limit"]) == ("3,6", "2,6")
    assert _errors(sandbox.page()) == (429, "Rate Limit Exceeded", "Application", "rate limit", "exceeded")
    clock.set(NOW.replace(minute=15))
    assert [sandbox.page().status_code for _ in range(3)] == [200, 200, 429]
    clock.set(datetime(2024, 2, 11, tzinfo=UTC))
    sandbox.sign_in()
    assert sandbox.page().headers["X-RateLimit-Usage"] == "1,1"


def test_a_date_gives_its_events_or_says_why_not(sandbox: Sandbox) -> None:
    events = sandbox.events(EVENT_DAY).json()
    assert len(events) > 200
    for day in (EMPTY_DAY, date(2023, 12, 31), date(2030, 1, 1)):
        empty = sandbox.events(day)
        assert (empty.status_code, empty.json()) == (404, {"detail": "No event found for date"})
    served = sandbox.apis.user_events.served_events()
    assert (served[EVENT_DAY], served[EMPTY_DAY]) == (events, [])
    assert {sandbox.events(text).status_code for text in ("20240110", "2024-13-01", "2024-1-1", "")} == {422}
    sandbox.apis.clock.advance(timedelta(minutes=1, seconds=20))
    sandbox.apis.user_events.requests_per_minute = 1
    assert sandbox.events(EVENT_DAY).status_code == 200
    over = sandbox.events(EVENT_DAY)
    assert (over.status_code, over.headers["Retry-After"]) == (429, "40")


@pytest.mark.parametrize(("kind", "status"), SPOILT.items())
def test_a_spoilt_answer_has_no_content_and_is_in_no_ledger(sandbox: Sandbox, kind: str, status: int | None) -> None:
    strava, user_events = sandbox.apis.strava, sandbox.apis.user_events
    refresh_token = strava.tokens.refresh_token
    for faults in (strava.faults, strava.faults, user_events.faults):
        faults.next(kind)
    for answer in (partial(sandbox.exchange, refresh_token), sandbox.page, partial(sandbox.events, EVENT_DAY)):
        with pytest.raises(httpx.RemoteProtocolError if "cut" in kind else json.JSONDecodeError):
            answer().json()
    assert (strava.served_activities(), user_events.served_events()) == ({}, {})
    assert [record.status for record in (*strava.requests[1:], *user_events.requests)] == [status] * 3
    # The refresh token is replaced only by an answer that arrives.
    assert sandbox.exchange(refresh_token).status_code == sandbox.page().status_code == 200


def test_a_slow_answer_that_nobody_waits_for_changes_nothing(sandbox: Sandbox) -> None:
    sandbox.apis.strava.faults.slow_s = 0.2
    sandbox.apis.strava.faults.next("slow", times=2)
    token = sandbox.apis.strava.tokens.refresh_token
    sandbox.client.timeout = httpx.Timeout(5, read=0.05)
    with pytest.raises(httpx.ReadTimeout):
        sandbox.exchange(token)
    sandbox.client.timeout = httpx.Timeout(5)
    assert sandbox.exchange(token).status_code == 200
    assert [record.status for record in sandbox.apis.strava.requests[1:]] == [None, 200]


def test_a_child_process_serves_and_ends_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import sys, time, datetime, pathlib\n"
        "from engagement_assets.sandbox.api_servers import sandbox_process\n"
        "with sandbox_process(state_path=pathlib.Path(sys.argv[1]), start=datetime.date(2024, 1, 1), days=2) as urls:\n"
        "    print(urls.user_events_api_url, flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "strava.json")]
    # The grandchild writes to the same stderr, which therefore ends once both have gone.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        url = parent.stdout.readline().strip()
        assert httpx.get(url).status_code == 401
        os.kill(parent.pid, signal.SIGKILL)
        assert parent.stderr.read() == ""
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_without_the_extra_everything_imports_and_a_start_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = (
        "import sys; sys.modules |= {'starlette': None, 'uvicorn': None}\n"
        "import importlib, pkgutil, engagement_assets.sandbox as sandbox\n"
        "for found in pkgutil.iter_modules(sandbox.__path__, 'engagement_assets.sandbox.'):\n"
        "    importlib.import_module(found.name)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(SystemExit, match="2"), with_services(Settings(_env_file=None)):
        pass
    assert "cannot start without uvicorn: run `pip install 'engagement-assets[sandbox]'`" in capsys.readouterr().err

"""The webserver answers people on its own pages, links to it, and programs; it refuses what other sites do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from dagster._core.storage.event_log import EventLogStorage
from dagster_postgres import PostgresEventLogStorage
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from engagement_assets.instance.event_log import BatchingEventLogStorage
from engagement_assets.instance.postgres_storage import BatchingPostgresEventLogStorage
from engagement_assets.instance.same_origin import SameOriginOnly, UiHosts
from engagement_assets.settings import Settings

PAGE = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "accept": "text/html"}
IMAGE = {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image", "accept": "image/*"}
FRAME = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe", "accept": "text/html"}
ELSEWHERE, BESIDE = {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}
ORIGIN = {"origin": "http://evil.example"}
REBOUND = {"host": "evil.example:3000"}


async def _served(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("served")


async def _greet(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("served")
    await socket.close()


@pytest.fixture
def webserver() -> TestClient:
    app = Starlette(
        routes=[
            Route("/runs", _served, methods=["GET", "POST"]),
            Route("/assets/{key:path}", _served),
            Route("/graphql", _served, methods=["GET", "POST"]),
            WebSocketRoute("/graphql", _greet),
        ],
        middleware=[Middleware(SameOriginOnly, hosts=UiHosts.from_hosts(["data.example.com", "data:8443"]))],
    )
    return TestClient(app, base_url="http://localhost:3000")


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/runs", PAGE),
        ("GET", "/runs", PAGE | ELSEWHERE),  # a link in a message
        ("GET", "/runs", PAGE | {"sec-fetch-site": "none"}),  # typed
        ("GET", "/graphql", PAGE),  # the playground, which asks nothing by itself
        ("POST", "/graphql", {}),  # a program
        ("GET", "/assets/l%C3%A4rm%20a%C2%A0b", PAGE),  # a name of somebody's own
        ("POST", "/graphql", {"origin": "http://localhost:3000", "sec-fetch-site": "same-origin"}),
        ("POST", "/graphql", {"host": "127.0.0.1:3000", "origin": "http://127.0.0.1:3000"}),
        ("POST", "/graphql", {"host": "[::1]:3000", "origin": "http://[::1]:3000"}),
        ("GET", "/runs", {"host": "10.1.2.3:3000"}),  # the probe of a cluster
        ("POST", "/graphql", {"host": "data.example.com", "origin": "https://data.example.com"}),  # behind a proxy
        ("POST", "/graphql", {"host": "DATA.example.com", "origin": "https://data.example.com"}),
        ("POST", "/graphql", {"host": "127.0.0.1:3000", "origin": "https://data:8443"}),  # that changes the host
    ],
)
def test_own_pages_links_and_programs_are_answered(
    webserver: TestClient, method: str, path: str, headers: Mapping[str, str]
) -> None:
    answer = webserver.request(method, path, headers=headers)
    assert (answer.status_code, answer.text) == (200, "served")


@pytest.mark.parametrize(
    ("method", "path", "headers", "named"),
    [
        ("GET", "/runs", REBOUND | PAGE, "Host: expected localhost"),
        ("POST", "/graphql", REBOUND | {"origin": "http://evil.example:3000"}, "Host: "),
        ("GET", "/runs", {"host": ""}, "Host: "),
        ("GET", "/runs", {"host": "localhost.evil.example"}, "Host: "),
        ("GET", "/runs", {"host": "[::1"}, "Host: "),
        (
            "POST",
            "/graphql",
            ORIGIN | {"content-type": "text/plain"},
            "Origin: expected a page of localhost:3000, found 'http://evil.example'",
        ),
        ("POST", "/graphql", {"origin": "null"}, "Origin: "),  # a sandboxed frame
        ("POST", "/graphql", {"origin": "http://localhost:8080"}, "Origin: "),  # another server of this machine
        ("POST", "/graphql", {"origin": "https://data:9443"}, "Origin: "),
        ("POST", "/runs", ORIGIN, "Origin: "),
        ("GET", "/graphql", ORIGIN, "Origin: "),
        ("GET", "/graphql", IMAGE | ELSEWHERE, "Sec-Fetch-Site: "),
        ("GET", "/runs", IMAGE | BESIDE, "Sec-Fetch-Site: "),
        ("GET", "/runs", FRAME | ELSEWHERE, "Sec-Fetch-Site: "),
        ("POST", "/runs", PAGE | ELSEWHERE, "Sec-Fetch-Site: "),
        ("GET", "/graphql", {"accept": "image/*"}, "GraphQL: expected POST"),  # plain HTTP, which has no such headers
        ("GET", "/graphql%0A", {"accept": "image/*"}, "Path: expected one without control characters"),
        ("POST", "/graphql%0A", {}, "Path: "),
        ("GET", "/runs%00", PAGE, "Path: "),
        ("GET", "/runs%C2%85", PAGE, "Path: "),
    ],
)
def test_what_other_sites_do_is_refused_with_a_sentence(
    webserver: TestClient, method: str, path: str, headers: Mapping[str, str], named: str
) -> None:
    answer = webserver.request(method, path, headers=headers)
    assert answer.status_code == 403
    assert answer.text.startswith(named)


@pytest.mark.parametrize("headers", [{}, {"origin": "http://localhost:3000"}])
def test_a_socket_of_an_own_page_or_a_program_is_opened(webserver: TestClient, headers: dict[str, str]) -> None:
    with webserver.websocket_connect("ws://localhost:3000/graphql", headers=headers) as socket:
        assert socket.receive_text() == "served"


@pytest.mark.parametrize(
    "headers", [ORIGIN, REBOUND, {"origin": "http://localhost:8080"}, ELSEWHERE | {"sec-fetch-mode": "websocket"}]
)
def test_a_socket_of_another_site_is_not_opened(webserver: TestClient, headers: dict[str, str]) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        webserver.websocket_connect("ws://localhost:3000/graphql", headers=headers),
    ):
        pass
    assert refused.value.code == 1008


def test_text_of_a_request_steers_no_terminal(webserver: TestClient) -> None:
    answer = webserver.get("/runs", headers={"host": "\x1b[2J.example"})
    assert answer.status_code == 403
    assert "\x1b" not in answer.text


def _settings(tmp_path: Path, **given: Any) -> Settings:
    return Settings(_env_file=None, dagster_home=tmp_path, **given)


def test_the_hosts_are_those_of_the_settings(tmp_path: Path) -> None:
    hosts = UiHosts.of(
        _settings(tmp_path, ui_hosts=" Data.example.com, data:8443 ", dagster_ui_url="https://ui.example")
    )
    assert hosts.names == {"data.example.com", "data", "ui.example"}
    assert hosts.origins == {"data.example.com", "data:8443", "ui.example"}
    assert UiHosts.of(_settings(tmp_path)).origins == {"127.0.0.1:3000"}


@pytest.mark.parametrize("given", ["https://data.example.com", "*", "data.example.com/ui", "a b"])
def test_what_is_no_host_is_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(ValueError, match=r"^UI_HOSTS: expected hosts separated by commas, such as .*, found "):
        UiHosts.of(_settings(tmp_path, ui_hosts=given))


@pytest.mark.parametrize("storage", [BatchingEventLogStorage, BatchingPostgresEventLogStorage])
def test_each_storage_brings_the_guard_into_a_webserver(
    storage: type[EventLogStorage], monkeypatch: pytest.MonkeyPatch
) -> None:
    added: list[Middleware] = []
    monkeypatch.setattr("engagement_assets.instance.same_origin.add_to_webserver", added.append)
    monkeypatch.setattr(PostgresEventLogStorage, "optimize_for_webserver", lambda *_: None)
    storage.optimize_for_webserver(object.__new__(storage), 1, 1, 1)
    assert [str(each.cls) for each in added] == [str(SameOriginOnly)]

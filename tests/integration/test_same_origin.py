"""A real webserver refuses what other sites ask a browser for: the storage in DAGSTER_HOME brings the guard along."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.free_port import free_port

MUTATION = json.dumps({"query": "mutation { startSchedule(scheduleSelector: {}) { __typename } }"})
QUERY = {"query": "{ version }"}
STARTS_WITHIN_S = 120


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `serve SERVICE=webserver` without any code."""
    folder = tmp_path_factory.mktemp("webserver")
    (folder / "workspace.yaml").write_text("load_from: []\n", encoding="utf-8")
    port = free_port()
    environment = os.environ | {"DAGSTER_HOME": str(folder / "home"), "PORT": str(port), "UI_HOSTS": "data.example.com"}
    command = [sys.executable, "-m", "engagement_assets.commands.serve", "--service=webserver"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--workspace={folder}/workspace.yaml"], cwd=folder, env=environment, stdout=log, stderr=log
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}", process, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < give_up and process.poll() is None:
        try:
            if httpx.get(f"{url}/server_info").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail(f"the webserver does not answer:\n{log.read_text(encoding='utf-8')}")


def test_the_webserver_answers_its_own_pages_and_programs_alone(url: str) -> None:
    own = {"origin": url, "sec-fetch-site": "same-origin"}
    assert httpx.post(f"{url}/graphql", json=QUERY).json()["data"]["version"]
    assert httpx.post(f"{url}/graphql", json=QUERY, headers=own).status_code == 200
    behind_proxy = {"host": "data.example.com", "origin": "https://data.example.com"}
    assert httpx.post(f"{url}/graphql", json=QUERY, headers=behind_proxy).status_code == 200
    # A form of another site sends its fields as plain text or in the address.
    plain = {"content-type": "text/plain", "origin": "http://evil.example"}
    foreign = httpx.post(f"{url}/graphql", params=json.loads(MUTATION), headers=plain)
    assert (foreign.status_code, foreign.text[:8]) == (403, "Origin: ")
    rebound = httpx.post(f"{url}/graphql", json=QUERY, headers={"host": "evil.example"})
    assert (rebound.status_code, rebound.text[:6]) == (403, "Host: ")


@pytest.mark.parametrize(("origin", "opened"), [("{url}", True), ("", True), ("http://evil.example", False)])
def test_a_socket_is_opened_for_own_pages_and_programs_alone(url: str, origin: str, opened: bool) -> None:
    host, port = url.removeprefix("http://").split(":")
    lines = [
        "GET /graphql HTTP/1.1",
        f"Host: {host}:{port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: graphql-ws",
        *([f"Origin: {origin.format(url=url)}"] if origin else []),
    ]
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        status = connection.recv(4096).split(b"\r\n")[0]
    assert status.startswith(b"HTTP/1.1 101 " if opened else b"HTTP/1.1 403 ")

"""`make serve` becomes the program of Dagster for a service, or the one that asks it."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import click
import pytest
from dagster._cli import cli as dagster
from dagster._daemon.cli import cli as daemon
from dagster_webserver.cli import dagster_webserver

from engagement_assets.commands import serve
from engagement_assets.commands.arguments import PARSERS
from engagement_assets.commands.preflight import refusals
from engagement_assets.settings import Settings

PROGRAMS: dict[str, click.Command] = {
    "dagster": dagster,
    "dagster-daemon": daemon,
    "dagster-webserver": dagster_webserver,
}
URL = "postgresql://dagster:secret-word@postgres/dagster"


class _BecomesError(Exception):
    """In place of a process that becomes another."""


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Set here, so that what the command sets is gone after the test.
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "500")
    monkeypatch.setenv("DAGSTER_STORAGE_URL", "")
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.setenv("UI_HOSTS", "")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    yield
    for each, handler in before.items():
        signal.signal(each, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _becomes(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> list[str]:
    """The program that the process becomes, with its arguments, which the program itself has read."""
    became: list[str] = []

    def become(path: str, command: list[str]) -> None:
        assert os.access(path, os.X_OK)
        # What the program begins with: else nothing but SIGKILL might end it.
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
        became.extend([Path(command[0]).name, *command[1:]])
        raise _BecomesError

    monkeypatch.setattr(os, "execv", become)
    monkeypatch.setattr(sys, "argv", ["serve", *arguments])
    with pytest.raises(_BecomesError):
        serve.main()
    command, words = PROGRAMS[became[0]], became[1:]
    with click.Context(command) as context:
        while isinstance(command, click.Group):
            _, found, words = command.resolve_command(context, words)
            assert found is not None
            command = found
        command.make_context(str(command.name), list(words), parent=context)
    return became


def test_each_service_is_a_program_of_dagster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace.yaml"
    workspace.touch()
    listens, loads = ["--listen=10.0.0.1"], [f"--workspace={workspace}"]
    assert _becomes(monkeypatch, "--service=code-server", *listens) == [
        *("dagster", "api", "grpc", "-m", "engagement_assets.definitions", "--location-name", "engagement_assets"),
        *("-h", "10.0.0.1", "-p", "4000"),
    ]
    assert _becomes(monkeypatch, "--service=daemon", *loads) == ["dagster-daemon", "run", "-w", str(workspace)]
    monkeypatch.setenv("PORT", "3001")
    shown = ["dagster-webserver", "-w", str(workspace), "-h", "127.0.0.1", "-p", "3001"]
    assert _becomes(monkeypatch, "--service=webserver", *loads) == shown
    assert _becomes(monkeypatch, "--service=webserver", "--read-only", *loads) == [*shown, "--read-only"]


def test_sigterm_ends_a_service_that_a_script_has_started_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    assert _becomes(monkeypatch, "--service=code-server")[0] == "dagster"


def test_an_interrupt_reaches_the_service_although_commands_block_it(monkeypatch: pytest.MonkeyPatch) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    assert _becomes(monkeypatch, "--service=daemon")[0] == "dagster-daemon"


@pytest.mark.parametrize(
    ("listen", "hosts"),
    [("ui.internal", "data:8443,ui.internal"), ("10.0.0.1", "data:8443,10.0.0.1"), ("::1", "data:8443")],
)
def test_the_webserver_answers_under_the_name_on_which_it_listens(
    monkeypatch: pytest.MonkeyPatch, listen: str, hosts: str
) -> None:
    monkeypatch.setenv("UI_HOSTS", "data:8443")
    _becomes(monkeypatch, "--service=webserver", f"--listen={listen}")
    assert os.environ["UI_HOSTS"] == hosts


def test_a_check_asks_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    asks = ["dagster", "api", "grpc-health-check", "-h", "127.0.0.1", "-p", "4000"]
    assert _becomes(monkeypatch, "--service=code-server", "--check") == asks
    assert _becomes(monkeypatch, "--service=daemon", "--check") == ["dagster-daemon", "liveness-check"]


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/server_info" else 404)
        self.end_headers()


def test_a_webserver_is_asked_directly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["serve", "--service=webserver", "--check"])
    with HTTPServer(("127.0.0.1", 0), _Answers) as server:
        monkeypatch.setenv("PORT", str(server.server_port))
        threading.Thread(target=server.handle_request).start()
        assert serve.main() == 0
    capsys.readouterr()
    assert serve.main() == 1
    url = f"http://127.0.0.1:{server.server_port}/server_info"
    assert capsys.readouterr().err.startswith(f"error: {url} does not answer: ")


def test_an_ipv6_address_stands_in_brackets_before_a_port(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "1")  # where nobody listens
    assert _becomes(monkeypatch, "--service=webserver", "--listen=::1")[-4:] == ["-h", "::1", "-p", "1"]
    assert _becomes(monkeypatch, "--service=code-server", "--listen=::1")[-4:] == ["-h", "[::1]", "-p", "1"]
    assert _becomes(monkeypatch, "--service=code-server", "--listen=::1", "--check")[-4:] == ["-h", "[::1]", "-p", "1"]
    monkeypatch.setattr(sys, "argv", ["serve", "--service=webserver", "--check", "--listen=::1"])
    assert serve.main() == 1
    assert "error: http://[::1]:1/server_info does not answer: " in capsys.readouterr().err


def test_the_home_is_ready_and_a_url_in_a_file_is_a_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "dagster_storage_url").write_text(URL)
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    _becomes(monkeypatch, "--service=daemon")
    assert os.environ["DAGSTER_STORAGE_URL"] == URL
    settings = (tmp_path / "home" / "dagster.yaml").read_text(encoding="utf-8")
    assert "env: DAGSTER_STORAGE_URL" in settings
    assert "secret-word" not in settings


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_a_port_of_an_ipv6_address_is_looked_at_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engagement_assets.settings._data_folder", lambda: tmp_path / "data")
    given = PARSERS["serve"]().parse_args(["--service=webserver", "--listen=::1"])
    settings = Settings(_env_file=None)
    with socket.socket(socket.AF_INET6) as other:
        other.bind(("::1", 0))
        port = other.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        other.listen()
        (taken,) = refusals("serve", settings, given)
    assert taken.startswith(f"PORT: {port} cannot be used (Address already in use)")
    assert refusals("serve", settings, given) == []


def test_what_cannot_be_served_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: str) -> list[str]:
        settings = Settings(_env_file=None, landing_uri=str(tmp_path / "gone"))
        return refusals("serve", settings, PARSERS["serve"]().parse_args(arguments))

    monkeypatch.setattr("engagement_assets.settings._data_folder", lambda: tmp_path / "data")
    nowhere = f"WORKSPACE: expected a file such as workspace.yaml, found none at {tmp_path}/nowhere.yaml"
    assert refused("--service=daemon", f"--workspace={tmp_path}/nowhere.yaml") == [nowhere]
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        taken = f"PORT: {port} cannot be used (Address already in use); name another one, such as PORT={port + 1}"
        assert refused("--service=webserver") == [taken]
        assert refused("--service=webserver", "--check") == []
        elsewhere = "LISTEN: expected an address or a name of this machine, found "
        (unknown,) = refused("--service=webserver", "--listen=no.such.invalid")
        (not_here,) = refused("--service=webserver", "--listen=192.0.2.1")
        assert unknown.startswith(f"{elsewhere}'no.such.invalid' (")
        assert not_here == f"{elsewhere}'192.0.2.1' (Cannot assign requested address)"
        assert refused("--service=daemon") == []
        no_landing = f"expected a folder such as that of runna/ and mobile_events/, found nothing at {tmp_path}/gone"
        assert refused("--service=code-server") == [f"LANDING_URI: {no_landing}", taken]

"""Code server, daemon and webserver of a deployment as processes that are killed with all that they have started.

Belongs here: starting them as a deployment does, and killing one of them. Not here: what they are asked to do
(`dagster_processes.py`), or what must be left (the test).
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from engagement_assets.commands.arguments import CODE_SERVER, DAEMON, WEBSERVER
from tests.free_port import free_port
from tests.integration.dagster_processes import POLL_S

SERVICES = (CODE_SERVER, DAEMON, WEBSERVER)
_STARTS_WITHIN_S = 300
_WORKSPACE = (
    "load_from:\n  - grpc_server:\n      host: 127.0.0.1\n      port: {port}\n      location_name: engagement_assets\n"
)


@dataclass
class KilledServices:
    """The three services of the deployment that `environment` names; their logs lie in `folder`."""

    folder: Path
    environment: Mapping[str, str]
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in SERVICES:
            self.ports[name] = free_port()
        self._workspace.write_text(_WORKSPACE.format(port=self.ports[CODE_SERVER]), encoding="utf-8")

    @property
    def _workspace(self) -> Path:
        return self.folder / "workspace.yaml"

    @property
    def url(self) -> str:
        """That of the webserver."""
        return f"http://127.0.0.1:{self.ports[WEBSERVER]}"

    def start(self, name: str) -> None:
        """Start a service, and wait until it answers; the daemon need not."""
        words = [f"--service={name}", *([] if name == CODE_SERVER else [f"--workspace={self._workspace}"])]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "engagement_assets.commands.serve", *words],
                cwd=self.folder,
                env={**self.environment, "PORT": str(self.ports[name])},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if name == CODE_SERVER:
            self._wait_for(name, self._listens)
        elif name == WEBSERVER:
            self._wait_for(name, self._answers)

    def kill(self, name: str) -> None:
        """SIGKILL to the service and to the runs in it, as a container or systemd ends them."""
        process = self.processes[name]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_all(self) -> None:
        """The end of a test."""
        for name, process in self.processes.items():
            if process.poll() is None:
                self.kill(name)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.ports[CODE_SERVER]), timeout=2).close()
        except OSError:
            return False
        return True

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/server_info", timeout=5).is_success
        except httpx.HTTPError:
            return False

    def _wait_for(self, name: str, is_there: Callable[[], bool]) -> None:
        until = time.monotonic() + _STARTS_WITHIN_S
        while not is_there():
            log = self.folder / f"{name}.log"
            assert self.processes[name].poll() is None, log.read_text(encoding="utf-8")[-3000:]
            assert time.monotonic() < until, f"{name} does not answer: {log.read_text(encoding='utf-8')[-3000:]}"
            time.sleep(POLL_S)

"""`make serve SERVICE=…`: one of the processes of a deployment, or whether it answers (`CHECK=1`).

Belongs here: which programs of Dagster these are, and with which arguments. Not here: all of them together on one
machine, for trying (`dev.py`), or how a deployment starts them (`deploy/`).

The process becomes Dagster's, unless it is the exporter. Before that it prepares DAGSTER_HOME and reads the settings,
so that the URL of PostgreSQL may be a file, and so that what is written is private.
"""

import os
import signal
import sys
import sysconfig
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn
from urllib.request import urlopen

from engagement_assets.commands.arguments import CODE_SERVER, DAEMON, EXPORTER, WEBSERVER, port_of, serve_parser
from engagement_assets.commands.process import exit_process, load_settings
from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.instance.home import prepare_dagster_home
from engagement_assets.instance.interrupt import for_a_child_of_its_own

_ANSWERS_WITHIN_S = 10
# Dagster has no program that asks these.
_ASKED_AT = {WEBSERVER: "/server_info", EXPORTER: "/metrics"}


def main() -> int:
    """Become the service, or the program that asks it; the code of `CHECK=1` is 0 if the service answers."""
    given = serve_parser().parse_args()
    # Whatever the parent ignores: one that is of Dagster may ignore it.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    settings = load_settings()
    prepare_dagster_home(settings)
    if given.service == WEBSERVER and ":" not in given.listen:  # an IPv6 address is always answered
        os.environ["UI_HOSTS"] = ",".join(filter(None, [settings.ui_hosts, given.listen]))
    if given.check and given.service in _ASKED_AT:
        return _answers(given)
    if given.service == EXPORTER:
        from engagement_assets.commands import exporter  # noqa: PLC0415 - takes seconds, and no other service needs it

        exporter.serve(settings, given.listen, int(port_of(given)))
        return 0
    return _become(_check(given) if given.check else _service(given))


def _become(command: Sequence[str]) -> NoReturn:
    sys.stdout.flush()
    program = str(Path(sysconfig.get_path("scripts")) / command[0])
    with for_a_child_of_its_own():
        os.execv(program, [program, *command[1:]])  # noqa: S606 - no shell is wanted


def _service(given: Namespace) -> list[str]:
    """The program, by the name under which Dagster documents it, and its arguments."""
    port = ["-p", port_of(given)]
    workspace = ["-w", given.workspace or str(PROJECT_ROOT / "workspace.yaml")]
    if given.service == CODE_SERVER:
        location = ["-m", "engagement_assets.definitions", "--location-name", "engagement_assets"]
        return ["dagster", "api", "grpc", *location, "-h", _in_a_url(given.listen), *port]
    if given.service == DAEMON:
        return ["dagster-daemon", "run", *workspace]
    read_only = ["--read-only"] if given.read_only else []
    return ["dagster-webserver", *workspace, "-h", given.listen, *port, *read_only]


def _check(given: Namespace) -> list[str]:
    """The program of Dagster that asks the service."""
    if given.service == CODE_SERVER:
        return ["dagster", "api", "grpc-health-check", "-h", _in_a_url(given.listen), "-p", port_of(given)]
    return ["dagster-daemon", "liveness-check"]


def _in_a_url(listen: str) -> str:
    """The address as it stands before a port; gRPC and URLs want an IPv6 address in brackets."""
    return f"[{listen}]" if ":" in listen else listen


def _answers(given: Namespace) -> int:
    url = f"http://{_in_a_url(given.listen)}:{port_of(given)}{_ASKED_AT[given.service]}"
    try:
        with urlopen(url, timeout=_ANSWERS_WITHIN_S):
            return 0
    except OSError as error:
        print(f"error: {url} does not answer: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    exit_process(main())

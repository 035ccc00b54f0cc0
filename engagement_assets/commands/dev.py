"""`make dev`: the Dagster UI and its daemon on this machine, on the sample data or on your own input.

Belongs here: how both are started and ended, and the demo's profile. Not here: what they show and run
(`definitions.py`).

On sample data nothing runs that nobody has asked for: schedules are off, since the days of the demo end with the
sample, and sensors are on once `make demo` has loaded it. They then load the days of files that are added.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import SecretStr

from engagement_assets.commands.process import exit_process, load_settings
from engagement_assets.commands.progress import silence_told
from engagement_assets.commands.sandbox_services import with_services
from engagement_assets.dagster_internals import ACTIVE_RUN_STATUSES
from engagement_assets.installation import PROGRAM, PROJECT_ROOT
from engagement_assets.instance.home import prepare_dagster_home
from engagement_assets.instance.interrupt import for_a_child_of_its_own, last_act
from engagement_assets.instance.killed_runs import cancel_run, of_a_shell
from engagement_assets.sandbox.sample_data import write_sample_landing
from engagement_assets.settings import SAMPLE_DAYS, Settings

# How long the processes may take to end before they are killed.
ENDS_WITHIN_S = 20
# `dg dev`, which Dagster would rather have, does the same; it is among the tools for tests, not among what runs.
_SUPERSEDED = "ignore:Function `dev_command` is superseded"
_SERVES = "Serving dagster-webserver on"
_NOT_READ = "Found a dagster instance configuration value (dagster.yaml) in the current folder"


def main() -> int:
    """Run `dagster dev` on the loopback address until somebody ends it."""
    own = load_settings()
    until_served = ExitStack()
    until_served.enter_context(silence_told())
    prepare_dagster_home(own)
    if own.runs_on_sample_data:
        write_sample_landing(Path(own.landing_uri), start=SAMPLE_DAYS.start, days=len(SAMPLE_DAYS.days()))
    port = os.environ.get("PORT", "3000")
    # Opened now: whoever interrupts the command does not wait for the imports that this takes.
    with with_services(own) as with_sandbox, dg.DagsterInstance.get() as instance:
        settings = _profile(with_sandbox, port)
        print(_welcome(settings, port), flush=True)
        command = [sys.executable, "-m", "dagster", "dev", "-h", "127.0.0.1"]
        command += ["-p", port, "-w", str(PROJECT_ROOT / "workspace.yaml")]
        with for_a_child_of_its_own():
            # In a session of its own: after Ctrl-C it would shut down for many seconds, and print much about it.
            dev = subprocess.Popen(  # noqa: S603
                command,
                env=_environment(settings, own),
                start_new_session=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        threading.Thread(target=_pass_on, args=[dev, until_served.close], name="log", daemon=True).start()
        # Pass on requests to end, and the end of the terminal.
        for request in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(request, lambda *_: _ask_to_end(dev))
        with last_act(lambda: _interrupt(dev, settings, instance)):
            try:
                return dev.wait()
            finally:
                _kill(dev)
                until_served.close()


def _pass_on(dev: subprocess.Popen[str], served: Callable[[], None]) -> None:
    """Print the log, and call `served` once the UI is there.

    A warning at each start that a file is not read is left out: `prepare_dagster_home` has read it.
    """
    assert dev.stdout is not None  # noqa: S101 - a pipe
    for line in dev.stdout:
        if _NOT_READ not in line:
            print(line, end="", flush=True)
        if _SERVES in line:
            served()


def _ask_to_end(dev: subprocess.Popen[str]) -> None:
    signal.signal(signal.SIGALRM, lambda *_: _kill(dev))
    signal.alarm(ENDS_WITHIN_S)
    dev.terminate()


def _kill(dev: subprocess.Popen[str]) -> None:
    """Kill whatever is left: webserver, daemon, code servers and their runs."""
    with suppress(ProcessLookupError):
        os.killpg(dev.pid, signal.SIGKILL)


def _interrupt(dev: subprocess.Popen[str], settings: Settings, instance: dg.DagsterInstance) -> None:
    """Cancel the runs that die with the daemon. The next daemon starts those that wait in the queue."""
    _kill(dev)
    for run in instance.get_runs(dg.RunsFilter(statuses=ACTIVE_RUN_STATUSES)):
        if not of_a_shell(settings.dagster_home, run.run_id):
            cancel_run(instance, run.run_id)


def _profile(settings: Settings, port: str) -> Settings:
    """Alerts link to this UI, and on loaded sample data sensors are on, unless a setting says otherwise."""
    here: dict[str, Any] = {"dagster_ui_url": f"http://127.0.0.1:{port}"}
    if settings.runs_on_sample_data:
        here["schedules_on"] = settings.published_warehouse_path.exists()
    return settings.model_copy(update={name: here[name] for name in here.keys() - settings.model_fields_set})


def _welcome(settings: Settings, port: str) -> str:
    """What somebody reads above the log of Dagster."""
    lines = [f"Dagster's UI will be on http://127.0.0.1:{port} within a minute; Ctrl-C ends it."]
    if settings.runs_on_sample_data and not settings.published_warehouse_path.exists():
        first, last = SAMPLE_DAYS.start, SAMPLE_DAYS.days()[-1]
        lines += [
            f"Nothing is loaded yet. End this and run `{PROGRAM} demo`, or materialize the job `daily_engagement` for",
            f"{first} to {last} in the UI. Until then sensors are off, and nothing starts by itself.",
        ]
    elif settings.runs_on_sample_data and settings.schedules_on:
        lines.append(f"Sensors are on: a file that you add to {settings.landing_uri} is loaded within two minutes.")
    return "\n".join(lines)


def _environment(settings: Settings, own: Settings) -> dict[str, str]:
    """This environment, with what differs from the settings that the child reads by itself, and colours."""
    values = {name: getattr(settings, name) for name in Settings.model_fields}
    colours = {"FORCE_COLOR": "1"} if sys.stdout.isatty() else {}
    ignored = [_SUPERSEDED, *filter(None, [os.environ.get("PYTHONWARNINGS")])]
    return (
        os.environ
        | colours
        | {"PYTHONWARNINGS": ",".join(ignored)}
        | {
            name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in values.items()
            if value != getattr(own, name)
        }
    )


if __name__ == "__main__":
    exit_process(main())

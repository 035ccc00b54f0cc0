"""`make dev`: the Dagster UI and its daemon on this machine, on the sample data or on your own input.

Belongs here: how both are started and ended, and the demo's profile. Not here: what they show and run
(`definitions.py`).

On sample data schedules and sensors are on. The sample is from early 2024: the sensors load its files if nobody has,
and then go on with the current days. The sources have nothing for those, so they load as empty and pass their checks.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import dagster as dg
from dagster._core.storage.dagster_run import ACTIVE_RUN_STATUSES
from pydantic import SecretStr

from engagement_assets.commands.process import exit_process, load_settings
from engagement_assets.commands.sandbox_services import DEMO_DAYS, DEMO_FIRST_DAY, with_services
from engagement_assets.instance.home import prepare_dagster_home
from engagement_assets.instance.interrupt import for_a_child_of_its_own, last_act
from engagement_assets.instance.killed_runs import cancel_run, of_a_shell
from engagement_assets.sandbox.sample_data import write_sample_landing
from engagement_assets.settings import PROJECT_ROOT, Settings

# How long the processes may take to end before they are killed.
ENDS_WITHIN_S = 20


def main() -> int:
    """Run `dagster dev` on the loopback address until somebody ends it."""
    own = load_settings()
    prepare_dagster_home(own)
    if own.runs_on_sample_data:
        write_sample_landing(Path(own.landing_uri), start=DEMO_FIRST_DAY, days=DEMO_DAYS)
    with with_services(own) as with_sandbox:
        settings = _demo_profile(with_sandbox)
        command = [str(Path(sys.executable).with_name("dagster")), "dev", "-h", "127.0.0.1"]
        command += ["-p", os.environ.get("PORT", "3000"), "-w", str(PROJECT_ROOT / "workspace.yaml")]
        with for_a_child_of_its_own():
            # In a session of its own: after Ctrl-C it would shut down for many seconds, and print much about it.
            dev = subprocess.Popen(  # noqa: S603
                command, env=os.environ | _named_services(settings, own), start_new_session=True
            )
        # Pass on requests to end, and the end of the terminal.
        for request in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(request, lambda *_: _ask_to_end(dev))
        with last_act(lambda: _interrupt(dev, settings)):
            try:
                return dev.wait()
            finally:
                _kill(dev)


def _ask_to_end(dev: subprocess.Popen[bytes]) -> None:
    signal.signal(signal.SIGALRM, lambda *_: _kill(dev))
    signal.alarm(ENDS_WITHIN_S)
    dev.terminate()


def _kill(dev: subprocess.Popen[bytes]) -> None:
    """Kill whatever is left: webserver, daemon, code servers and their runs."""
    with suppress(ProcessLookupError):
        os.killpg(dev.pid, signal.SIGKILL)


def _interrupt(dev: subprocess.Popen[bytes], settings: Settings) -> None:
    """Cancel the runs that die with the daemon. The next daemon starts those that wait in the queue."""
    _kill(dev)
    with dg.DagsterInstance.get() as instance:
        for run in instance.get_runs(dg.RunsFilter(statuses=ACTIVE_RUN_STATUSES)):
            if not of_a_shell(settings.dagster_home, run.run_id):
                cancel_run(instance, run.run_id)


def _demo_profile(settings: Settings) -> Settings:
    """On sample data schedules and sensors are on, unless a setting says otherwise."""
    if not settings.runs_on_sample_data or "schedules_on" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"schedules_on": True})


def _named_services(settings: Settings, own: Settings) -> dict[str, str]:
    """The environment for what differs from the settings that the child reads by itself."""
    values = {name: getattr(settings, name) for name in Settings.model_fields}
    return {
        name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
        if value != getattr(own, name)
    }


if __name__ == "__main__":
    exit_process(main())

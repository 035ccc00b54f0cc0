"""`make dev`: the Dagster UI and its daemon on this machine, on the sample data or on the input of the settings.

Belongs here: how both are started, and the demo's profile. Not here: what they show and run (`definitions.py`).

On sample data schedules and sensors are on. The sample is of early 2024, so they find its files if nobody has loaded
them, and go on with the days of the present, for which the sources have nothing: read and empty, and green.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from engagement_assets.commands.dagster_home import prepare_dagster_home
from engagement_assets.commands.own_settings import own_settings
from engagement_assets.commands.process_end import end_process
from engagement_assets.commands.sandbox_services import DEMO_DAYS, DEMO_FIRST_DAY, with_services
from engagement_assets.sandbox.sample_data import write_sample_landing
from engagement_assets.settings import PROJECT_ROOT, Settings


def main() -> int:
    """Run `dagster dev`, bound to the loopback address, until it is ended."""
    own = own_settings()
    prepare_dagster_home(own)
    dagster = Path(sys.executable).with_name("dagster")
    port = os.environ.get("PORT", "3000")
    workspace = str(PROJECT_ROOT / "workspace.yaml")
    if own.runs_on_sample_data:
        write_sample_landing(Path(own.landing_uri), start=DEMO_FIRST_DAY, days=DEMO_DAYS)
    with with_services(own) as with_sandbox:
        settings = _demo_profile(with_sandbox)
        command = [str(dagster), "dev", "-h", "127.0.0.1", "-p", port, "-w", workspace]
        with subprocess.Popen(command, env=os.environ | _named_services(settings, own)) as dev:  # noqa: S603
            # Ctrl-C reaches the child by itself; a request to end is passed on.
            signal.signal(signal.SIGTERM, lambda *_: dev.terminate())
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            return dev.wait()


def _demo_profile(settings: Settings) -> Settings:
    """On sample data schedules and sensors are on, unless somebody has said otherwise."""
    if not settings.runs_on_sample_data or "schedules_on" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"schedules_on": True})


def _named_services(settings: Settings, own: Settings) -> dict[str, str]:
    """What differs from the settings that the child reads by itself, as its environment."""
    named = {}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if value != getattr(own, name):
            named[name.upper()] = value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
    return named


if __name__ == "__main__":
    end_process(main())

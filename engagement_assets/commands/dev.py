"""`make dev`: the Dagster UI on this machine, with the data of the last demo or of the settings.

Belongs here: how the UI is started. Not here: what it shows (`definitions.py`).
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from engagement_assets.commands.dagster_home import prepare_dagster_home
from engagement_assets.commands.sandbox_services import with_services
from engagement_assets.settings import PROJECT_ROOT, Settings


def main() -> int:
    """Run `dagster dev`, bound to the loopback address, until it is ended."""
    own = Settings()
    prepare_dagster_home(own)
    dagster = Path(sys.executable).with_name("dagster")
    port = os.environ.get("PORT", "3000")
    workspace = str(PROJECT_ROOT / "workspace.yaml")
    with with_services(own) as settings:
        command = [str(dagster), "dev", "-h", "127.0.0.1", "-p", port, "-w", workspace]
        with subprocess.Popen(command, env=os.environ | _named_services(settings, own)) as dev:  # noqa: S603
            # Ctrl-C reaches the child by itself; a request to end is passed on.
            signal.signal(signal.SIGTERM, lambda *_: dev.terminate())
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            return dev.wait()


def _named_services(settings: Settings, own: Settings) -> dict[str, str]:
    """What differs from the settings that the child reads by itself, as its environment."""
    named = {}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if value != getattr(own, name):
            named[name.upper()] = value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
    return named


if __name__ == "__main__":
    sys.exit(main())

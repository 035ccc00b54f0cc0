"""`make dev`: the Dagster UI on this machine, with the data of the last demo or of the settings.

Belongs here: how the UI is started. Not here: what it shows (`definitions.py`).
"""

import os
import sys
from pathlib import Path

from engagement_assets.commands.dagster_home import prepare_dagster_home
from engagement_assets.settings import PROJECT_ROOT, Settings


def main() -> None:
    """Replace this process by `dagster dev`, bound to the loopback address."""
    prepare_dagster_home(Settings())
    dagster = Path(sys.executable).with_name("dagster")
    port = os.environ.get("PORT", "3000")
    workspace = str(PROJECT_ROOT / "workspace.yaml")
    os.execv(dagster, [str(dagster), "dev", "-h", "127.0.0.1", "-p", port, "-w", workspace])  # noqa: S606


if __name__ == "__main__":
    main()

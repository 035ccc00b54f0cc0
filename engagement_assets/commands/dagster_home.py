"""Where Dagster keeps its runs: prepared from the project's own `dagster.yaml`.

Belongs here: making DAGSTER_HOME ready for a command. Not here: what the instance's settings mean (`dagster.yaml`).
"""

import os
import shutil

from engagement_assets.settings import PROJECT_ROOT, Settings


def prepare_dagster_home(settings: Settings) -> None:
    """Create DAGSTER_HOME, give it the project's `dagster.yaml`, and tell Dagster where it is."""
    home = settings.dagster_home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT_ROOT / "dagster.yaml", home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)

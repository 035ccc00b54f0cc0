"""DAGSTER_HOME, where Dagster keeps its runs, prepared from the project's own `dagster.yaml`.

Belongs here: making it ready for a command. Not here: what the instance's settings mean (`dagster.yaml`).
"""

import json
import os

from engagement_assets.settings import PROJECT_ROOT, Settings

# Not in the project's `dagster.yaml`, where it would have to name a folder. Plain Dagster finds its folder by itself.
STORAGE = """
# Dagster's default storage, in its default place, with events written in batches.
storage:
  custom:
    module: engagement_assets.instance.event_log
    class: BatchingSqliteStorage
    config:
      base_dir: {home}
"""
EVENT_BATCH_SIZE = 500


def prepare_dagster_home(settings: Settings) -> None:
    """Create DAGSTER_HOME with the project's `dagster.yaml` and storage, and set its environment variable."""
    home = settings.dagster_home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    project_settings = (PROJECT_ROOT / "dagster.yaml").read_text(encoding="utf-8")
    storage = STORAGE.format(home=json.dumps(str(home)))
    (home / "dagster.yaml").write_text(project_settings + storage, encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(EVENT_BATCH_SIZE))

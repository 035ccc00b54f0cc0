"""DAGSTER_HOME, where Dagster keeps its runs, prepared from the project's own `dagster.yaml`.

Belongs here: making it ready for a command. Not here: what the instance's settings mean (`dagster.yaml`).
"""

import os

import yaml

from engagement_assets.instance.event_log import BatchingSqliteStorage
from engagement_assets.settings import PROJECT_ROOT, Settings

EVENT_BATCH_SIZE = 500


def prepare_dagster_home(settings: Settings) -> None:
    """Create DAGSTER_HOME with the project's `dagster.yaml` and what depends on the machine; set its variable."""
    home = settings.dagster_home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    settings_of_instance = yaml.safe_load((PROJECT_ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    settings_of_instance["concurrency"]["runs"]["max_concurrent_runs"] = os.cpu_count() or 1
    # Dagster's default storage, in its default place, with events written in batches.
    storage = {"module": BatchingSqliteStorage.__module__, "class": BatchingSqliteStorage.__name__}
    settings_of_instance["storage"] = {"custom": storage | {"config": {"base_dir": str(home)}}}
    (home / "dagster.yaml").write_text(yaml.safe_dump(settings_of_instance), encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(EVENT_BATCH_SIZE))

"""Settings of a small deployment in which persons can be erased.

Belongs here: these settings. Not here: what is loaded or erased (see the tests).
"""

from pathlib import Path
from typing import Any

from engagement_assets.settings import Settings
from tests.lake_loads import DAY_1


def erasing_settings(folder: Path, **changes: Any) -> Settings:
    """All places lie in `folder`, and there is a key; `changes` are other settings."""
    return Settings(
        _env_file=None,
        landing_uri=str(folder / "landing"),
        lake_uri=str(folder / "lake"),
        warehouse_path=folder / "warehouse.duckdb",
        published_warehouse_path=folder / "published.duckdb",
        dagster_home=folder / "home",
        report_dir=folder / "report",
        strava_token_path=folder / "token.json",
        erasure_key="e" * 32,
        erasures_path=folder / "erasures",
        **{"start_date": DAY_1, **changes},
    )

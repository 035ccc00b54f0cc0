"""Mobile events in a landing zone of a test, and runs of their raw asset, with one asset downstream.

Belongs here: what tests of the load checks need of a source. Not here: what a test expects.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from engagement_assets.assets.raw_assets import raw_assets
from engagement_assets.extract.mobile import MOBILE, MOBILE_EVENTS
from engagement_assets.lake.lake import Lake
from engagement_assets.partitions import RANGE_END_TAG, RANGE_START_TAG
from engagement_assets.resources import ApiClients
from engagement_assets.settings import Settings
from tests.lake_loads import parquet_rows

HEADER = ";".join(
    (
        *("anonymous_id", "business_zoned", "context_app_version", "context_device_id", "context_os_name"),
        *("event_name", "received_at", "created_at"),
    )
)
RAW = dg.AssetKey(["raw_mobile", "events"])
FIRST_DAY = date(2024, 1, 1)


class MobileLoads:
    """A landing zone with mobile events, and runs of their raw asset with one asset downstream."""

    def __init__(self, folder: Path) -> None:
        self.landing = folder / "landing" / "mobile_events"
        self.landing.mkdir(parents=True)
        self.lake = Lake(str(folder / "lake"))
        self.settings = Settings(
            _env_file=None,
            landing_uri=str(folder / "landing"),
            lake_uri=self.lake.uri,
            warehouse_path=folder / "warehouse.duckdb",
            published_warehouse_path=folder / "published.duckdb",
            start_date=FIRST_DAY,
            dagster_home=folder / "home",
        )

    def write(self, day: date, good: int, bad: int = 0) -> None:
        """A day's file: `good` usable lines, and `bad` ones without a name of the event."""
        lines = [
            f"a{number};zone;1;d;ios;{'Opened' if number < good else ''};{day} 10:00:{number % 60:02};{day} 09:00:00"
            for number in range(good + bad)
        ]
        (self.landing / f"{day}.csv").write_text("\n".join([HEADER, *lines, ""]), encoding="utf-8")

    def run(self, first: date, last: date, config: Mapping[str, Any] | None = None, **settings: Any) -> Any:
        """Load days inclusive; the result tells what became of the asset downstream."""
        # What was given as a text is read as one of the environment is.
        own = Settings(_env_file=None, **{**self.settings.model_dump(), **settings})

        @dg.asset(deps=[RAW])
        def downstream() -> None:
            pass

        with dg.DagsterInstance.ephemeral() as instance:
            return dg.materialize(
                [*raw_assets(MOBILE, own), downstream],
                instance=instance,
                resources={"settings": own, "api_clients": ApiClients(own)},
                tags={RANGE_START_TAG: first.isoformat(), RANGE_END_TAG: last.isoformat()},
                run_config={"ops": {"raw_mobile_events": {"config": dict(config or {})}}},
                raise_on_error=False,
            )

    def published(self) -> dict[date, int]:
        """Rows of each day in the lake."""
        rows = parquet_rows(Path(self.lake.uri), f"{MOBILE_EVENTS.key}/*/data.parquet", "day", "event_id")
        return {day: sum(row[0] == day for row in rows) for day in self.lake.days(MOBILE_EVENTS)}

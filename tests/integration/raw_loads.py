"""A lake that raw assets load, without dbt.

Belongs here: runs of raw assets, and what the lake holds after them. Not here: tests.
"""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from engagement_assets.assets.raw_assets import raw_assets
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.source import Source
from engagement_assets.extract.mobile import EVENT
from engagement_assets.lake.lake import Lake
from engagement_assets.partitions import range_tags
from engagement_assets.per_source import PerSource
from engagement_assets.resources import ApiClients
from engagement_assets.settings import Settings
from tests.lake_loads import parquet_rows, window
from tests.unit.extract.mobile_loads import HEADER, row, write_file

DAY_1, DAY_2, DAY_3 = (date(2024, 1, day) for day in (1, 2, 3))


class RawLoads:
    """A lake, and runs of raw assets alone."""

    def __init__(self, folder: Path, landing: Path, source: Source, **settings: Any) -> None:
        self.lake = Lake(str(folder / "lake"))
        self._source = source
        self._settings = Settings(
            _env_file=None,
            landing_uri=str(landing),
            lake_uri=self.lake.uri,
            # So many are rejected here on purpose.
            rejected_share_halt=PerSource(1.0),
            **{"start_date": DAY_1, **settings},
        )

    def run(self, first: date = DAY_1, last: date = DAY_3, **config: Any) -> dg.ExecuteInProcessResult:
        """Load days inclusive, all raw assets under the same config."""
        definitions = raw_assets(self._source, self._settings)
        with dg.DagsterInstance.ephemeral() as instance:
            return dg.materialize(
                definitions,
                instance=instance,
                resources={"settings": self._settings, "api_clients": ApiClients(self._settings)},
                tags=range_tags(window(first, last)),
                run_config={"ops": {item.op.name: {"config": config} for item in definitions}},
                raise_on_error=False,
            )

    def rows(self, *datasets: Dataset) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of datasets, without the times of loading."""
        return {
            item.key: parquet_rows(
                Path(self.lake.uri),
                f"{item.key}/*/data.parquet",
                "day",
                *(name for name in item.columns if name != "extracted_at"),
            )
            for item in datasets
        }

    def trace(self, *columns: str) -> list[tuple[Any, ...]]:
        """What left the quarantine."""
        return parquet_rows(Path(self.lake.uri), "records/replayed/*/*.parquet", *columns)

    def content(self) -> dict[str, bytes]:
        """Every file that readers see."""
        root = Path(self.lake.uri)
        return {str(path): path.read_bytes() for path in sorted(root.glob("r*/**/*.parquet"))}


def land_mobile_events(landing: Path) -> None:
    named, unnamed = row("u1", "2024-01-01 10:00:00"), row("u2", "2024-01-01 11:00:00", event_name="")
    # Under another header, whose columns stand in another order.
    turned = ";".join(reversed(HEADER.split(";")))
    of_turned = ";".join(reversed(row("u3", "2024-01-02 12:00:00", event_name="").split(";")))
    write_file(landing, "2024-01-01.csv", HEADER, named, unnamed, unnamed, row("u4", "no time"), turned, of_turned)
    write_file(landing, "2024-01-03.csv", HEADER, row("u5", "2024-01-03 09:00:00", event_name=""), "too;few")


def let_events_be_unnamed(patch: pytest.MonkeyPatch) -> None:
    columns = tuple(
        replace(column, required=False) if column.name == "event_name" else column for column in EVENT.columns
    )
    patch.setitem(vars(EVENT), "columns", columns)

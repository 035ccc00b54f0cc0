"""Which warehouse the assets build in and publish from.

Belongs here: the choice that `WAREHOUSE` makes. Not here: the two warehouses (`transform/warehouse.py`,
`transform/spark_warehouse.py`).
"""

from collections.abc import Mapping
from typing import Any

from dagster_duckdb import DuckDBResource

from engagement_assets.lake.lake import Lake
from engagement_assets.settings import Settings
from engagement_assets.spark_settings import WarehouseEngine
from engagement_assets.transform.spark_warehouse import SparkWarehouse
from engagement_assets.transform.warehouse import DuckDBWarehouse, Warehouse


def warehouse_of(settings: Settings, resource: DuckDBResource, manifest: Mapping[str, Any]) -> Warehouse:
    """The file of DuckDB, which is the resource, or Spark; `manifest` is dbt's."""
    lake = Lake(settings.lake_uri)
    if settings.warehouse is WarehouseEngine.SPARK:
        return SparkWarehouse(settings.spark_endpoint, lake, manifest)
    return DuckDBWarehouse(resource, lake)

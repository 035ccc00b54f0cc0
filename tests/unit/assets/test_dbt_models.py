"""What the UI shows of a model depends on the engine that holds its table in nothing but its kind and its name."""

from datetime import date

import dagster as dg
import pytest

from engagement_assets.assets.dbt_models import as_on, dbt_model_assets
from engagement_assets.spark_settings import WarehouseEngine
from engagement_assets.transform.project import manifest

TABLE = dg.AssetKey(["learning", "engagement_daily"])


@pytest.mark.parametrize(
    ("engine", "kind", "name"),
    [
        (WarehouseEngine.DUCKDB, "duckdb", "warehouse.learning.engagement_daily"),
        (WarehouseEngine.SPARK, "spark", "learning.engagement_daily"),
    ],
)
def test_a_model_shows_the_engine_that_holds_its_table(engine: WarehouseEngine, kind: str, name: str) -> None:
    areas = dbt_model_assets(as_on(engine, manifest()), date(2024, 1, 1))
    (spec,) = [spec for area in areas for spec in area.specs if spec.key == TABLE]
    assert spec.kinds == {"dbt", kind}
    assert spec.metadata["dagster/table_name"] == name
    assert spec.metadata["dagster/storage_kind"] == kind
    assert spec.group_name == "learning"

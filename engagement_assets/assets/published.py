"""The published copy of each area, downstream of all its tables.

Belongs here: when an area is published. Not here: how (see `transform/publish.py`).
"""

from typing import Any

import dagster as dg

from engagement_assets.assets.dbt_models import AREAS, WAREHOUSE_POOL
from engagement_assets.assets.raw_load import OWNERS
from engagement_assets.assets.retries import trying_again
from engagement_assets.lake.lake import Lake
from engagement_assets.settings import Settings
from engagement_assets.transform.publish import publish_schemas


def published_assets(models: list[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """One asset per area: it runs when all of the area's models and blocking checks have passed."""
    keys_by_group: dict[str, list[dg.AssetKey]] = {}
    for definition in models:
        for spec in definition.specs:
            keys_by_group.setdefault(spec.group_name or "", []).append(spec.key)
    return [_published_area(area.name, keys_by_group[area.name]) for area in AREAS]


def _published_area(area: str, tables: list[dg.AssetKey]) -> dg.AssetsDefinition:
    @dg.asset(
        key=["published", area],
        deps=tables,
        group_name="published",
        owners=OWNERS,
        kinds={"duckdb"},
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=WAREHOUSE_POOL,
        description=(
            f"The schema `{area}`, and `audit` beside it, in the copy of the warehouse that people and tools read. "
            "It changes only after all checks of the area that block have passed."
        ),
    )
    def published_area(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> dg.MaterializeResult[Any]:
        with trying_again(settings, context):
            rows = publish_schemas(
                settings.warehouse_path, settings.published_warehouse_path, (area, "audit"), Lake(settings.lake_uri)
            )
        return dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(settings.published_warehouse_path),
                "dagster/row_count": sum(rows.values()),
                "rows": rows,
            }
        )

    return published_area

"""The published copy of each area, downstream of all its tables, and of the audit tables.

Belongs here: when a schema is published and exported. Not here: how (see `transform/publish.py` and
`transform/export.py`).
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_duckdb import DuckDBResource

from engagement_assets.assets.dbt_models import WAREHOUSE_POOL, asset_tags
from engagement_assets.assets.raw_load import OWNERS
from engagement_assets.assets.retrying import retrying
from engagement_assets.assets.unchanged_builds import noting
from engagement_assets.assets.warehouses import warehouse_of
from engagement_assets.lake.lake import Lake
from engagement_assets.settings import Settings
from engagement_assets.sources import AREAS, AUDIT
from engagement_assets.spark_settings import WarehouseEngine
from engagement_assets.transform.build_inputs import areas_not_passed, last_build_and_publication, note_published
from engagement_assets.transform.data_tests import primary_keys
from engagement_assets.transform.export import exports_of
from engagement_assets.transform.publish import Publisher, publish_schemas, rows_published_by


def published_assets(models: list[dg.AssetsDefinition], manifest: Mapping[str, Any]) -> list[dg.AssetsDefinition]:
    """One asset per area, which runs when all of the area's models and blocking checks have passed; one for `audit`.

    The one for `audit` waits for no area: when a day is held, nothing downstream runs, but people want to see the day.
    """
    keys_by_schema: dict[str, list[dg.AssetKey]] = {}
    for definition in models:
        for key in definition.keys:
            keys_by_schema.setdefault(key.path[0], []).append(key)
    return [
        *(
            _published(
                area,
                sorted(keys_by_schema[area]),
                manifest,
                f"The schema `{area}` in the copy of the warehouse that people and tools read, with `audit` if there "
                "was a load since. It changes only after all blocking checks of the area have passed.",
            )
            for area in AREAS
        ),
        _published(
            AUDIT,
            sorted(keys_by_schema[AUDIT]),
            manifest,
            "The schema `audit` in the copy of the warehouse that people and tools read. Each area publishes it too; "
            "if none is published, because a day is held or a load ran alone, the job `load_audit` does.",
        ),
    ]


def _published(
    schema: str, tables: list[dg.AssetKey], manifest: Mapping[str, Any], description: str
) -> dg.AssetsDefinition:
    @dg.asset(
        key=["published", schema],
        deps=tables,
        group_name="published",
        owners=OWNERS,
        kinds={"duckdb"},
        backfill_policy=dg.BackfillPolicy.single_run(),
        tags=asset_tags(schema, "published"),
        pool=WAREHOUSE_POOL,
        description=description,
    )
    def published_schema(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: DuckDBResource
    ) -> dg.MaterializeResult[Any]:
        published, lake = settings.published_warehouse_path, Lake(settings.lake_uri)
        started = time.monotonic()
        notes, run_id = settings.warehouse_path, context.run.run_id
        with retrying(settings, context):
            rows: dict[str, int] = {}
            built = last_run = None
            # What DuckDB noted before a change to Spark says nothing of Spark's tables.
            if settings.warehouse is WarehouseEngine.DUCKDB:
                _refuse_unpassed(notes, schema)
                built, last_run = last_build_and_publication(notes, schema)
            if last_run and not settings.build_unchanged:
                rows = rows_published_by(published, schema, last_run)
            areas = () if rows or schema == AUDIT else (schema,)
            publisher = Publisher(run_id, keys=primary_keys(manifest))
            # Only on Spark a copy is made, of what is published.
            facts = settings.spark_publish_facts
            with warehouse_of(settings, warehouse, manifest).copy_of([*areas, AUDIT], facts=facts) as built_tables:
                rows |= publish_schemas(built_tables, published, areas, lake, publisher)
            if areas and built:
                with noting(context):
                    note_published(notes, schema, built, run_id)
            # Of all areas, also if none was published: an export may be missing, or a kill has kept it from following.
            exports = exports_of(settings)
            exported = exports.follow(published) if exports else []
        return dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(published),
                "dagster/row_count": sum(rows.values()),
                "rows": rows,
                "published_at": dg.MetadataValue.timestamp(datetime.now(UTC)),
                "seconds": round(time.monotonic() - started, 2),
                "bytes": published.stat().st_size,
                **({"exported": exported} if exports else {}),
            }
        )

    return published_schema


def _refuse_unpassed(warehouse: Path, area: str) -> None:
    """Refuse to publish tables that have not passed their tests.

    Within a run Dagster sees to it. But another run may have built the area since, and a person can select the copy
    alone.

    Raises:
        dagster.Failure: the last build of the area failed, was killed, or left a failed table as it was.
    """
    if area != AUDIT and (run := areas_not_passed(warehouse, [area]).get(area)):
        raise dg.Failure(
            f"the tables of {area} have not passed their tests since run {run}, and the published copy stays as it is. "
            "Build all tables of the area again; see the failed checks of that run",
            allow_retries=False,
        )

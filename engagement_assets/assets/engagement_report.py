"""The engagement report: one page over the published tables, next to dbt's page about them.

Belongs here: when the report is written, and what Dagster shows of it. Not here: what is in it (`report/`).

Nothing is downstream of it, so a report that fails stops nothing.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import dagster as dg

from engagement_assets.alerts.alerting import Alerting
from engagement_assets.alerts.caught import Caught
from engagement_assets.alerts.history import AlertState, alert_states
from engagement_assets.assets.dbt_models import WAREHOUSE_POOL, asset_tags
from engagement_assets.assets.mart_pictures import CHART
from engagement_assets.assets.raw_assets import raw_assets
from engagement_assets.assets.raw_load import OWNERS
from engagement_assets.contracts.load_checks import IS_FRESH
from engagement_assets.dagster_internals import AssetGraph
from engagement_assets.report.checks_and_alerts import ChecksAndAlerts, check_states, with_open_alerts
from engagement_assets.settings import Settings
from engagement_assets.sources import AREAS, CROSS_SOURCE_AREA, RAW_DATASETS, SOURCES
from engagement_assets.spark_settings import WarehouseEngine
from engagement_assets.transform.docs import write_dbt_docs
from engagement_assets.transform.project import DbtProjectError

if TYPE_CHECKING:
    from engagement_assets.report.build import Report

ENGAGEMENT_REPORT = dg.AssetKey("engagement_report")
# Tables whose pictures the UI shows with the report. Those of other tables are shown with the tables.
PREVIEW = ("engagement.weekly_engagement", "audit.ingestion_loads", "audit.rejected_records")


def engagement_report_asset(definitions: Callable[[], dg.Definitions]) -> dg.AssetsDefinition:
    """The asset; the report shows the checks of these definitions, and of services without settings."""

    @dg.asset(
        key=ENGAGEMENT_REPORT,
        deps=[["published", area] for area in AREAS],
        group_name="report",
        owners=OWNERS,
        kinds={"altair", "html"},
        tags=asset_tags(CROSS_SOURCE_AREA, "report"),
        backfill_policy=dg.BackfillPolicy.single_run(),
        # dbt's docs read the catalogue of the warehouse.
        pool=WAREHOUSE_POOL,
        description="One HTML file with charts of the published tables, next to dbt's docs.",
    )
    def engagement_report(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> dg.MaterializeResult[Any]:
        # Altair and pandas take half a second to import, so only a process that draws imports them.
        from engagement_assets.report.build import DOCS_FILE  # noqa: PLC0415
        from engagement_assets.report.pictures import pictures_of  # noqa: PLC0415

        docs_failure = None
        try:
            warehouse = settings.warehouse_path if settings.warehouse is WarehouseEngine.DUCKDB else None
            write_dbt_docs(warehouse, settings.lake_uri, settings.report_dir / DOCS_FILE)
        except DbtProjectError as failure:
            docs_failure = failure
        report = written_report(settings, context.instance, definitions().resolve_asset_graph(), context.run.run_id)
        pictures = pictures_of(report.sections, PREVIEW)
        context.log.info(f"{report.path}: {report.size_bytes / 1e6:.1f} MB")
        if docs_failure is not None:
            raise dg.Failure(f"the report is at {report.path}, without dbt's docs: {docs_failure}") from docs_failure
        return dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(report.path),
                "size_bytes": report.size_bytes,
                "dagster/row_count": sum(report.rows().values()),
                "rows": report.rows(),
                **{f"{CHART}/{table}": dg.MetadataValue.md(picture) for table, picture in pictures.items()},
            }
        )

    return engagement_report


def checks_of_all_sources(settings: Settings) -> set[dg.AssetCheckKey]:
    """The checks of every source's loads and freshness.

    Definitions lack those of a service that is not configured, but it may have been when its checks were evaluated.
    """
    loads = [load for source in SOURCES for load in raw_assets(source, settings)]
    fresh = [dg.AssetCheckKey(dg.AssetKey(dataset.key.split("/")), IS_FRESH.name) for dataset in RAW_DATASETS]
    return {*(spec.key for load in loads for spec in load.check_specs), *fresh}


def written_report(settings: Settings, instance: dg.DagsterInstance, graph: AssetGraph, run_id: str = "") -> "Report":
    """Write the page from what is published now, and from all that checks have found, also in the run in progress.

    It says so if the alerts cannot be read.

    Raises:
        FileNotFoundError: nothing has been published yet.
    """
    from engagement_assets.report.build import suppression_of, write_report  # noqa: PLC0415

    alerts: tuple[AlertState, ...] | None = None
    with Caught(), Alerting.of(settings).foreseen(instance, graph, run_id) as store:
        alerts = alert_states(store)
    checks = check_states(instance, {*graph.asset_check_keys, *checks_of_all_sources(settings)})
    return write_report(
        settings.published_warehouse_path,
        settings.report_dir,
        suppression=suppression_of(settings),
        states=ChecksAndAlerts(with_open_alerts(checks, alerts or ()), alerts),
        max_cells=settings.report_max_cells,
    )

"""The engagement report: one page over the published tables, and dbt's page about them beside it.

Belongs here: when the report is written, and what Dagster shows of it. Not here: what is in it (`report/`).

Nothing is downstream of it, so a report that fails stops nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from engagement_assets.alerts.alerting import alerts_folder
from engagement_assets.alerts.history import alert_states
from engagement_assets.assets.dbt_models import AREAS, CROSS_SOURCE_AREA, WAREHOUSE_POOL, asset_tags
from engagement_assets.assets.raw_load import OWNERS
from engagement_assets.report.build import DOCS_FILE, Report, write_report
from engagement_assets.report.evidence import Evidence, check_states
from engagement_assets.report.pictures import pictures_of
from engagement_assets.report.suppression import Suppression
from engagement_assets.settings import Settings
from engagement_assets.transform.docs import write_dbt_docs
from engagement_assets.transform.project import DbtProjectError

ENGAGEMENT_REPORT = dg.AssetKey("engagement_report")


def engagement_report_asset(check_keys: Iterable[dg.AssetCheckKey]) -> dg.AssetsDefinition:
    """The asset; it shows the newest results of these checks."""
    keys = tuple(check_keys)

    @dg.asset(
        key=ENGAGEMENT_REPORT,
        deps=[["published", area.name] for area in AREAS],
        group_name="report",
        owners=OWNERS,
        kinds={"altair", "html"},
        tags=asset_tags(CROSS_SOURCE_AREA.name, "report"),
        backfill_policy=dg.BackfillPolicy.single_run(),
        # dbt's docs read the catalogue of the warehouse.
        pool=WAREHOUSE_POOL,
        description="One HTML file that shows the published tables to people, and dbt's docs beside it.",
    )
    def engagement_report(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> dg.MaterializeResult[Any]:
        docs_failure = None
        try:
            write_dbt_docs(settings.warehouse_path, settings.lake_uri, settings.report_dir / DOCS_FILE)
        except DbtProjectError as failure:
            docs_failure = failure
        report = written_report(settings, context.instance, keys)
        context.log.info(f"{report.path}: {report.size_bytes / 1e6:.1f} MB")
        pictures = pictures_of(report.sections)
        for table, picture in pictures.items():
            context.log_event(dg.AssetObservation(table.split("."), metadata={"chart": dg.MetadataValue.md(picture)}))
        if docs_failure is not None:
            raise dg.Failure(f"the report is at {report.path}, without dbt's docs: {docs_failure}") from docs_failure
        return dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(report.path),
                "size_bytes": report.size_bytes,
                "dagster/row_count": sum(report.rows().values()),
                "rows": report.rows(),
                **{f"chart/{table}": dg.MetadataValue.md(picture) for table, picture in _first_of_schema(pictures)},
            }
        )

    return engagement_report


def _first_of_schema(pictures: Mapping[str, str]) -> list[tuple[str, str]]:
    """A picture per schema; the others stand with the tables that they show."""
    first: dict[str, tuple[str, str]] = {}
    for table, picture in pictures.items():
        first.setdefault(table.split(".")[0], (table, picture))
    return list(first.values())


def written_report(settings: Settings, instance: dg.DagsterInstance, check_keys: Iterable[dg.AssetCheckKey]) -> Report:
    """Write the page from what is published now, as the settings say.

    Raises:
        FileNotFoundError: nothing has been published yet.
        AlertStoreError: the store of alerts cannot be used.
    """
    evidence = Evidence(check_states(instance, check_keys), alert_states(alerts_folder(settings)))
    return write_report(
        settings.published_warehouse_path,
        settings.report_dir,
        suppression=Suppression(settings.report_min_users) if settings.report_publish_mode else None,
        evidence=evidence,
        max_cells=settings.report_max_cells,
    )

"""Pictures of the report's charts, which the UI shows with the materializations of their marts.

Belongs here: which tables get a picture, and from what it is drawn. Not here: the charts, or drawing them (`report/`).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dagster as dg
import duckdb

from engagement_assets.lake.lake import Lake
from engagement_assets.settings import Settings
from engagement_assets.shown_text import shown
from engagement_assets.transform.warehouse import Warehouse, WarehouseError

CHART = "chart"


def with_pictures(
    events: Iterable[Any], context: dg.AssetExecutionContext, settings: Settings, warehouse: Warehouse, area: str
) -> Iterator[Any]:
    """The events of a build of an area's marts; each table with a chart gets a picture of its new content."""
    pictures: Mapping[str, str] | None = None
    for event in events:
        if not isinstance(event, dg.Output):
            yield event
            continue
        if pictures is None:
            # Not earlier: until the first event dbt has the warehouse open.
            pictures = _pictures(context, settings, warehouse, area)
        picture = pictures.get(".".join(context.asset_key_for_output(event.output_name).path))
        chart = {CHART: dg.MetadataValue.md(picture)} if picture else {}
        yield event.with_metadata({**event.metadata, **chart})


def _pictures(
    context: dg.AssetExecutionContext, settings: Settings, warehouse: Warehouse, area: str
) -> Mapping[str, str]:
    """The pictures of the tables that are built now; none, and a warning, if they cannot be drawn."""
    # Altair and pandas take half a second to import, so only a process that draws imports them.
    from engagement_assets.report.build import section_of  # noqa: PLC0415
    from engagement_assets.report.pictures import pictures_of  # noqa: PLC0415

    tables = {".".join(key.path) for key in context.selected_asset_keys}
    try:
        with warehouse.copy_of([area], facts=False) as path, duckdb.connect(str(path), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            Lake(settings.lake_uri).lend_file_system(connection)
            return pictures_of([section_of(connection, area, settings)], tables)
    except (duckdb.Error, WarehouseError, ValueError) as error:
        # For example, a table that the charts need was never built. The tables themselves are fine.
        context.log.warning(f"the charts of {area} could not be drawn for the UI: {shown(str(error))}")
        return {}

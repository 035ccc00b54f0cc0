"""Pictures of the report's charts, which the UI shows with the materializations of their marts."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import altair as alt
import dagster as dg
import duckdb
import pytest
from dbt.contracts.graph.manifest import Manifest

from engagement_assets.assets.dbt_models import dbt_model_assets, step_name
from engagement_assets.assets.engagement_report import PREVIEW
from engagement_assets.assets.mart_pictures import with_pictures
from engagement_assets.lake.lake import Lake
from engagement_assets.report.html import compiled
from engagement_assets.report.pictures import pictures_of
from engagement_assets.settings import Settings
from engagement_assets.sources import AREAS
from engagement_assets.transform.warehouse import DuckDBWarehouse, warehouse_resource
from tests.integration.reports import Loaded
from tests.integration.services import FIRST_DAY

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("drawn_pictures")]


def test_every_mart_with_a_chart_is_built_where_its_picture_is_drawn(loaded: Loaded, manifest: Manifest) -> None:
    steps = {each.op.name: each.keys for each in dbt_model_assets(manifest.writable_manifest().to_dict(), FIRST_DAY)}
    built = {".".join(key.path) for area in AREAS for key in steps[step_name(area)]}
    about = {figure.mart for each in loaded.report.sections for figure in each.figures if figure.chart is not None}
    about.discard(None)
    assert len(about) == 22
    assert about - built - set(PREVIEW) == set()
    assert set(pictures_of(loaded.report.sections, {str(mart) for mart in about})) == about


def materialized_with_pictures(tmp_path: Path, warehouse: Path) -> dg.ExecuteInProcessResult:
    """Materialize two marts of Strava as a build of the area's marts over this warehouse does."""
    settings = Settings(
        _env_file=None, landing_uri=str(tmp_path / "landing"), lake_uri=str(tmp_path / "lake"), warehouse_path=warehouse
    )
    tables = ["strava_monthly_summary", "strava_yearly_summary"]
    built = DuckDBWarehouse(warehouse_resource(warehouse), Lake(settings.lake_uri))

    @dg.multi_asset(specs=[dg.AssetSpec(["strava", table]) for table in tables])
    def strava_models(context: dg.AssetExecutionContext) -> Iterator[Any]:
        events = [dg.Output(None, f"strava__{table}", metadata={"dagster/row_count": 2}) for table in tables]
        yield from with_pictures(events, context, settings, built, "strava")

    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize([strava_models], instance=instance)


def test_a_mart_is_materialized_with_its_picture(loaded: Loaded, tmp_path: Path) -> None:
    run = materialized_with_pictures(tmp_path, loaded.published)
    monthly, yearly = (event.materialization.metadata for event in run.get_asset_materialization_events())
    title, _, picture = str(monthly["chart"].value).partition("\n\n")
    assert title == "**Monthly distance**. Distance of the month's runs."
    head = "![Monthly distance](data:image/svg+xml;base64,"
    assert picture.startswith(head)
    svg = base64.b64decode(picture.removeprefix(head).removesuffix(")")).decode()
    assert ">distance</text>" in svg
    assert "var(" not in svg
    assert monthly["dagster/row_count"].value == 2
    assert set(yearly) == {"dagster/row_count"}


@pytest.mark.parametrize("defect", ["missing_tables", "no_database"])
def test_a_mart_without_what_its_picture_needs_is_materialized_with_a_warning(
    tmp_path: Path, defect: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagster._utils.backoff.time.sleep", lambda _seconds: None)  # the resource tries ten times
    warehouse = tmp_path / "warehouse.duckdb"
    if defect == "no_database":
        warehouse.write_text("no database", encoding="utf-8")
    else:
        duckdb.connect(str(warehouse)).close()
    run = materialized_with_pictures(tmp_path, warehouse)
    assert run.success
    assert [set(event.materialization.metadata) for event in run.get_asset_materialization_events()] == [
        {"dagster/row_count"},
        {"dagster/row_count"},
    ]
    assert "the charts of strava could not be drawn for the UI: " in capsys.readouterr().err


def test_a_chart_that_vega_cannot_draw_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"\S"):
        compiled({**alt.Chart().mark_bar().to_dict(), "encoding": {"x": {"field": []}}, "mark": {"type": 7}})

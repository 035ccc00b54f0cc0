"""What a run over a range of days makes after a source has failed."""

from pathlib import Path

import dagster as dg
import pytest

from engagement_assets.commands.range_run import _Shell
from engagement_assets.orchestration.jobs import WEEKLY_ENGAGEMENT_METRICS
from engagement_assets.spark_settings import WarehouseEngine
from engagement_assets.transform.build_inputs import begin_part_of
from tests.erasing_settings import erasing_settings

WEEKS = dg.AssetKey(["engagement", "weeks"])


@dg.asset(key=["raw_lingokids", "events"])
def raw_events() -> None:
    raise dg.Failure("the service is down", allow_retries=False)


@dg.asset(key=["learning", "plays"], deps=[raw_events])
def plays() -> None:
    pass


@dg.asset(key=WEEKS, deps=[plays])
def weeks() -> None:
    pass


@pytest.mark.parametrize(
    ("engine", "left_out"), [(WarehouseEngine.DUCKDB, set[dg.AssetKey]()), (WarehouseEngine.SPARK, {WEEKS})]
)
def test_tables_over_all_sources_wait_for_what_has_not_passed_where_that_is_noted(
    tmp_path: Path, engine: WarehouseEngine, left_out: set[dg.AssetKey]
) -> None:
    settings = erasing_settings(tmp_path, warehouse=engine)
    job = dg.define_asset_job(WEEKLY_ENGAGEMENT_METRICS, dg.AssetSelection.assets(weeks))
    defs = dg.Definitions(assets=[raw_events, plays, weeks], jobs=[job])
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([raw_events, plays, weeks], instance=instance, raise_on_error=False)
        shell = _Shell(instance, defs, settings)
        assert shell.cross_source_keys_left_out({WEEKS}, result) == {WEEKS}
        begin_part_of(settings.warehouse_path, "learning", "failed")
        assert shell.cross_source_keys_left_out({WEEKS}, result) == left_out

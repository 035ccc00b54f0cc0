"""Which tables the step of a published copy takes: those of the warehouse that builds."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from engagement_assets.assets.published import published_assets
from engagement_assets.assets.warehouses import warehouse_of
from engagement_assets.settings import Settings
from engagement_assets.sources import AREAS, AUDIT
from engagement_assets.spark_settings import WarehouseEngine
from engagement_assets.transform.build_inputs import BuildInputs, begin_part_of, note_passed
from engagement_assets.transform.warehouse import warehouse_resource
from tests.erasing_settings import erasing_settings

TABLES = [
    dg.AssetsDefinition.from_op(dg.OpDefinition(lambda: None, name=f"{area}_table"), key_prefix=area)
    for area in (*AREAS, AUDIT)
]


class OnSpark:
    """Spark, whose copy for the publication lies in a file."""

    def __init__(self, copy: Path) -> None:
        self.copy, self.asked_for = copy, tuple[str, ...]()

    @contextmanager
    def copy_of(self, schemas: Sequence[str], *, facts: bool) -> Iterator[Path]:
        assert not facts
        self.asked_for = tuple(schemas)
        yield self.copy


def _table(path: Path, built_by: str) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema if not exists learning; create schema if not exists audit")
        connection.execute(f"create or replace table learning.plays as select '{built_by}' as built_by")
        connection.execute("create or replace table audit.ingestion_loads as select null::varchar as load_id limit 0")


def _publish(settings: Settings) -> bool:
    step = next(
        each for each in published_assets(TABLES, {"nodes": {}}) if each.key == dg.AssetKey(["published", "learning"])
    )
    resources = {"settings": settings, "warehouse": warehouse_resource(settings.warehouse_path)}
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize([step], instance=instance, resources=resources, raise_on_error=False).success


def _published_by(settings: Settings) -> str:
    with duckdb.connect(str(settings.published_warehouse_path), read_only=True) as connection:
        ((built_by,),) = connection.execute("from learning.plays").fetchall()
    return str(built_by)


@pytest.fixture
def on_duckdb(tmp_path: Path) -> Settings:
    """DuckDB has built and published the area, and nothing has changed since."""
    settings = erasing_settings(tmp_path)
    inputs = BuildInputs(settings.warehouse_path, "learning", {"a day": "as it is"})
    inputs.begin("build")
    _table(settings.warehouse_path, "DuckDB")
    note_passed(settings.warehouse_path, "learning", "build", is_whole=True)
    inputs.note("build")
    assert _publish(settings)
    return settings


@pytest.fixture
def on_spark(on_duckdb: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Settings, OnSpark]:
    """The same deployment after a change to Spark, which has built the area."""
    spark = OnSpark(tmp_path / "spark.duckdb")
    _table(spark.copy, "Spark")

    def either(settings: Settings, *others: Any) -> Any:
        on_spark = settings.warehouse is WarehouseEngine.SPARK
        return spark if on_spark else warehouse_of(settings, *others)

    monkeypatch.setattr("engagement_assets.assets.published.warehouse_of", either)
    return on_duckdb.model_copy(update={"warehouse": WarehouseEngine.SPARK}), spark


def test_what_duckdb_noted_of_a_publication_does_not_keep_sparks_tables_from_the_copy(
    on_spark: tuple[Settings, OnSpark],
) -> None:
    settings, spark = on_spark
    assert _publish(settings)
    assert (spark.asked_for, _published_by(settings)) == (("learning", AUDIT), "Spark")


def test_what_duckdb_left_without_a_pass_is_refused_on_duckdb_alone(on_spark: tuple[Settings, OnSpark]) -> None:
    settings, _ = on_spark
    begin_part_of(settings.warehouse_path, "learning", "failed")
    assert not _publish(settings.model_copy(update={"warehouse": WarehouseEngine.DUCKDB}))
    assert _published_by(settings) == "DuckDB"
    assert _publish(settings)
    assert _published_by(settings) == "Spark"


def test_on_the_way_back_the_copy_gets_duckdbs_tables_again(
    on_duckdb: Settings, on_spark: tuple[Settings, OnSpark]
) -> None:
    settings, _ = on_spark
    assert _publish(settings)
    assert _publish(on_duckdb)
    assert _published_by(on_duckdb) == "DuckDB"


def test_on_duckdb_what_the_copy_has_already_is_not_copied_again(on_duckdb: Settings) -> None:
    before = on_duckdb.published_warehouse_path.stat().st_ino
    assert _publish(on_duckdb)
    assert on_duckdb.published_warehouse_path.stat().st_ino == before

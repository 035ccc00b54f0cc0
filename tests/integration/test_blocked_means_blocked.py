"""A held day stays out of lake and tables, whatever is loaded or built later, until it is let go."""

import hashlib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.contracts.graph.manifest import Manifest

from engagement_assets.extract.mobile import MOBILE_EVENTS
from engagement_assets.transform.publish import publish_schemas
from tests.integration.mobile_loads_checked import MobileLoads
from tests.integration.warehouse_builder import WarehouseBuilder
from tests.lake_loads import parquet_rows

pytestmark = pytest.mark.integration

FIRST, BAD_DAY, LAST = date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3)
MODELS = "+path:models/marts/mobility +path:models/audit"


class _Tables:
    """Tables built from the load checks's lake, and the copy that people read."""

    def __init__(self, folder: Path, loads: MobileLoads, manifest: Manifest) -> None:
        self._builder = WarehouseBuilder(folder, manifest, Path(loads.lake.uri))
        self._published = folder / "published.duckdb"
        self._loads = loads

    def build(self, first: date, last: date, *, full_refresh: bool = False) -> None:
        self._builder.build(first, last + timedelta(days=1), MODELS, full_refresh=full_refresh)
        publish_schemas(self._builder.warehouse_path, self._published, ("mobility", "audit"))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self._published), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def hashes(self) -> dict[str, str]:
        """A hash of the lake's rows and of each published mart's, without the times of loading."""
        columns = ["day", *(name for name in MOBILE_EVENTS.columns if name != "extracted_at")]
        lake = parquet_rows(Path(self._loads.lake.uri), f"{MOBILE_EVENTS.key}/*/*.parquet", *columns)
        tables = self.query("select table_name from duckdb_tables() where schema_name = 'mobility' order by all")
        marts = {table: self.query(f"from mobility.{table} order by all") for (table,) in tables}
        return {name: hashlib.sha256(repr(rows).encode()).hexdigest() for name, rows in {"": lake, **marts}.items()}


@pytest.fixture
def loads(tmp_path: Path) -> MobileLoads:
    loads = MobileLoads(tmp_path)
    for day in (FIRST, BAD_DAY, LAST):
        loads.write(day, good=120)
    assert loads.run(FIRST, LAST).success
    return loads


def test_blocked_means_blocked_until_the_day_is_released(
    loads: MobileLoads, tmp_path: Path, manifest: Manifest
) -> None:
    tables = _Tables(tmp_path / "warehouse", loads, manifest)
    tables.build(FIRST, LAST)
    before = tables.hashes()
    assert tables.query("select count(*) from mobility.bdg__mobile_session_to_events") == [(360,)]

    loads.write(BAD_DAY, good=121, bad=20)
    assert not loads.run(BAD_DAY, BAD_DAY).success
    assert tables.hashes() == before

    assert loads.run(LAST, LAST).success
    tables.build(BAD_DAY, LAST)
    assert tables.hashes() == before

    assert not loads.run(FIRST, LAST).success
    tables.build(FIRST, LAST, full_refresh=True)
    assert tables.hashes() == before
    assert tables.query("select source, dataset, partition_date, failed_checks, reason from audit.held_days") == [
        (
            *("mobile", "events", BAD_DAY, "events.rejected_share"),
            "20 of 141 records were rejected (14.2%): no event name (missing_event_name): 20",
        )
    ]

    assert loads.run(BAD_DAY, BAD_DAY, {"release_reason": "the partner's file is known"}).success
    tables.build(BAD_DAY, BAD_DAY)
    assert tables.query("select count(*) from mobility.bdg__mobile_session_to_events") == [(361,)]
    assert tables.query("select count(*) from audit.held_days") == [(0,)]
    assert tables.query("select count(*) from audit.rejected_records where partition_date = '2024-01-02'") == [(20,)]
    assert tables.query(
        "select partition_date, status, failed_checks, release_reason from audit.ingestion_loads "
        "where release_reason is not null"
    ) == [(BAD_DAY, "published", "events.rejected_share", "the partner's file is known")]


def test_a_held_day_blocks_until_it_is_fixed(loads: MobileLoads) -> None:
    loads.write(BAD_DAY, good=121, bad=20)
    assert not loads.run(BAD_DAY, BAD_DAY).success
    assert loads.published()[BAD_DAY] == 120
    loads.write(BAD_DAY, good=121)
    assert loads.run(FIRST, LAST).success
    assert loads.published() == {FIRST: 120, BAD_DAY: 121, LAST: 120}

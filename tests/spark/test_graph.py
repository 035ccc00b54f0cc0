"""The asset graph on Spark: the published copy is that of DuckDB, and nothing is published when something fails.

Belongs here: runs of the whole graph for an area, on a server of its own that dies and comes back. Not here: the rows
of every table (`test_parity.py`).
"""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date

import pytest

from engagement_assets.contracts.check_metadata import FAILING_KEYS, FAILING_ROWS
from engagement_assets.lake.lake import Lake
from engagement_assets.sandbox.sample_data import write_sample_landing
from engagement_assets.spark_settings import WarehouseEngine
from engagement_assets.transform.spark_warehouse import SparkWarehouse
from tests.integration.deployment import Deployment, differences
from tests.spark.conftest import SparkServer, start_server
from tests.unit.extract.mobile_loads import HEADER, write_file

FIRST, THIRD, HELD = date(2024, 1, 1), date(2024, 1, 3), date(2024, 1, 4)
MOBILITY = "+group:mobility or key:published/mobility"
SCHEMAS = ("mobility",)


@dataclasses.dataclass
class Graphs:
    """One landing zone, and the graph on both engines; the server may be replaced by one over the same tables."""

    duckdb: Deployment
    spark: Deployment
    server: SparkServer

    def differences(self) -> dict[str, str]:
        return differences(self.spark.tables(schemas=SCHEMAS), self.duckdb.tables(schemas=SCHEMAS))

    def use(self, server: SparkServer) -> None:
        self.server = server
        self.spark.settings = self.spark.settings.model_copy(
            update={
                "warehouse": WarehouseEngine.SPARK,
                "spark_thrift_port": server.settings.spark_thrift_port,
                "spark_publish_facts": True,
                "api_retry_delay_s": 0,
            }
        )

    def warehouse(self) -> SparkWarehouse:
        return SparkWarehouse(self.server.endpoint, Lake(self.spark.settings.lake_uri), {"nodes": {}})


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graphs]:
    folder = tmp_path_factory.mktemp("graph")
    server = start_server(folder / "server")
    on_duckdb = Deployment(folder / "duckdb")
    write_sample_landing(on_duckdb.landing, start=FIRST, days=3, mobile_events_per_day=100)
    graphs = Graphs(on_duckdb, Deployment(folder / "spark", landing=on_duckdb.landing), server)
    graphs.use(server)
    yield graphs
    graphs.server.process.kill()
    graphs.server.process.wait()


def test_a_run_publishes_what_duckdb_publishes(graphs: Graphs) -> None:
    on_duckdb, on_spark = (each.run(FIRST, FIRST, MOBILITY) for each in (graphs.duckdb, graphs.spark))

    assert on_duckdb.failures == on_spark.failures == ()
    assert graphs.differences() == {}
    assert graphs.spark.query("select count(*) > 0 from mobility.fct__mobile_sessions") == [(True,)]
    # dbt builds several models at a time on Spark.
    assert {(check.asset_key, check.check_name, check.passed) for check in on_spark.checks} == {
        (check.asset_key, check.check_name, check.passed) for check in on_duckdb.checks
    }
    assert not graphs.spark.settings.warehouse_path.exists()


def test_facts_are_published_by_setting_alone(graphs: Graphs) -> None:
    whole = graphs.spark.tables(schemas=SCHEMAS)
    with_facts = graphs.spark.settings
    graphs.spark.settings = with_facts.model_copy(update={"spark_publish_facts": False})

    assert graphs.spark.run(FIRST, FIRST, MOBILITY).failures == ()

    facts = {"mobility.fct__mobile_sessions", "mobility.bdg__mobile_session_to_events"}
    assert facts < set(whole)
    assert graphs.spark.tables(schemas=SCHEMAS) == {name: rows for name, rows in whole.items() if name not in facts}
    graphs.spark.settings = with_facts
    assert graphs.spark.run(FIRST, FIRST, MOBILITY).failures == ()
    assert graphs.spark.tables(schemas=SCHEMAS) == whole


def test_a_blocking_test_that_fails_publishes_nothing_and_shows_its_rows(graphs: Graphs) -> None:
    before = graphs.spark.tables(schemas=SCHEMAS)
    sessions = "mobility.fct__mobile_sessions"
    ((twice,),) = graphs.spark.query(f"select min(session_id) from {sessions}")
    graphs.warehouse().query(f"insert into {sessions} select * from {sessions} where session_id = '{twice}'")

    run = graphs.spark.run(THIRD, THIRD, MOBILITY)

    assert not run.success
    failed = next(check for check in run.checks if not check.passed and "unique" in check.check_name)
    assert failed.metadata[FAILING_ROWS].value == 1
    assert str(twice) in str(failed.metadata[FAILING_KEYS].value)
    assert graphs.spark.tables(schemas=SCHEMAS) == before
    # What was built of that table is put right by building it in full.
    graphs.warehouse().query(f"drop table {sessions}")


def test_a_server_that_dies_in_a_build_is_told_publishes_nothing_and_the_next_run_is_right(graphs: Graphs) -> None:
    before = graphs.spark.tables(schemas=SCHEMAS)
    environment = {
        "WAREHOUSE": "spark",
        "SPARK_THRIFT_PORT": str(graphs.server.settings.spark_thrift_port),
        "API_RETRY_DELAY_S": "0",
        "LANDING_URI": graphs.spark.settings.landing_uri,
        "LAKE_URI": graphs.spark.settings.lake_uri,
        "PUBLISHED_WAREHOUSE_PATH": str(graphs.spark.settings.published_warehouse_path),
        "DAGSTER_HOME": str(graphs.spark.settings.dagster_home),
    }
    command = [sys.executable, "-m", "engagement_assets.commands.start", "backfill", f"--from={FIRST}", f"--to={THIRD}"]
    with subprocess.Popen(
        [*command, f"--select={MOBILITY}"],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        assert run.stdout is not None
        printed = []
        for line in run.stdout:
            printed.append(line)
            if "mobility_models: int_mobile_days_changed: success" in line:
                graphs.server.process.kill()
    assert run.returncode == 1, "".join(printed)
    assert graphs.server.process.wait(timeout=60) != 0
    assert graphs.spark.tables(schemas=SCHEMAS) == before

    refused = graphs.spark.run(FIRST, THIRD, MOBILITY)
    assert not refused.success
    assert "no Thrift server answers at 127.0.0.1" in "".join(refused.failures)

    graphs.use(start_server(graphs.server.folder))
    for each in (graphs.duckdb, graphs.spark):
        assert each.run(FIRST, THIRD, MOBILITY).failures == ()
    assert graphs.differences() == {}


def test_a_held_day_changes_no_table(graphs: Graphs) -> None:
    before = graphs.spark.tables(schemas=SCHEMAS)
    write_file(graphs.duckdb.landing, "2024-01-04.csv", HEADER, "too;few", "too;few")

    runs = [each.run(HELD, HELD, MOBILITY) for each in (graphs.duckdb, graphs.spark)]

    for run in runs:
        assert not run.success
        assert [check.check_name for check in run.checks if not check.passed] == ["rejected_share"]
    assert graphs.spark.tables(schemas=SCHEMAS) == before
    assert graphs.differences() == {}

"""Spark and DuckDB hold the same tables: after a full build, after days have changed, after a build that was killed.

Belongs here: one lake with all sources, and what may happen to it. Not here: drawn sequences (`test_sequences.py`), or
what the tables must hold (`tests/integration`).
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from dbt.contracts.graph.manifest import Manifest

from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.lake.retention import prune_raw_days
from engagement_assets.sources import RAW_DATASETS
from engagement_assets.transform import project
from engagement_assets.transform.spark_warehouse import SparkWarehouse
from tests.integration.quick_dbt import quick_dbt
from tests.integration.reports import LAST_DAY, load_sources
from tests.integration.services import FIRST_DAY
from tests.integration.warehouse_builder import DBT_PROJECT_DIR, WarehouseBuilder
from tests.spark.conftest import SparkServer
from tests.spark.spark_builder import SparkBuilder, differences

ONE_DAY = timedelta(days=1)
# Of the two weeks of days: these, counted from the first, change before the second build.
FEWER_ROWS, EMPTIED, MOVED_FROM, MOVED_TO, LATE = 2, 4, 6, 7, 9
CHANGED = (FIRST_DAY + FEWER_ROWS * ONE_DAY, FIRST_DAY + (LATE + 1) * ONE_DAY)
EVERYTHING = (FIRST_DAY, LAST_DAY + ONE_DAY)


@dataclass(frozen=True)
class Both:
    """The same lake, built on both engines."""

    duckdb: WarehouseBuilder
    spark: SparkBuilder
    lake: Lake

    def differences(self) -> dict[str, str]:
        return differences(self.duckdb.warehouse_path, self.spark.server.tables)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, server: SparkServer) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("parity")
    project.manifest()
    parsed = project.parsed_manifest()
    assert isinstance(parsed, Manifest)
    with quick_dbt():
        load_sources(folder / "loaded", parsed)
        lake = folder / "loaded" / "lake"
        yield Both(
            WarehouseBuilder(folder / "duckdb", parsed, lake),
            SparkBuilder(folder / "spark", server, lake),
            Lake(str(lake)),
        )


def rewrite(lake: Lake, key: str, query: str) -> None:
    """Replace a file of the lake by the rows of a query over it, which calls it `rows`."""
    path = Path(lake.location(key))
    draft = path.with_suffix(".draft")
    with duckdb.connect() as connection:
        connection.execute(f"create view rows as from read_parquet('{path}', hive_partitioning = false)")
        connection.execute(f"copy ({query}) to '{draft}' (format parquet)")
    draft.replace(path)


def late_file(lake: Lake, key: str) -> Path:
    """Where the whole day waits: Spark reads every file of the folder of a day."""
    return Path(lake.root).with_name(key.replace("/", "."))


def half(lake: Lake, key: str) -> None:
    """Leave every second row."""
    rewrite(lake, key, "select * exclude n from (select *, row_number() over () as n from rows) where n % 2 = 0")


def test_a_full_build_gives_the_same_tables(both: Both) -> None:
    for dataset in RAW_DATASETS:
        if dataset.partitioned:
            key = both.lake.day_key(dataset, FIRST_DAY + LATE * ONE_DAY)
            shutil.copyfile(both.lake.location(key), late_file(both.lake, key))
            half(both.lake, key)
    for builder in (both.duckdb, both.spark):
        builder.build(*EVERYTHING)

    assert both.differences() == {}


def test_unit_tests_of_the_models_pass_on_spark(both: Both) -> None:
    # They take the types of given rows from the tables.
    assert both.spark.failing_tests("test_type:unit") == {}


def test_a_build_of_changed_days_gives_the_same_tables(both: Both) -> None:
    for dataset in RAW_DATASETS:
        if not dataset.partitioned:
            if "name" in "".join(dataset.columns):
                renamed = ", ".join(f"upper({name}) as {name}" for name in dataset.columns if name.endswith("name"))
                rewrite(
                    both.lake, both.lake.day_key(dataset, WHOLE_DATASET_DAY), f"select * replace ({renamed}) from rows"
                )
            continue
        keys = {day: both.lake.day_key(dataset, FIRST_DAY + day * ONE_DAY) for day in range(LATE + 1)}
        shutil.move(late_file(both.lake, keys[LATE]), both.lake.location(keys[LATE]))
        half(both.lake, keys[FEWER_ROWS])
        rewrite(both.lake, keys[EMPTIED], "from rows limit 0")
        moved = both.lake.location(keys[MOVED_FROM])
        rewrite(
            both.lake,
            keys[MOVED_TO],
            f"from rows union all by name from read_parquet('{moved}', hive_partitioning = false)",
        )
        rewrite(both.lake, keys[MOVED_FROM], "from rows limit 0")
    before = both.duckdb.tables(["training.fct__activities", "mobility.fct__mobile_sessions"])
    for builder in (both.duckdb, both.spark):
        builder.build(*CHANGED)

    assert both.differences() == {}
    assert both.duckdb.tables(list(before)) != before, "the change changes nothing, so the comparison says nothing"


def test_a_build_that_was_killed_is_repeated_and_gives_the_same_tables(both: Both) -> None:
    for dataset in RAW_DATASETS:
        if dataset.partitioned:
            half(both.lake, both.lake.day_key(dataset, FIRST_DAY + MOVED_TO * ONE_DAY))
            assert prune_raw_days(both.lake, dataset, FIRST_DAY + ONE_DAY, built_days, dry_run=False).count == 1
    kill_a_build_after(25, both.spark)
    # As if it had been killed between its last two statements of a table: the old one is dropped, the new one waits.
    both.spark.spark.query("alter table learning.engagement_daily rename to learning.engagement_daily__dbt_new")
    for builder in (both.duckdb, both.spark):
        builder.build(*CHANGED)

    assert both.differences() == {}
    assert not [name for _, name in both.spark.spark.relations() if "__dbt_" in name]


def built_days() -> Callable[[date], bool]:
    """All days are built."""
    return lambda _: True


def kill_a_build_after(models: int, builder: SparkBuilder) -> None:
    """End a build of the changed days with SIGKILL once this many models are built."""
    arguments = ["build", f"--project-dir={DBT_PROJECT_DIR}", f"--profiles-dir={DBT_PROJECT_DIR}", "--no-use-colors"]
    arguments += [
        "--resource-type=model",
        f"--target-path={builder.lake_folder.parent}/killed",
        "--log-level-file=none",
    ]
    days = {"window_start": str(CHANGED[0]), "window_end": str(CHANGED[1])}
    arguments += [f"--vars={days | {'lake_uri': str(builder.lake_folder)}}"]
    with builder.spark.profile.environment():
        environment = dict(os.environ)
    dbt = str(Path(sys.executable).with_name("dbt"))
    with subprocess.Popen([dbt, *arguments], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        built = 0
        for line in process.stdout:
            built += " OK created " in line
            if built == models:
                process.kill()
                return
    raise AssertionError(f"the build ended after {built} models")


def test_a_copy_for_the_published_file_has_the_rows_types_and_descriptions(both: Both) -> None:
    spark = both.spark.spark
    assert isinstance(spark, SparkWarehouse)
    with spark.copy_of(["training"], facts=True) as path, duckdb.connect(str(path), read_only=True) as copy:
        copy.execute(f"attach '{both.duckdb.warehouse_path}' as built (read_only)")
        names = [row[0] for row in copy.execute("show tables from training").fetchall()]
        for name in names:
            assert (
                copy.execute(f"describe training.{name}").fetchall()
                == copy.execute(f"describe built.training.{name}").fetchall()
            )
        leaders = "select * from {}training.workout_leaderboard order by all"
        assert copy.execute(leaders.format("")).fetchall() == copy.execute(leaders.format("built.")).fetchall()
        comments = "select table_name, comment from duckdb_tables() where schema_name = 'training' and comment <> ''"
        assert len(copy.execute(comments).fetchall()) == len(names)
    assert not list((Path(both.lake.root) / ".spark_exports").iterdir())

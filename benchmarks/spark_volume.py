"""Millions of app events on Apache Spark and on DuckDB: the same models over the same lake, one engine after the other.

    python -m benchmarks.spark_volume [--events 5000000] [--of-one-user 0]

So many mobile events of a year and so many plays of 30 days lie in a lake. Each engine builds sessions and engagement
in full, and then once more after a day of mobile events has got late ones. Printed are wall and CPU seconds (client and
server), the peak memory of the process that computes, what Spark shuffled and spilled, and the files of each table.
`--of-one-user` gives so many of the mobile events to one user. Spark runs in local mode on all cores, with the settings
of `make spark`.
"""

import argparse
import multiprocessing
import os
import resource
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import httpx

from benchmarks import lingokids_engagement, mobile_sessions
from benchmarks.mobile_sessions import EVENTS_PER_SESSION, LATE_DAY, YEAR
from engagement_assets.commands.range_run import RangeRequest, run_range
from engagement_assets.commands.spark import CONFIGURATION
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.mobile import MOBILE_EVENTS
from engagement_assets.lake.day_files import day_file
from engagement_assets.lake.lake import Lake
from engagement_assets.settings import Settings
from engagement_assets.transform.dbt_profile import DbtProfile
from engagement_assets.transform.project import manifest, parsed_manifest
from engagement_assets.transform.spark_warehouse import SparkWarehouse
from tests.free_port import free_port
from tests.spark.conftest import start_server

MODELS = "path:seeds " + " ".join(
    f"path:models/{path}"
    for path in (
        *("staging/mobile", "intermediate/mobility", "marts/mobility"),
        *("staging/lingokids", "intermediate/learning", "marts/learning"),
    )
)
COMPARED = {
    "mobility.fct__mobile_sessions": "count(*), sum(event_count), min(started_at), max(ended_at)",
    "learning.engagement_daily": "count(*), sum(plays), sum(played_ms)",
    "learning.fct__activity_exits": "count(*), sum(duration_ms)",
}
LATE = DayWindow(LATE_DAY, LATE_DAY + timedelta(days=1))
MB = 1_000_000


@dataclass(frozen=True)
class Cost:
    """What a build took: seconds, CPU seconds of the process that runs dbt, and its peak memory in MB."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def build(root: Path, window: DayWindow, warehouse: DbtProfile) -> Cost:
    """Build the models; called in a process of its own, whose peak is that of the build."""
    # Parsed before, and kept.
    parsed_manifest(warehouse.database, warehouse.engine, warehouse.table_format)
    before = resource.getrusage(resource.RUSAGE_SELF)
    wall_s = mobile_sessions.seconds_of_build(root, window, MODELS, warehouse)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall_s, cpu_s, used.ru_maxrss / 1024)


def in_a_process(*arguments: Any) -> Cost:
    """The build, whose exception is raised here."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(build, arguments)


def write_lake(root: Path, events: int, of_one_user: int) -> None:
    """Mobile events straight into the lake, plays through their raw assets."""
    mobile_sessions.write_lake(root / "lake", events // EVENTS_PER_SESSION)
    if of_one_user:
        files = sorted((root / "lake" / MOBILE_EVENTS.key).glob("*/data.parquet"))
        share = of_one_user / events
        with duckdb.connect() as connection:
            for path in files:
                one = f"hash(event_id) < {int(share * 2**64)}"
                connection.execute(
                    f"create or replace table day as select * replace (if({one}, 'User-1', anonymous_id) as "
                    f"anonymous_id, if({one}, 'device-1', device_id) as device_id) "
                    f"from read_parquet('{path}', hive_partitioning = false)"
                )
                connection.execute(f"copy day to '{path}' (format parquet)")
    lingokids_engagement.write_landing(root / "landing", events)
    settings = Settings(
        landing_uri=str(root / "landing"), lake_uri=str(root / "lake"), dagster_home=root / "dagster_home"
    )
    first = lingokids_engagement.FIRST_DAY
    days = DayWindow(first, first + timedelta(days=lingokids_engagement.DAYS))
    run = run_range(settings, RangeRequest(days, 'key:"raw_lingokids/*"'))
    if run.failures:
        raise RuntimeError(f"loading failed: {run.failures}")


class Server:
    """Spark as a process, and what it has used since it started."""

    def __init__(self, root: Path) -> None:
        """Start it, and wait until it answers."""
        self._ui = free_port()
        shown = {"spark.ui.enabled": "true", "spark.ui.port": str(self._ui)}
        self._server = start_server(root / "spark", CONFIGURATION | shown)
        self.process = self._server.process
        self.warehouse = SparkWarehouse(self._server.endpoint, Lake(str(root / "lake")), manifest())

    def cpu_s(self) -> float:
        """CPU seconds of the server."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mb(self) -> float:
        """The most memory that it has had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def stages(self) -> Mapping[str, float]:
        """Sums over all stages that have ended, in MB."""
        api = f"http://127.0.0.1:{self._ui}/api/v1/applications"
        application = httpx.get(api).json()[0]["id"]
        stages = httpx.get(f"{api}/{application}/stages?status=complete", timeout=60).json()
        names = ("inputBytes", "outputBytes", "shuffleWriteBytes", "memoryBytesSpilled", "diskBytesSpilled")
        return {name: sum(stage[name] for stage in stages) / MB for name in names}

    def files(self) -> Mapping[str, tuple[int, float]]:
        """Per table: how many files, and their MB."""
        found: dict[str, tuple[int, float]] = {}
        for table in sorted(self._server.tables.glob("*.db/*")):
            sizes = [path.stat().st_size for path in table.rglob("*.parquet")]
            found[f"{table.parent.name.removesuffix('.db')}.{table.name}"] = (len(sizes), sum(sizes) / MB)
        return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5_000_000, help="mobile events, and as many plays")
    parser.add_argument("--of-one-user", type=int, default=0, help="how many of the mobile events one user has")
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="spark-volume-"))
    try:
        write_lake(root, arguments.events, arguments.of_one_user)
        on_duckdb = DbtProfile.duckdb(root / "warehouse.duckdb")
        server = Server(root)
        try:
            day = day_file(root / "lake" / MOBILE_EVENTS.key, LATE_DAY)
            for name, window in (("full build", YEAR), ("one late day", LATE)):
                if window is LATE:
                    mobile_sessions.add_late_events(root / "lake", 1)
                cost = in_a_process(root, window, on_duckdb)
                print(f"{name}, DuckDB: {cost.wall_s:.1f} s, CPU {cost.cpu_s:.1f} s, peak {cost.peak_mb:,.0f} MB")
                before, stages = server.cpu_s(), server.stages()
                cost = in_a_process(root, window, server.warehouse.profile)
                print(
                    f"{name}, Spark: {cost.wall_s:.1f} s, CPU {cost.cpu_s:.1f} s of dbt and "
                    f"{server.cpu_s() - before:.1f} s of the server, peak {server.peak_mb():,.0f} MB"
                )
                used = {key: value - stages[key] for key, value in server.stages().items()}
                print("   " + ", ".join(f"{key} {value:,.0f} MB" for key, value in used.items()), flush=True)
            print(f"the late day's file: {day.stat().st_size / MB:.1f} MB")
            print_tables(root, server)
        finally:
            server.process.terminate()
            server.process.wait()
    finally:
        shutil.rmtree(root)


def print_tables(root: Path, server: Server) -> None:
    """What both engines hold, and the files of Spark's tables."""
    with duckdb.connect(str(root / "warehouse.duckdb"), read_only=True) as connection:
        for table, columns in COMPARED.items():
            question = f"select {columns} from {table}"
            on_duckdb = connection.execute(question).fetchall()
            on_spark = server.warehouse.query(question).values
            same = [str(value) for value in on_duckdb[0]] == [str(value) for value in on_spark[0]]
            print(f"{table}: {on_duckdb[0]} {'on both' if same else f'on DuckDB, {on_spark[0]} on Spark'}")
    print(f"warehouse.duckdb: {(root / 'warehouse.duckdb').stat().st_size / MB:,.0f} MB")
    for table, (number, size) in server.files().items():
        if size > 1:
            print(f"{table}: {number} files, {size:,.0f} MB")


if __name__ == "__main__":
    main()
